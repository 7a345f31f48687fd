//! A body that is read stays JSON when stamped, with every other member as it was.
#![no_main]

use bedplate_core::call::Operation;
use bedplate_core::content::Content;
use bedplate_core::view::Edits;
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::view::{Asked, read};
use bedplate_wire::sigv4::BodyDigest;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

const OURS: &[(&str, &str)] = &[("bedplate:team", "a \"team\""), ("bedplate:call", "1")];
const FAMILIES: [Family; 5] = [Family::Anthropic, Family::Nova, Family::TitanText, Family::OpenAi, Family::Unknown];

// a byte that picks, a line for the header, the body
fuzz_target!(|data: &[u8]| {
    let Some((&pick, rest)) = data.split_first() else { return };
    let line = rest.iter().position(|b| *b == b'\n').unwrap_or(0);
    let (header, text) = rest.split_at(line);
    let body = Content::new(Bytes::copy_from_slice(text));
    for operation in [Operation::Converse, Operation::InvokeModel, Operation::CountTokens] {
        let family = FAMILIES[usize::from(pick) % FAMILIES.len()];
        let metadata = (pick & 1 == 1).then_some(header);
        let asked = Asked { operation, family, content_type: None, metadata };
        let Ok(view) = read(&asked, &body) else { continue };
        let _ = view.max_tokens();
        let mut edits = Edits::default();
        let Ok(stamped) = view.stamp(OURS, "bedplate:", &mut edits) else { continue };
        for (_, value) in &edits.headers {
            let _: Map<String, Value> = serde_json::from_slice(value).expect("the header stays JSON");
        }
        let after = edits.apply(&body).concat();
        let whole = BodyDigest::of(&after);
        assert_eq!(&BodyDigest::of(text).with_edits(&body, &edits), whole.bytes());
        if operation != Operation::Converse {
            assert_eq!(after, text);
            continue;
        }
        // serde_json reads less than it skips: lone surrogates, numbers out of range, deep nesting
        let Ok(mut before) = serde_json::from_slice::<Map<String, Value>>(text) else { continue };
        let mut now: Map<String, Value> = serde_json::from_slice(&after).expect("the body stays JSON");
        let theirs = before.remove("requestMetadata").filter(|m| !m.is_null());
        let all = now.remove("requestMetadata").filter(|m| !m.is_null());
        let count = |m: &Option<Value>| m.as_ref().and_then(Value::as_object).map_or(0, Map::len);
        assert_eq!(count(&all), count(&theirs) + stamped.kept);
        assert_eq!(now, before);
    }
});
