//! One form for JSON texts that mean the same: members by name, no whitespace, strings without escapes.
//!
//! Numbers stay as they are written, and members of one name keep their order: two texts may come out different that
//! mean the same, never the other way round.

use crate::json;

/// How deep a body may nest: ours is a recursion.
const DEEPEST: usize = 64;

/// A body in its one form, and what was seen on the way.
pub(super) struct Canon {
    bytes: Vec<u8>,
    /// All temperatures in the places where models look for one.
    temperatures: Vec<Option<f64>>,
    pub(super) tools: bool,
    pub(super) guarded: bool,
    pub(super) refers: bool,
}

impl Canon {
    /// Reads one JSON object; top-level members named in `without` are left out.
    pub(super) fn of(body: &[u8], without: &[&str]) -> Option<Self> {
        let text = json::utf8(body).ok()?;
        // what follows reads valid JSON only
        json::each(text, &mut |_, _| {}).ok()?;
        let canon =
            Self { bytes: Vec::new(), temperatures: Vec::new(), tools: false, guarded: false, refers: false };
        let mut reader = Reader { text: text.as_bytes(), at: 0, path: Vec::new(), without, canon };
        let mut out = Vec::with_capacity(text.len());
        reader.value(&mut out)?;
        reader.canon.bytes = out;
        Some(reader.canon)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The temperature, when it is said, and not in two ways.
    pub(super) fn temperature(&self) -> Option<f64> {
        let (first, others) = self.temperatures.split_first()?;
        if others.iter().all(|other| other == first) { *first } else { None }
    }

    /// Notes members that decide whether an answer may be kept. `path` are the names above.
    fn notice(&mut self, path: &[String], name: &str, value: &[u8]) {
        match (path, name) {
            (_, "s3Location") => self.refers = true,
            ([], "toolConfig" | "tools" | "functions") => self.tools = true,
            ([outer], "toolConfig" | "tools") if is_extra(outer) => self.tools = true,
            ([], "guardrailConfig" | "amazon-bedrock-guardrailConfig") => self.guarded = true,
            ([], "temperature") => self.temperature_is(value),
            ([outer], "temperature") if is_config(outer) || is_extra(outer) => self.temperature_is(value),
            ([outer, inner], "temperature") if is_extra(outer) && is_config(inner) => {
                self.temperature_is(value)
            }
            _ => {}
        }
    }

    fn temperature_is(&mut self, value: &[u8]) {
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        self.temperatures.push(number);
    }
}

fn is_config(name: &str) -> bool {
    matches!(name, "inferenceConfig" | "textGenerationConfig")
}

fn is_extra(name: &str) -> bool {
    name == "additionalModelRequestFields"
}

struct Reader<'a> {
    /// Valid JSON.
    text: &'a [u8],
    at: usize,
    /// Names of the objects around, and nothing for arrays: what is noticed lies in no array.
    path: Vec<String>,
    without: &'a [&'a str],
    canon: Canon,
}

impl Reader<'_> {
    fn value(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.space();
        match self.text.get(self.at)? {
            b'{' => self.object(out),
            b'[' => self.array(out),
            b'"' => {
                let text = self.string()?;
                put(out, b's', text.as_bytes());
                Some(())
            }
            _ => {
                let from = self.at;
                let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                let len = self.text[from..].iter().position(ends).unwrap_or(self.text.len() - from);
                self.at += len;
                put(out, b'v', &self.text[from..self.at]);
                Some(())
            }
        }
    }

    fn object(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let mut members: Vec<(String, Vec<u8>)> = Vec::new();
        self.inside(b'}', &mut |reader| {
            let name = reader.string()?;
            reader.space();
            reader.at += 1; // the colon
            let depth = reader.path.len();
            reader.space();
            let from = reader.at;
            let mut value = Vec::new();
            reader.path.push(name);
            let read = reader.value(&mut value);
            let name = reader.path.pop()?;
            read?;
            let raw = &reader.text[from..reader.at];
            reader.canon.notice(&reader.path, &name, raw);
            if depth > 0 || !reader.without.contains(&&*name) {
                members.push((name, value));
            }
            Some(())
        })?;
        // stable: members of one name keep their order
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        out.push(b'{');
        for (name, value) in members {
            put(out, b's', name.as_bytes());
            out.extend(value);
        }
        out.push(b'}');
        Some(())
    }

    fn array(&mut self, out: &mut Vec<u8>) -> Option<()> {
        out.push(b'[');
        self.path.push("[]".to_owned());
        self.inside(b']', &mut |reader| reader.value(out))?;
        self.path.pop();
        out.push(b']');
        Some(())
    }

    /// Reads what stands between commas, from an opening bracket to `close`.
    fn inside(&mut self, close: u8, each: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.path.len() >= DEEPEST {
            return None;
        }
        self.at += 1;
        loop {
            self.space();
            match self.text.get(self.at)? {
                b if *b == close => {
                    self.at += 1;
                    return Some(());
                }
                b',' => self.at += 1,
                _ => each(self)?,
            }
        }
    }

    /// The string that begins here, without escapes; `None` when it is none (a lone surrogate).
    fn string(&mut self) -> Option<String> {
        let from = self.at;
        self.at += 1;
        let mut escapes = false;
        loop {
            match self.text.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    escapes = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let whole = std::str::from_utf8(&self.text[from..self.at]).ok()?;
        if escapes { serde_json::from_str(whole).ok() } else { Some(whole[1..whole.len() - 1].to_owned()) }
    }

    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

/// A kind, a length and the bytes: nothing inside can look like what follows.
fn put(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend(bytes.len().to_string().into_bytes());
    out.push(b':');
    out.extend(bytes);
}
