//! However a stream is cut, the same frames come out, or the same damage; what we write reads back.
#![no_main]

use bedplate_wire::eventstream::{Damage, Kind, Scanner, encode_event};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fn scan(bytes: &Bytes, step: usize) -> (Vec<Bytes>, Result<(), Damage>) {
    let mut scanner = Scanner::new(true);
    let mut frames = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = (at + step).min(bytes.len());
        scanner.feed(bytes.slice(at..end));
        at = end;
        loop {
            match scanner.next_frame() {
                Ok(Some(frame)) => {
                    assert!(frame.headers().all(|h| h.is_ok()));
                    let _ = frame.kind();
                    assert_eq!(frame.payload(), &frame.raw()[frame.payload_range()]);
                    frames.push(frame.into_raw());
                }
                Ok(None) => break,
                Err(damage) => return (frames, Err(damage)),
            }
        }
    }
    (frames, scanner.finish())
}

// a byte for the step, a line for the name, the stream
fuzz_target!(|data: &[u8]| {
    let Some((&step, rest)) = data.split_first() else { return };
    let line = rest.iter().position(|b| *b == b'\n').unwrap_or(0);
    let Ok(name) = std::str::from_utf8(&rest[..line]) else { return };
    let raw = rest.get(line + 1..).unwrap_or_default();
    let event = encode_event(name, raw);
    let stream: Bytes = [&event[..], raw, &event[..]].concat().into();
    let whole = scan(&stream, stream.len());
    let cut = scan(&stream, usize::from(step).max(1));
    assert!(whole == cut, "the cut decides what is read");
    assert!(whole.0.first() == Some(&event));

    let mut scanner = Scanner::new(true);
    scanner.feed(event);
    let frame = scanner.next_frame().expect("ours").expect("whole");
    assert_eq!(frame.payload(), raw);
    let Kind::Event(read) = frame.kind() else { panic!("no event") };
    assert!(name.starts_with(read));
});
