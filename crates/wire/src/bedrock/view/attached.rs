//! What a body holds whose tokens its bytes do not bound.

use std::borrow::Cow;
use std::fmt;

use bedplate_core::view::Attached;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Looks through the whole body: names may be written with escapes, and stand at any depth. Rather too much is found
/// than too little. A body that is not JSON is what nobody can judge.
pub(super) fn attached(body: &[u8]) -> Attached {
    let mut found = Attached::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    if Seek(&mut found, false).deserialize(&mut reader).is_err() && !body.is_empty() {
        found.boundless = true;
    }
    found
}

/// `true` where a text is the type of a part.
struct Seek<'a>(&'a mut Attached, bool);

impl Seek<'_> {
    /// A member of this name is there.
    fn member(&mut self, name: &str) {
        match name {
            "image" | "image_url" | "inputImage" => self.0.images = self.0.images.saturating_add(1),
            "cachePoint" | "cache_control" => self.0.caches = true,
            "document" | "video" | "audio" | "inputVideo" | "mediaSource" | "file" | "input_audio"
            | "s3Location" | "promptVariables" => self.0.boundless = true,
            _ => {}
        }
    }
}

/// A part says that it is of this type, as in Anthropic's form.
fn kind(name: &str, found: &mut Attached) {
    match name {
        "image" => found.images = found.images.saturating_add(1),
        "document" | "video" | "container_upload" => found.boundless = true,
        _ => {}
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            self.member(&name);
            match &*name {
                "type" => map.next_value_seed(Seek(self.0, true))?,
                // what a schema describes is not there
                "inputSchema" | "input_schema" => drop(map.next_value::<IgnoredAny>()?),
                _ => map.next_value_seed(Seek(self.0, false))?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Seek(self.0, false))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.1 {
            kind(text, self.0);
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> (u64, bool) {
        let Attached { images, boundless, .. } = attached(body.as_bytes());
        (images, boundless)
    }

    #[test]
    fn parts_are_found_in_every_form_and_texts_about_them_are_not() {
        for (body, want) in [
            (r#"{"messages":[{"content":[{"text":"an \"image\" of a \"document\""}]}]}"#, (0, false)),
            (r#"{"messages":[{"content":[{"image":{"source":{"bytes":"AA"}}},{"image":{}}]}]}"#, (2, false)),
            (r#"{"messages":[{"content":[{"document":{"source":{"bytes":"AA"}}}]}]}"#, (0, true)),
            (r#"{"messages":[{"content":[{"\u0064ocument":{}}]}]}"#, (0, true)),
            (r#"{"messages":[{"content":[{"type":"image","source":{}}]}]}"#, (1, false)),
            (r#"{"messages":[{"content":[{"type":"doc\u0075ment","source":{}}]}]}"#, (0, true)),
            (r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#, (1, false)),
            (
                r#"{"messages":[{"content":[{"image":{"source":{"s3Location":{"uri":"s3://x"}}}}]}]}"#,
                (1, true),
            ),
            (
                r#"{"toolConfig":{"tools":[{"toolSpec":{"inputSchema":{"json":{"properties":{"document":{}}}}}}]}}"#,
                (0, false),
            ),
            (r#"{"type":7,"a":[1,2.5,-3,true,null,"x"]}"#, (0, false)),
            ("not json", (0, true)),
            ("", (0, false)),
        ] {
            assert_eq!(found(body), want, "{body}");
        }
    }
}
