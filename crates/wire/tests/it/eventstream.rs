//! Framing against `aws-smithy-eventstream`, with chunk boundaries by chance.

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bedplate_wire::eventstream::{
    Damage, Frame, Kind, MAX_FRAME, Scanner, Value, encode_event, encode_exception,
};
use bytes::Bytes;
use proptest::prelude::*;

pub(crate) fn scan(chunks: &[Bytes]) -> Result<Vec<Frame>, Damage> {
    let mut scanner = Scanner::new(true);
    let mut frames = Vec::new();
    for chunk in chunks {
        scanner.feed(chunk.clone());
        while let Some(frame) = scanner.next_frame()? {
            frames.push(frame);
        }
    }
    scanner.finish()?;
    Ok(frames)
}

/// Cuts `bytes` into chunks of the given sizes, over and over.
pub(crate) fn cut(bytes: &Bytes, sizes: &[usize]) -> Vec<Bytes> {
    let mut rest = bytes.clone();
    let mut sizes = sizes.iter().cycle();
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let n = (*sizes.next().unwrap()).clamp(1, rest.len());
        chunks.push(rest.split_to(n));
    }
    chunks
}

fn header() -> impl Strategy<Value = Header> {
    let value = prop_oneof![
        any::<bool>().prop_map(HeaderValue::Bool),
        any::<i8>().prop_map(HeaderValue::Byte),
        any::<i16>().prop_map(HeaderValue::Int16),
        any::<i32>().prop_map(HeaderValue::Int32),
        any::<i64>().prop_map(HeaderValue::Int64),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|b| HeaderValue::ByteArray(b.into())),
        ".{0,20}".prop_map(|s| HeaderValue::String(s.into())),
        (0i64..4_000_000_000_000)
            .prop_map(|ms| { HeaderValue::Timestamp(aws_smithy_types::DateTime::from_millis(ms)) }),
        any::<u128>().prop_map(HeaderValue::Uuid),
    ];
    ("[a-z:-]{1,20}", value).prop_map(|(name, value)| Header::new(name, value))
}

