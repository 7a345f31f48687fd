//! `bedplate config reference`: the page of every section and key, made of the schema that describes
//! what the file's reader takes. `docs/configuration.md` is this page.

mod examples;

use std::fmt::{self, Write};
use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::out::say;
use crate::settings::Settings;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let page = page().map_err(Failure::bug)?;
    say(page.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

const INTRODUCTION: &str = "\
# Configuration

<!-- made by `bedplate config reference > docs/configuration.md` -->

One file, `bedplate.toml`, in the project directory. Every section and key has a default, so that no file at all is a
working configuration: the simulator behind port 8080. `bedplate check` says every problem with its line and the nearest
right name; a key that is not in these tables is a problem. The same in a form for editors:
[config.schema.json](config.schema.json). A file with everything in it: [bedplate.toml](../examples/bedplate.toml).

- **time**: a whole number and `ms`, `s`, `m`, `h` or `d`: `\"30s\"`.
- **size**: a whole number and `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB` or `GB`: `\"1MiB\"`.
- **secret**: never written here, only where it is: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`.

A running bedplate takes up the file, and those that it names, within three seconds of a change, and at once on `SIGHUP`. What
is good is taken up as a whole; calls that have begun keep the configuration they began with. What is bad changes nothing;
the log and `/metrics` say so. `[listen]`, `[limits] connections`, `[store]`, `[log]`, `[metrics]`, `[emf]`, `[cloudwatch]`,
`[traces]`, `[[notify]]`, `[sim]`, and of `[cache]` all but its rules, are taken up at the next start, and the log says so.
";

fn page() -> Result<String, fmt::Error> {
    let schema = schemars::schema_for!(Settings);
    let mut page = Page { definitions: schema.get("$defs"), out: INTRODUCTION.to_owned() };
    for (name, node) in members(schema.as_value()) {
        page.section(name, node)?;
    }
    Ok(page.out)
}

struct Page<'a> {
    definitions: Option<&'a Value>,
    out: String,
}

impl<'a> Page<'a> {
    /// A heading, an example, a table of keys, and the sections below it.
    fn section(&mut self, path: &str, node: &'a Value) -> fmt::Result {
        let (table, many) = self.table_of(node);
        let heading = if many { format!("[[{path}]]") } else { format!("[{path}]") };
        writeln!(self.out, "\n## `{heading}`\n")?;
        if let Some(said) = description(node).or_else(|| description(table)) {
            writeln!(self.out, "{said}\n")?;
        }
        if let Some((example, not_run)) = examples::of(path) {
            if let Some(why) = not_run {
                writeln!(self.out, "<!-- not run: {why} -->")?;
            }
            writeln!(self.out, "```toml\n{}\n```\n", example.trim())?;
        }
        writeln!(self.out, "| key | type | default | meaning |\n|---|---|---|---|")?;
        let required = required(table);
        let mut below = Vec::new();
        for (name, node) in members(table) {
            let (inner, many) = self.table_of(node);
            let (kind, default) = if members(inner).next().is_some() {
                let path = format!("{path}.{name}");
                let kind =
                    if many { format!("sections `[[{path}]]`") } else { format!("section `[{path}]`") };
                below.push((path, node));
                (kind, String::new())
            } else if required.contains(&name.as_str()) {
                (self.kind(node), "required".to_owned())
            } else {
                (self.kind(node), node.get("default").map_or_else(String::new, default))
            };
            writeln!(self.out, "| `{name}` | {kind} | {default} | {} |", self.meaning(node))?;
        }
        below.into_iter().try_for_each(|(path, node)| self.section(&path, node))
    }

    /// The node that lists the keys of a section, and whether the section may stand there many times.
    fn table_of(&self, node: &'a Value) -> (&'a Value, bool) {
        let node = self.resolved(node);
        match node.get("items") {
            Some(items) => (self.resolved(items), true),
            None => (node, false),
        }
    }

    fn resolved(&self, node: &'a Value) -> &'a Value {
        let name = |node: &'a Value| node.get("$ref")?.as_str()?.strip_prefix("#/$defs/");
        let optional = node.get("anyOf").and_then(|any| any.get(0)).unwrap_or(node);
        name(optional).and_then(|name| self.definitions?.get(name)).unwrap_or(optional)
    }

    /// What a value looks like.
    fn kind(&self, node: &'a Value) -> String {
        let optional = node.get("anyOf").and_then(|any| any.get(0)).unwrap_or(node);
        match optional.get("$ref").and_then(Value::as_str) {
            Some("#/$defs/Span") => return "time".to_owned(),
            Some("#/$defs/Size") => return "size".to_owned(),
            Some("#/$defs/SecretRef") => return "secret".to_owned(),
            _ => {}
        }
        let node = self.resolved(node);
        if let Some(forms) = node.get("oneOf").and_then(Value::as_array) {
            return alternatives(forms.iter().flat_map(|form| self.form(form)).collect());
        }
        if let Some(items) = node.get("items") {
            return format!("list: {}", self.kind(items));
        }
        if let Some(values) = node.get("additionalProperties").filter(|v| v.is_object()) {
            return format!("table: {}", self.kind(values));
        }
        let name = node.get("type").map(|t| t.get(0).unwrap_or(t));
        match name.and_then(Value::as_str) {
            Some("string") => "text",
            Some("integer") => "whole number",
            Some("number") => "number",
            Some("boolean") => "`true` or `false`",
            Some("object") => "table",
            _ => "",
        }
        .to_owned()
    }

    /// One way to write a value that can be written in several.
    fn form(&self, form: &'a Value) -> Vec<String> {
        if let Some(word) = form.get("const") {
            return vec![format!("`{word}`")];
        }
        if let Some(words) = form.get("enum").and_then(Value::as_array) {
            return words.iter().map(|word| format!("`{word}`")).collect();
        }
        if form.get("type").and_then(Value::as_str) == Some("string") {
            return vec!["text".to_owned()];
        }
        let all: Vec<String> =
            members(form).map(|(name, node)| format!("{name} = {}", self.kind(node))).collect();
        vec![format!("`{{ {} }}`", all.join(", "))]
    }

    /// What a key means, and each of its words.
    fn meaning(&self, node: &'a Value) -> String {
        let resolved = self.resolved(node);
        let said = description(node).or_else(|| description(resolved));
        let mut said = said.or_else(|| description(self.table_of(node).0)).unwrap_or_default();
        for form in resolved.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(word), Some(meaning)) = (form.get("const"), description(form)) {
                let _ = write!(said, "<br>`{word}`: {meaning}");
            }
        }
        said.replace('|', "\\|")
    }
}

fn members(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    node.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn required(node: &Value) -> Vec<&str> {
    node.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// On one line, without the brackets that make links in Rust's own documentation.
fn description(node: &Value) -> Option<String> {
    let said = node.get("description")?.as_str()?;
    let said = said.replace('\n', " ").replace("[`Sim`](crate::Sim)", "the simulator");
    // `[log]` alone says nothing that the heading does not
    (!said.starts_with("`[")).then_some(said)
}

fn alternatives(mut forms: Vec<String>) -> String {
    match forms.pop() {
        Some(last) if !forms.is_empty() => format!("{} or {last}", forms.join(", ")),
        Some(only) => only,
        None => String::new(),
    }
}

/// A default as TOML writes it.
fn default(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::Array(items) if items.len() > 3 => {
            format!("{} of them: `bedplate config schema`", items.len())
        }
        value => format!("`{}`", toml(value)),
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<_> = members.iter().map(|(k, v)| format!("{k} = {}", toml(v))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_pages_are_the_ones_that_the_binary_makes() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Settings)).unwrap();
        for (file, made, command) in
            [("configuration.md", page().unwrap(), "reference"), ("config.schema.json", schema, "schema")]
        {
            let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
            let kept = std::fs::read_to_string(docs.join(file)).unwrap_or_default();
            assert!(
                kept.trim_end() == made.trim_end(),
                "docs/{file} is not what the code says: run `bedplate config {command} > docs/{file}`"
            );
        }
    }

    #[test]
    fn the_sample_has_every_section_and_is_good() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let sample = std::fs::read_to_string(root.join("examples/bedplate.toml")).unwrap();
        let settings = Settings::read(&sample).unwrap();
        assert_eq!(settings.problems(&root.join("examples")), []);
        let json = |settings: &Settings| serde_json::to_value(settings).unwrap();
        assert_eq!(json(&settings), json(&Settings::read("").unwrap()), "the sample shows the defaults");
        for (name, _) in members(schemars::schema_for!(Settings).as_value()) {
            assert!(sample.contains(&format!("[{name}]")), "examples/bedplate.toml has no `[{name}]`");
        }
    }

    #[test]
    fn every_section_has_an_example_that_reads() {
        let page = page().unwrap();
        let headings =
            page.lines().filter_map(|line| line.strip_prefix("## `")).map(|h| h.trim_end_matches('`'));
        for heading in headings {
            let path = heading.trim_matches(['[', ']']);
            let (example, _) = examples::of(path).unwrap_or_else(|| panic!("`{heading}` has no example"));
            assert!(example.contains(heading), "the example of `{heading}` is about something else");
            Settings::read(example).unwrap_or_else(|e| panic!("the example of `{heading}`: {e}"));
        }
    }

    #[test]
    fn every_key_says_what_it_means() {
        let page = page().unwrap();
        let silent: Vec<_> = page.lines().filter(|line| line.ends_with("|  |")).collect();
        assert_eq!(silent, [""; 0]);
    }
}
