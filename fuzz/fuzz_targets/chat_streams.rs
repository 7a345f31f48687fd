//! However a stream of chunks is cut, the same stream comes out, and its events are JSON.
#![no_main]

use bedplate_core::form::Form;
use bedplate_wire::translate::{Framing, Stream, Told};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

/// What comes out, and whether it is whole.
fn through(to: Form, data: &Bytes, step: usize) -> (Vec<u8>, bool) {
    let told = Told { model: "m".to_owned(), include_usage: true, ..Told::default() };
    let mut stream = Stream::new((Form::Chat, Framing::Sse), (to, Framing::Sse), &told).expect("a codec");
    let mut out = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let end = (at + step).min(data.len());
        match stream.feed(data.slice(at..end)) {
            Ok(bytes) => out.extend_from_slice(&bytes),
            Err(_) => return (out, false),
        }
        at = end;
    }
    let last = stream.finish();
    let whole = last.is_ok();
    out.extend_from_slice(&last.unwrap_or_default());
    (out, whole)
}

// a byte for the step, the stream
fuzz_target!(|data: &[u8]| {
    let Some((&step, rest)) = data.split_first() else { return };
    let data = Bytes::copy_from_slice(rest);
    for to in [Form::Chat, Form::Messages] {
        let (one, whole) = through(to, &data, data.len());
        let (cut, cut_whole) = through(to, &data, usize::from(step).max(1));
        assert_eq!(whole, cut_whole);
        // a broken stream gives what came before it broke, and that is said of whole pieces only
        if whole {
            assert_eq!(one, cut);
        }
        for line in std::str::from_utf8(&one).expect("text").lines() {
            if let Some(data) = line.strip_prefix("data: ").filter(|data| *data != "[DONE]") {
                serde_json::from_str::<&serde_json::value::RawValue>(data).expect("JSON");
            }
        }
    }
});