fn same(theirs: &HeaderValue, ours: Value<'_>) -> bool {
    match (theirs, ours) {
        (HeaderValue::Bool(a), Value::Bool(b)) => *a == b,
        (HeaderValue::Byte(a), Value::Byte(b)) => *a == b,
        (HeaderValue::Int16(a), Value::Int16(b)) => *a == b,
        (HeaderValue::Int32(a), Value::Int32(b)) => *a == b,
        (HeaderValue::Int64(a), Value::Int64(b)) => *a == b,
        (HeaderValue::ByteArray(a), Value::Bytes(b)) => a == b,
        (HeaderValue::String(a), Value::Text(b)) => a.as_str() == b,
        (HeaderValue::Timestamp(a), Value::Millis(b)) => a.to_millis().unwrap() == b,
        (HeaderValue::Uuid(a), Value::Uuid(b)) => a.to_be_bytes() == b,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_of_the_aws_crate_are_read_whatever_the_chunks(
        messages in proptest::collection::vec(
            (proptest::collection::vec(header(), 0..6), proptest::collection::vec(any::<u8>(), 0..300)), 1..6),
        sizes in proptest::collection::vec(1usize..400, 1..8),
    ) {
        let mut stream = Vec::new();
        let messages: Vec<Message> = messages
            .into_iter()
            .map(|(headers, payload)| Message::new_from_parts(headers, payload))
            .collect();
        for message in &messages {
            write_message_to(message, &mut stream).unwrap();
        }
        let stream = Bytes::from(stream);
        let frames = scan(&cut(&stream, &sizes)).unwrap();
        prop_assert_eq!(frames.len(), messages.len());
        for (frame, message) in frames.iter().zip(&messages) {
            prop_assert_eq!(frame.payload(), &message.payload()[..]);
            let headers: Vec<_> = frame.headers().map(Result::unwrap).collect();
            prop_assert_eq!(headers.len(), message.headers().len());
            for ((name, value), theirs) in headers.into_iter().zip(message.headers()) {
                prop_assert_eq!(name, theirs.name().as_str());
                prop_assert!(same(theirs.value(), value), "{}", name);
            }
        }
        let joined: Vec<u8> = frames.into_iter().flat_map(|f| f.into_raw().to_vec()).collect();
        prop_assert_eq!(joined, stream.to_vec());
    }

    #[test]
    fn our_frames_are_read_by_the_aws_crate(name in "[a-zA-Z]{1,40}", payload in proptest::collection::vec(any::<u8>(), 0..500)) {
        for (bytes, kind, tag) in [
            (encode_event(&name, &payload), "event", ":event-type"),
            (encode_exception(&name, &payload), "exception", ":exception-type"),
        ] {
            let message = read_message_from(bytes).unwrap();
            prop_assert_eq!(&message.payload()[..], &payload[..]);
            let headers: Vec<_> = message.headers().iter()
                .map(|h| (h.name().as_str().to_owned(), h.value().as_string().unwrap().as_str().to_owned())).collect();
            let want: Vec<_> = [(tag, name.as_str()), (":content-type", "application/json"), (":message-type", kind)]
                .iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            prop_assert_eq!(headers, want);
        }
    }

    #[test]
    fn a_flipped_bit_is_damage_never_a_panic(at in 0usize..1_000, bit in 0u8..8, size in 1usize..50) {
        let good = Bytes::from_static(include_bytes!("../samples/eventstream/converse-text.bin"));
        let mut bad = good.to_vec();
        let at = at % bad.len();
        bad[at] ^= 1 << bit;
        prop_assert!(scan(&cut(&Bytes::from(bad), &[size])).is_err());
    }

    #[test]
    fn noise_is_never_a_panic(noise in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        let _ = scan(&cut(&Bytes::from(noise), &[size]));
    }
}

#[test]
fn a_whole_frame_in_one_chunk_is_not_copied() {
    let chunk = encode_event("metadata", b"{}");
    let frames = scan(std::slice::from_ref(&chunk)).unwrap();
    assert_eq!(frames[0].raw().as_ptr(), chunk.as_ptr());
    assert!(frames[0].kind() == Kind::Event("metadata"));
}

#[test]
fn ends_are_told_apart() {
    let frame = encode_event("a", b"{}");
    let mut scanner = Scanner::new(true);
    assert_eq!(scanner.finish(), Ok(()));
    scanner.feed(frame.slice(..20));
    assert!(scanner.next_frame().unwrap().is_none());
    assert_eq!(scanner.finish(), Err(Damage::Truncated { left: 20 }));
    scanner.feed(frame.slice(20..));
    scanner.feed(frame.slice(..5));
    assert!(scanner.next_frame().unwrap().is_some());
    assert!(scanner.next_frame().unwrap().is_none());
    assert_eq!(scanner.finish(), Err(Damage::Truncated { left: 5 }));
}

#[test]
fn sizes_that_cannot_be_are_damage_at_once() {
    let prelude = |total: u32, headers: u32| {
        let mut b = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        b.extend(crc32fast::hash(&b).to_be_bytes());
        Bytes::from(b)
    };
    for (total, headers) in
        [(15, 0), (16, 1), (u32::try_from(MAX_FRAME).unwrap() + 1, 0), (u32::MAX, 131_073)]
    {
        assert_eq!(scan(&[prelude(total, headers)]).err(), Some(Damage::Length { total, headers }));
    }
    let mut scanner = Scanner::new(false);
    scanner.feed(Bytes::from_static(&[0; 12]));
    assert_eq!(scanner.next_frame().err(), Some(Damage::PreludeChecksum));
    scanner.feed(encode_event("a", b"{}"));
    assert_eq!(scanner.next_frame().err(), Some(Damage::PreludeChecksum), "damage stays");
    assert_eq!(scanner.finish(), Err(Damage::PreludeChecksum));
}

#[test]
fn the_message_checksum_is_checked_when_asked() {
    let mut bytes = encode_event("a", b"{}").to_vec();
    let at = bytes.len() - 5;
    bytes[at] ^= 1;
    assert_eq!(scan(&[Bytes::from(bytes.clone())]).err(), Some(Damage::MessageChecksum));
    let mut scanner = Scanner::new(false);
    scanner.feed(Bytes::from(bytes));
    assert!(scanner.next_frame().unwrap().is_some());
    let damaged = Bytes::from_static(include_bytes!("../samples/eventstream/damaged.bin"));
    assert!(scan(&[damaged]).is_err());
}
