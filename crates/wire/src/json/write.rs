//! Writing bodies: members one after the other, into one buffer.

use std::fmt::Write;

use bedplate_core::conversation::{Json, Member, Text};

/// An object being written; it is closed when it is dropped.
pub(crate) struct Object<'w> {
    out: &'w mut String,
    first: bool,
}

/// A list being written; it is closed when it is dropped.
pub(crate) struct Items<'w> {
    out: &'w mut String,
    first: bool,
}

/// Writes one object.
pub(crate) fn object(out: &mut String) -> Object<'_> {
    out.push('{');
    Object { out, first: true }
}

/// Writes one list.
pub(crate) fn list(out: &mut String) -> Items<'_> {
    out.push('[');
    Items { out, first: true }
}

/// Writes a string, escaped.
pub(crate) fn string(out: &mut String, text: &str) {
    match text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        true => {
            out.push('"');
            out.push_str(text);
            out.push('"');
        }
        false => out.push_str(Text::of(text).raw()),
    }
}

impl Object<'_> {
    /// `name` must need no escapes: it is one of ours.
    fn name(&mut self, name: &str) -> &mut String {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A value that is JSON.
    pub(crate) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.name(name).push_str(json);
        self
    }

    pub(crate) fn json(&mut self, name: &str, json: &Json<'_>) -> &mut Self {
        self.raw(name, json.raw())
    }

    pub(crate) fn text(&mut self, name: &str, text: &Text<'_>) -> &mut Self {
        self.raw(name, text.raw())
    }

    /// A string, escaped.
    pub(crate) fn string(&mut self, name: &str, text: &str) -> &mut Self {
        string(self.name(name), text);
        self
    }

    /// A string of pieces that are escaped already, one after the other.
    pub(crate) fn pieces<'p>(&mut self, name: &str, pieces: impl IntoIterator<Item = &'p str>) -> &mut Self {
        let out = self.name(name);
        out.push('"');
        out.extend(pieces);
        out.push('"');
        self
    }

    pub(crate) fn number(&mut self, name: &str, n: u64) -> &mut Self {
        // a string takes all that is written to it
        let _ = write!(self.name(name), "{n}");
        self
    }

    pub(crate) fn bool(&mut self, name: &str, yes: bool) -> &mut Self {
        self.raw(name, if yes { "true" } else { "false" })
    }

    pub(crate) fn object(&mut self, name: &str) -> Object<'_> {
        object(self.name(name))
    }

    pub(crate) fn list(&mut self, name: &str) -> Items<'_> {
        list(self.name(name))
    }

    /// A member as it was read: its name is escaped again.
    pub(crate) fn member(&mut self, member: &Member<'_>) -> &mut Self {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
        string(self.out, &member.name);
        self.out.push(':');
        self.out.push_str(member.value.raw());
        self
    }

    /// What is there, when it is there.
    pub(crate) fn maybe_text(&mut self, name: &str, text: Option<&Text<'_>>) -> &mut Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    pub(crate) fn maybe_json(&mut self, name: &str, json: Option<&Json<'_>>) -> &mut Self {
        match json {
            Some(json) => self.json(name, json),
            None => self,
        }
    }

    pub(crate) fn maybe_bool(&mut self, name: &str, yes: Option<bool>) -> &mut Self {
        match yes {
            Some(yes) => self.bool(name, yes),
            None => self,
        }
    }

    pub(crate) fn maybe_number(&mut self, name: &str, n: Option<u64>) -> &mut Self {
        match n {
            Some(n) => self.number(name, n),
            None => self,
        }
    }
}

impl Items<'_> {
    fn next(&mut self) -> &mut String {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
        self.out
    }

    pub(crate) fn raw(&mut self, json: &str) -> &mut Self {
        self.next().push_str(json);
        self
    }

    pub(crate) fn text(&mut self, text: &Text<'_>) -> &mut Self {
        self.raw(text.raw())
    }

    /// A string, escaped.
    pub(crate) fn string(&mut self, text: &str) -> &mut Self {
        string(self.next(), text);
        self
    }

    pub(crate) fn object(&mut self) -> Object<'_> {
        object(self.next())
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.push('}');
    }
}

impl Drop for Items<'_> {
    fn drop(&mut self) {
        self.out.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_written_member_by_member() {
        let mut out = String::new();
        {
            let mut o = object(&mut out);
            o.string("a", "x\"y").number("n", 7).maybe_bool("no", None);
            o.object("inner").bool("yes", true);
            let mut list = o.list("list");
            list.raw("1").text(&Text::from_raw("\"\\n\""));
            list.object();
        }
        assert_eq!(out, r#"{"a":"x\"y","n":7,"inner":{"yes":true},"list":[1,"\n",{}]}"#);
    }
}
