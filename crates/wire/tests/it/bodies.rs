//! Request bodies with members nobody knows: what is spliced is ours, the rest is untouched.

use bedplate_core::call::Operation;
use bedplate_core::content::Content;
use bedplate_core::view::Edits;
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::view::{Asked, read};
use bedplate_wire::sigv4::BodyDigest;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value};

const OURS: &[(&str, &str)] = &[("bedplate:team", "payments"), ("bedplate:call", "0195-77")];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(".{0,8}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = (Map<String, Value>, Option<Map<String, Value>>)> {
    let unknown = proptest::collection::btree_map("[a-z]{1,8}|.{0,5}", json(), 0..6);
    let metadata = proptest::collection::btree_map("[a-z ]{1,12}", "[a-z0-9]{0,12}", 0..14)
        .prop_map(|m| m.into_iter().map(|(k, v)| (k, Value::from(v))).collect::<Map<_, _>>());
    (unknown, proptest::option::of(metadata)).prop_map(|(u, m)| (u.into_iter().collect(), m))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stamp_changes_the_metadata_and_nothing_else(
        (unknown, metadata) in body(), max in proptest::option::of(0u32..), pretty in any::<bool>(), at in any::<prop::sample::Index>(),
    ) {
        let mut whole: Vec<(String, Value)> =
            unknown.iter().filter(|(k, _)| *k != "requestMetadata").map(|(k, v)| (k.clone(), v.clone())).collect();
        if let Some(m) = &metadata {
            whole.insert(at.index(whole.len() + 1), ("requestMetadata".into(), Value::Object(m.clone())));
        }
        if let Some(max) = max {
            whole.push(("inferenceConfig".into(), serde_json::json!({ "maxTokens": max, "topP": 0.5 })));
        }
        let before: Map<String, Value> = whole.into_iter().collect();
        let text = if pretty { serde_json::to_string_pretty(&before) } else { serde_json::to_string(&before) }.unwrap();
        let body = Content::new(Bytes::from(text.clone()));
        let asked = Asked { operation: Operation::Converse, family: Family::Nova, content_type: None, metadata: None };
        let view = read(&asked, &body).unwrap();
        prop_assert_eq!(view.max_tokens(), max.map(u64::from));
        let mut edits = Edits::default();
        let stamped = view.stamp(OURS, "bedplate:", &mut edits).unwrap();
        prop_assert_eq!(stamped.kept, 2);

        let splice = &edits.splices()[0];
        let after = edits.apply(&body).concat();
        prop_assert_eq!(&after[..splice.range.start], &text.as_bytes()[..splice.range.start]);
        prop_assert!(after.ends_with(&text.as_bytes()[splice.range.end..]));

        let mut parsed: Map<String, Value> = serde_json::from_slice(&after).unwrap();
        let Some(Value::Object(mut all)) = parsed.remove("requestMetadata") else { panic!("no metadata") };
        for (key, value) in OURS {
            prop_assert_eq!(all.remove(*key), Some(Value::from(*value)));
        }
        prop_assert_eq!(all, metadata.unwrap_or_default());
        let mut untouched = before;
        untouched.remove("requestMetadata");
        prop_assert_eq!(parsed, untouched);

        let digest = BodyDigest::of(body.expose());
        let whole = BodyDigest::of(&after);
        prop_assert_eq!(&digest.with_edits(&body, &edits), whole.bytes());
    }

    #[test]
    fn a_body_is_read_exactly_when_it_is_an_object(text in r#"[\[\]{}:,"a\\ 0-9.eE+-]{0,20}"#) {
        let asked = Asked { operation: Operation::Converse, family: Family::Nova, content_type: None, metadata: None };
        let ours = read(&asked, &Content::new(Bytes::from(text.clone()))).is_ok();
        let theirs = serde_json::from_str::<Map<String, Value>>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{}", text);
    }
}

#[test]
fn deep_nesting_is_read_without_a_stack() {
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let asked =
        Asked { operation: Operation::Converse, family: Family::Nova, content_type: None, metadata: None };
    assert!(read(&asked, &Content::new(Bytes::from(deep))).is_ok());
}
