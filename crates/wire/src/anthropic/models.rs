//! Lists of models.

use bytes::Bytes;

use crate::json::write::{Object, object};

/// All models, or one by its name; `None` when there is no such. `created` as RFC 3339 has it.
pub fn models(names: &[&str], which: Option<&str>, created: &str) -> Option<Bytes> {
    let mut out = String::new();
    match which {
        Some(name) => one(&mut object(&mut out), names.iter().find(|there| **there == name)?, created),
        None => {
            let mut whole = object(&mut out);
            let mut data = whole.list("data");
            names.iter().for_each(|name| one(&mut data.object(), name, created));
            drop(data);
            whole.bool("has_more", false);
            for (name, id) in [("first_id", names.first()), ("last_id", names.last())] {
                match id {
                    Some(id) => whole.string(name, id),
                    None => whole.raw(name, "null"),
                };
            }
        }
    }
    Some(out.into())
}

fn one(model: &mut Object<'_>, name: &str, created: &str) {
    model
        .string("type", "model")
        .string("id", name)
        .string("display_name", name)
        .string("created_at", created);
}
