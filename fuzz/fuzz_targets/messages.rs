//! Whatever a caller or an upstream says in Anthropic's messages or as a prompt: nothing panics, what was read and
//! written is read and written again as it stands, and a stream is the same however it is cut.
#![no_main]

use bedplate_core::content::Content;
use bedplate_core::form::Form;
use bedplate_wire::anthropic;
use bedplate_wire::translate::{Framing, Stream, Told, Wanted, answer, request};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

const FORMS: [Form; 12] = [
    Form::Messages,
    Form::Claude,
    Form::Llama,
    Form::MistralText,
    Form::DeepSeekText,
    Form::TitanText,
    Form::CohereCommand,
    Form::Converse,
    Form::Chat,
    Form::Nova,
    Form::MistralChat,
    Form::Jamba,
];

fn told() -> Told {
    Told { id: "id".into(), model: "model".into(), upstream: "anthropic.claude".into(), ..Told::default() }
}

/// All that a stream gives, cut into pieces of `size`.
fn stream(data: &[u8], size: usize, to: Form) -> Option<Vec<u8>> {
    let mut stream = Stream::new((Form::Messages, Framing::Sse), (to, Framing::Sse), &told()).ok()?;
    let mut out = Vec::new();
    for piece in data.chunks(size) {
        out.extend_from_slice(&stream.feed(Bytes::copy_from_slice(piece)).ok()?);
    }
    out.extend_from_slice(&stream.finish().ok()?);
    Some(out)
}

// a byte that picks what it is, a byte that picks a form, and what is said
fuzz_target!(|data: &[u8]| {
    let [pick, form, said @ ..] = data else { return };
    let to = FORMS[usize::from(*form) % FORMS.len()];
    let wanted = || Wanted { model: "anthropic.claude", ..Wanted::default() };
    match pick % 4 {
        0 => {
            for from in [Form::Messages, Form::Claude] {
                let _ = request(from, to, said, wanted());
                let Ok(once) = request(from, from, said, wanted()) else { continue };
                // a request of which nothing is left is refused
                let Ok(twice) = request(from, from, &once.body, wanted()) else { continue };
                assert_eq!(twice.body, once.body, "what is written is read as it stands");
            }
            let _ = anthropic::count_tokens::request(said, wanted());
        }
        1 => {
            let Ok(once) = request(to, to, said, wanted()) else { return };
            let twice = request(to, to, &once.body, wanted()).map(|twice| twice.body);
            let prompts = FORMS[2..7].contains(&to);
            assert!(
                !prompts || twice.ok() == Some(once.body),
                "a prompt of ours is taken apart as it was put together"
            );
        }
        2 => {
            let whole = stream(said, usize::MAX, to);
            assert_eq!(whole, stream(said, 1, to), "a stream is the same however it is cut");
        }
        _ => {
            let _ = answer(Form::Claude, to, said, &told());
            let _ = answer(to, Form::Messages, said, &told());
            let body = Content::new(Bytes::copy_from_slice(said));
            if let Ok(edits) = anthropic::to_native(&body, "a,b") {
                let native = edits.apply(&body).concat();
                let native: &serde_json::value::RawValue =
                    serde_json::from_slice(&native).expect("spliced bodies are JSON");
                assert!(native.get().contains(r#""anthropic_version":"bedrock-2023-05-31""#));
            }
        }
    }
});
