//! Lists of models.

use bytes::Bytes;

use crate::json::write::{Object, object};

/// All models, or one by its name; `None` when there is no such. `created` in seconds since 1970.
pub fn models(names: &[&str], which: Option<&str>, created: u64) -> Option<Bytes> {
    let mut out = String::new();
    match which {
        Some(name) => one(&mut object(&mut out), names.iter().find(|there| **there == name)?, created),
        None => {
            let mut whole = object(&mut out);
            whole.string("object", "list");
            let mut data = whole.list("data");
            names.iter().for_each(|name| one(&mut data.object(), name, created));
        }
    }
    Some(out.into())
}

fn one(model: &mut Object<'_>, name: &str, created: u64) {
    model
        .string("id", name)
        .string("object", "model")
        .number("created", created)
        .string("owned_by", "bedplate");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_listed_and_found() {
        let list = models(&["a", "b"], None, 7).unwrap();
        let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
        assert_eq!(list["object"], "list");
        assert_eq!(
            list["data"][1],
            serde_json::json!({"id":"b","object":"model","created":7,"owned_by":"bedplate"})
        );
        let one = models(&["a"], Some("a"), 7).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&one).unwrap()["id"], "a");
        assert!(models(&["a"], Some("b"), 7).is_none());
    }
}
