//! A value that a JSON Schema allows, drawn from the prompt where names match.

mod find;

use serde_json::{Map, Number, Value, json};

use crate::seed::Rng;
use find::Source;

/// How deep a schema may nest before nothing more is filled in.
const DEPTH: usize = 16;

/// Fills `schema` from `text`. When `wrong`, one value is off, but still one that the schema allows
/// where it leaves room.
pub(crate) fn fill(schema: &Value, text: &str, question: &str, wrong: bool, rng: &mut Rng) -> Value {
    let mut filler = Filler { root: schema, source: Source::new(text, question), wrong, rng };
    filler.value(schema, "", 0)
}

struct Filler<'a> {
    root: &'a Value,
    source: Source,
    /// One error is still to be made.
    wrong: bool,
    rng: &'a mut Rng,
}

impl Filler<'_> {
    fn value(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > DEPTH {
            return Value::Null;
        }
        if let Some(known) = schema.get("const") {
            return known.clone();
        }
        if let Some(list) = schema["enum"].as_array() {
            return self.one_of(list, name);
        }
        if let Some(path) = schema["$ref"].as_str() {
            let root = self.root;
            let target = path.strip_prefix('#').and_then(|p| root.pointer(p));
            return target.map_or(Value::Null, |t| self.value(t, name, depth + 1));
        }
        if let Some(first) = ["anyOf", "oneOf"]
            .iter()
            .find_map(|k| schema[*k].as_array()?.iter().find(|s| s["type"] != json!("null")).cloned())
        {
            return self.value(&first, name, depth + 1);
        }
        if let Some(all) = schema["allOf"].as_array() {
            let mut merged = Map::new();
            for part in all {
                if let Value::Object(o) = self.value(part, name, depth + 1) {
                    merged.extend(o);
                }
            }
            return Value::Object(merged);
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => self.number(schema, name, true),
            "number" => self.number(schema, name, false),
            "boolean" => json!(self.source.says(name) != self.take_wrong()),
            "null" => Value::Null,
            _ => self.string(schema, name),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut out = Map::new();
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, inner) in properties {
            let must = required.contains(&name.as_str());
            // what is optional is filled in only when the prompt has something for it
            if must || required.is_empty() || self.source.has(name) {
                out.insert(name.clone(), self.value(inner, name, depth + 1));
            }
        }
        for name in required {
            out.entry(name).or_insert_with(|| json!(""));
        }
        Value::Object(out)
    }

    fn array(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap_or(0);
        let most = usize::try_from(schema["maxItems"].as_u64().unwrap_or(3)).unwrap_or(3);
        let items = &schema["items"];
        if kind(items) == "string" && items.get("enum").is_none() {
            let mut words = self.source.list(name, most.max(least).clamp(1, 3));
            while words.len() < least {
                words.push(format!("{name} {}", words.len() + 1));
            }
            words.truncate(most);
            if self.take_wrong() {
                words.pop();
                words.insert(0, "other".into());
                words.truncate(most);
            }
            return json!(words);
        }
        let n = least.max(1).min(most);
        Value::Array((0..n).map(|_| self.value(items, name, depth + 1)).collect())
    }

    fn one_of(&mut self, list: &[Value], name: &str) -> Value {
        let found = list.iter().find(|v| v.as_str().is_some_and(|s| self.source.mentions(s)));
        let drawn = found.cloned().or_else(|| {
            let n = self.rng.below(list.len());
            list.get(if self.source.has(name) { 0 } else { n }).cloned()
        });
        let right = drawn.unwrap_or(Value::Null);
        if self.take_wrong() {
            return list.iter().find(|v| **v != right).cloned().unwrap_or(right);
        }
        right
    }

    fn number(&mut self, schema: &Value, name: &str, whole: bool) -> Value {
        let low = schema["minimum"].as_f64().or(schema["exclusiveMinimum"].as_f64().map(|n| n + 1.0));
        let high = schema["maximum"].as_f64().or(schema["exclusiveMaximum"].as_f64().map(|n| n - 1.0));
        let mut n = self.source.number(name).unwrap_or(low.unwrap_or(0.0));
        if self.take_wrong() {
            n += 1.0;
        }
        let n = n.max(low.unwrap_or(f64::MIN)).min(high.unwrap_or(f64::MAX));
        let n = if whole { n.round() } else { n };
        if n.fract() == 0.0 && n.abs() < 9e15 {
            #[expect(clippy::cast_possible_truncation, reason = "checked: whole and small enough")]
            return json!(n as i64);
        }
        Number::from_f64(n).map_or(json!(0), Value::Number)
    }

    fn string(&mut self, schema: &Value, name: &str) -> Value {
        let format = schema["format"].as_str().unwrap_or_default();
        let mut text = match format {
            "date" => self.source.date().unwrap_or_else(|| "2026-01-01".into()),
            "date-time" => format!("{}T00:00:00Z", self.source.date().unwrap_or_else(|| "2026-01-01".into())),
            "email" => self.source.email().unwrap_or_else(|| "unknown@example.com".into()),
            "uuid" => "00000000-0000-4000-8000-000000000000".into(),
            "uri" | "url" => self.source.url().unwrap_or_else(|| "https://example.com/".into()),
            _ => self.source.string(name),
        };
        if self.take_wrong() && format.is_empty() {
            text = format!("not {text}");
        }
        let least = usize::try_from(schema["minLength"].as_u64().unwrap_or(0)).unwrap_or(0);
        while text.chars().count() < least {
            text.push('x');
        }
        if let Some(most) = schema["maxLength"].as_u64().and_then(|n| usize::try_from(n).ok()) {
            text = text.chars().take(most).collect();
        }
        json!(text)
    }

    /// True once, when an error is due.
    fn take_wrong(&mut self) -> bool {
        std::mem::take(&mut self.wrong)
    }
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(s) => s,
        Value::Array(all) => all.iter().filter_map(Value::as_str).find(|t| *t != "null").unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(schema: Value, text: &str, wrong: bool) -> Value {
        fill(&schema, text, text, wrong, &mut Rng::new(1))
    }

    #[test]
    fn values_come_from_the_prompt() {
        let schema = json!({
            "type": "object",
            "properties": {
                "order_id": {"type": "string"}, "quantity": {"type": "integer"}, "colour": {"enum": ["red", "blue"]},
                "email": {"type": "string", "format": "email"}, "due": {"type": "string", "format": "date"},
                "urgent": {"type": "boolean"}
            },
            "required": ["order_id", "quantity", "colour", "email", "due", "urgent"], "additionalProperties": false
        });
        let text = "Order A-77, quantity: 3, a blue one, urgent, for ada@example.com by 2026-12-01.";
        assert_eq!(
            filled(schema.clone(), text, false),
            json!({"order_id": "A-77", "quantity": 3, "colour": "blue", "email": "ada@example.com", "due": "2026-12-01", "urgent": true})
        );
        let wrong = filled(schema, text, true);
        assert_ne!(wrong["order_id"], json!("A-77"));
        assert_eq!(wrong["quantity"], json!(3));
    }

    #[test]
    fn bounds_refs_and_unions_hold() {
        let schema = json!({
            "type": "object", "required": ["n", "s", "r", "u", "l"],
            "properties": {
                "n": {"type": "integer", "minimum": 5, "maximum": 9}, "s": {"type": "string", "minLength": 3, "maxLength": 4},
                "r": {"$ref": "#/$defs/x"}, "u": {"anyOf": [{"type": "null"}, {"const": 4}]},
                "l": {"type": "array", "items": {"type": "string"}, "minItems": 2}
            },
            "$defs": {"x": {"type": ["string", "null"], "enum": ["only"]}}
        });
        let v = filled(schema, "nothing here", false);
        assert_eq!((&v["n"], &v["r"], &v["u"]), (&json!(5), &json!("only"), &json!(4)));
        assert!(v["l"].as_array().unwrap().len() >= 2);
        assert!((3..=4).contains(&v["s"].as_str().unwrap().chars().count()));
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]});
        assert!(filled(schema, "x", false).is_object());
    }
}
