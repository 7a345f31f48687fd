//! Nobody but bedplate writes what a call is counted on, whatever the caller sends and wherever it stands.

use std::collections::BTreeMap;

use bedplate_core::attribution::{Attribution, CHARS, STAMPS, plain};
use bedplate_core::call::Operation;
use bedplate_core::content::Content;
use bedplate_core::refusal::Code;
use bedplate_core::view::{Edits, Stamped};
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::view::{Asked, METADATA_HEADER, read};
use bytes::Bytes;
use proptest::prelude::*;
use serde::de::{Deserializer, MapAccess, Visitor};

const RESERVED: &str = "bedplate:";
const MOST: usize = 16;

/// A pair as a hostile caller writes it: plain, reserved in any case, escaped, overlong.
fn pair() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        4 => "[a-z]{1,10}",
        1 => "(bedplate|Bedplate|BEDPLATE):(team|call|env|user|x)?",
        1 => "(bedplate|bedplate |bedplate_|xbedplate:team)",
        1 => ".{0,12}",
    ];
    (name, prop_oneof![3 => "[a-z0-9 ]{0,12}", 1 => ".{0,300}"])
}

/// A JSON string in which any letter may be an escape.
fn escaped(text: &str, every: usize) -> String {
    let mut out = String::from("\"");
    for (n, unit) in text.encode_utf16().enumerate() {
        match char::from_u32(unit.into()) {
            Some(c) if (every == 0 || n % every != 0) && c.is_ascii_alphanumeric() => out.push(c),
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out + "\""
}

fn object(pairs: &[(String, String)], every: usize) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(k, v)| format!("{}:{}", escaped(k, every), escaped(v, every))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// Every pair as it stands, also those that stand twice.
fn every_pair(text: &str) -> Vec<(String, String)> {
    struct All;
    impl<'de> Visitor<'de> for All {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of strings")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(pair) = map.next_entry()? {
                all.push(pair);
            }
            Ok(all)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(All).unwrap()
}

/// The metadata that AWS would read, and how many of ours are in it; `None` when the call is refused.
fn sent(op: Operation, theirs: &str, ours: &[(&str, &str)]) -> Result<(String, Stamped), Code> {
    let converse = matches!(op, Operation::Converse | Operation::ConverseStream);
    let body = if converse { format!("{{\"requestMetadata\":{theirs}}}") } else { "{}".to_owned() };
    let body = Content::new(Bytes::from(body));
    let metadata = (!converse).then_some(theirs.as_bytes());
    let asked = Asked { operation: op, family: Family::Unknown, content_type: None, metadata };
    let mut edits = Edits::default();
    let view = read(&asked, &body).map_err(|e| e.code)?;
    let stamped = view.stamp(ours, RESERVED, &mut edits).map_err(|e| e.code)?;
    let text = if converse {
        let whole = edits.apply(&body).concat();
        let whole: BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_slice(&whole).unwrap();
        whole["requestMetadata"].get().to_owned()
    } else {
        let header = edits.headers.iter().find(|(name, _)| *name == METADATA_HEADER);
        header.map_or_else(|| theirs.to_owned(), |(_, v)| String::from_utf8(v.to_vec()).unwrap())
    };
    Ok((text, stamped))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_caller_writes_never_stands_for_ours(
        theirs in proptest::collection::vec(pair(), 0..18),
        every in 0_usize..4,
        op in proptest::sample::select(vec![
            Operation::Converse, Operation::ConverseStream,
            Operation::InvokeModel, Operation::InvokeModelWithResponseStream,
        ]),
        user in proptest::option::of("[ -~]{1,256}"),
        chain in proptest::option::of("[ -~]{1,256}"),
        alias in ".{1,300}",
    ) {
        let attribution = Attribution {
            team: "payments", feature: "triage", environment: "prod",
            user: user.as_deref(), chain: chain.as_deref(), alias: &alias, prompt: None,
        };
        let ours: Vec<(&str, &str)> = attribution.pairs("0195-77").collect();
        let spoofs = theirs.iter().any(|(name, _)| name.to_lowercase().starts_with(RESERVED));
        let mut names: Vec<&str> = theirs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).any(|two| two[0] == two[1]);
        match sent(op, &object(&theirs, every), &ours) {
            Err(Code::ReservedMetadata) => prop_assert!(spoofs),
            Err(Code::BadBody) => prop_assert!(twice),
            Err(code) => prop_assert!(false, "{code}"),
            Ok((text, stamped)) => {
                prop_assert!(!spoofs && !twice, "{text}");
                let read = every_pair(&text);
                prop_assert_eq!(&read[..theirs.len()], &theirs[..], "the caller's own pairs stay");
                // ours stand once each, in order of worth, as far as there is room
                let expected: Vec<(String, String)> = ours.iter().take(stamped.kept)
                    .map(|(name, value)| ((*name).to_owned(), plain(value).collect())).collect();
                prop_assert_eq!(&read[theirs.len()..], &expected[..]);
                prop_assert_eq!(stamped.kept + stamped.dropped, ours.len());
                prop_assert!(stamped.kept == 0 || read.len() <= MOST);
                prop_assert!(expected.iter().all(|(_, value)| value.len() <= CHARS));
                let header = matches!(op, Operation::InvokeModel | Operation::InvokeModelWithResponseStream);
                prop_assert!(!header || stamped.kept == 0 || text.chars().count() <= 8_500);
                let fits = theirs.len() + ours.len() <= MOST && (!header || text.len() < 5_000);
                prop_assert!(!fits || stamped.dropped == 0);
            }
        }
    }
}

#[test]
fn no_name_of_ours_can_be_written_by_a_caller() {
    for name in STAMPS {
        for name in [name.to_owned(), name.to_uppercase(), name.replacen('b', "B", 1)] {
            for op in [Operation::Converse, Operation::InvokeModel] {
                let theirs = object(&[(name.clone(), "x".into())], 2);
                assert_eq!(sent(op, &theirs, &[]).map(|_| ()), Err(Code::ReservedMetadata), "{op} {name}");
            }
        }
    }
}
