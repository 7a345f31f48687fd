//! Request shapes and their constraints, checked the way AWS's front end checks them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::errors::AwsError;

/// What a member may hold.
pub(crate) enum Shape {
    /// Least and most characters.
    Text(usize, usize),
    Int(i64, i64),
    Float(f64, f64),
    Bool,
    Enum(&'static [&'static str]),
    /// Base64.
    Bytes,
    /// A map of texts: most pairs, longest key, longest value.
    Map(usize, usize, usize),
    Any,
    /// Items, with the least and the most of them.
    List(&'static Shape, usize, usize),
    /// Members: name, whether it must be there, what it holds. Others are let through.
    Struct(&'static [(&'static str, bool, &'static Shape)]),
    /// Exactly one of these members.
    Union(&'static [(&'static str, &'static Shape)]),
}

impl Shape {
    pub(crate) const TEXT: Shape = Shape::Text(0, usize::MAX);
}

/// Checks a body.
///
/// # Errors
/// SerializationException for a wrong JSON type, ValidationException that names all broken constraints.
pub(crate) fn check(body: &Value, shape: &Shape) -> Result<(), AwsError> {
    let mut broken = Vec::new();
    walk(body, shape, "", &mut broken)?;
    report(broken)
}

/// One ValidationException for all of `broken`, AWS's way.
pub(crate) fn report(broken: Vec<String>) -> Result<(), AwsError> {
    match broken.len() {
        0 => Ok(()),
        1 => Err(AwsError::validation(format!("1 validation error detected: {}", broken[0]))),
        n => Err(AwsError::validation(format!("{n} validation errors detected: {}", broken.join("; ")))),
    }
}

fn walk(value: &Value, shape: &Shape, path: &str, broken: &mut Vec<String>) -> Result<(), AwsError> {
    let mut must = |what: String| {
        let shown = match value {
            Value::String(_) | Value::Number(_) => format!("Value '{}' at", crate::prompt::plain(value)),
            _ => "Value at".to_string(),
        };
        broken.push(format!("{shown} '{path}' failed to satisfy constraint: Member must {what}"));
    };
    match shape {
        Shape::Any => {}
        Shape::Bool => {
            value.as_bool().ok_or_else(|| mismatch(value, "Boolean"))?;
        }
        Shape::Text(least, most) => {
            let n = value.as_str().ok_or_else(|| mismatch(value, "String"))?.chars().count();
            if n < *least {
                must(format!("have length greater than or equal to {least}"));
            } else if n > *most {
                must(format!("have length less than or equal to {most}"));
            }
        }
        Shape::Int(low, high) => {
            let n = whole(value).ok_or_else(|| mismatch(value, "Integer"))?;
            if n < *low {
                must(format!("have value greater than or equal to {low}"));
            } else if n > *high {
                must(format!("have value less than or equal to {high}"));
            }
        }
        Shape::Float(low, high) => {
            let n = value.as_f64().ok_or_else(|| mismatch(value, "Float"))?;
            if n < *low {
                must(format!("have value greater than or equal to {low}"));
            } else if n > *high {
                must(format!("have value less than or equal to {high}"));
            }
        }
        Shape::Enum(names) => {
            let text = value.as_str().ok_or_else(|| mismatch(value, "String"))?;
            if !names.contains(&text) {
                must(format!("satisfy enum value set: [{}]", names.join(", ")));
            }
        }
        Shape::Bytes => {
            let text = value.as_str().ok_or_else(|| mismatch(value, "byte[]"))?;
            match STANDARD.decode(text) {
                Ok(bytes) if bytes.is_empty() => must("have length greater than or equal to 1".into()),
                Ok(_) => {}
                Err(_) => return Err(AwsError::serialization("Invalid base64-encoded value in blob member")),
            }
        }
        Shape::Map(..) => map(value, shape, path, broken)?,
        Shape::List(item, least, most) => {
            let list = value.as_array().ok_or_else(|| mismatch(value, "list"))?;
            if list.len() < *least {
                must(format!("have length greater than or equal to {least}"));
            } else if list.len() > *most {
                must(format!("have length less than or equal to {most}"));
            }
            for (i, v) in list.iter().enumerate() {
                walk(v, item, &format!("{path}.{}.member", i + 1), broken)?;
            }
        }
        Shape::Struct(members) => {
            let object = value.as_object().ok_or_else(|| mismatch(value, "structure"))?;
            for (name, required, inner) in *members {
                let at = join(path, name);
                match object.get(*name).filter(|v| !v.is_null()) {
                    Some(v) => walk(v, inner, &at, broken)?,
                    None if *required => broken.push(format!(
                        "Value at '{at}' failed to satisfy constraint: Member must not be null"
                    )),
                    None => {}
                }
            }
        }
        Shape::Union(members) => {
            let object = value.as_object().ok_or_else(|| mismatch(value, "structure"))?;
            let set: Vec<_> =
                members.iter().filter(|(name, _)| object.get(*name).is_some_and(|v| !v.is_null())).collect();
            let [(name, inner)] = set[..] else {
                let names: Vec<&str> = members.iter().map(|m| m.0).collect();
                return Err(AwsError::validation(format!(
                    "The format of the value at {} is invalid. Provide exactly one of the following members: {}.",
                    dotted(path),
                    names.join(", ")
                )));
            };
            walk(&object[*name], inner, &join(path, name), broken)?;
        }
    }
    Ok(())
}

fn map(value: &Value, shape: &Shape, path: &str, broken: &mut Vec<String>) -> Result<(), AwsError> {
    let Shape::Map(most, key, text) = shape else { return Ok(()) };
    let object = value.as_object().ok_or_else(|| mismatch(value, "map"))?;
    let mut must =
        |what: &str| broken.push(format!("Value at '{path}' failed to satisfy constraint: {what}"));
    if object.is_empty() {
        must("Member must have length greater than or equal to 1");
    }
    if object.len() > *most {
        must(&format!("Member must have length less than or equal to {most}"));
    }
    let fits = |s: &str| {
        s.chars().all(|c| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c))
    };
    for (name, v) in object {
        let v = v.as_str().ok_or_else(|| mismatch(v, "String"))?;
        if name.is_empty() || name.len() > *key || !fits(name) {
            must(
                "Map keys must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-zA-Z0-9\\s:_@$#=/+,-.]{1,256}]",
            );
        }
        if v.len() > *text || !fits(v) {
            must(
                "Map value must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: [a-zA-Z0-9\\s:_@$#=/+,-.]{0,256}]",
            );
        }
    }
    Ok(())
}

fn whole(value: &Value) -> Option<i64> {
    let fits = |f: &f64| f.fract() == 0.0 && f.abs() < 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "checked: whole and small enough")]
    value.as_i64().or_else(|| value.as_f64().filter(fits).map(|f| f as i64))
}

fn mismatch(value: &Value, wanted: &str) -> AwsError {
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(n) if n.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    AwsError::serialization(match wanted {
        "structure" | "list" | "map" => format!("Unexpected token {found}: expected a {wanted}"),
        _ => format!(
            "{found} can not be converted to {} {wanted}",
            if wanted == "Integer" { "an" } else { "a" }
        ),
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// `messages.1.member.content.1.member` as Bedrock's own texts write it: `messages.0.content.0`.
fn dotted(path: &str) -> String {
    let mut out = Vec::new();
    for part in path.split('.').filter(|p| *p != "member") {
        out.push(
            part.parse::<usize>().map_or_else(|_| part.to_string(), |n| (n.saturating_sub(1)).to_string()),
        );
    }
    out.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    static SHAPE: Shape = Shape::Struct(&[
        ("n", true, &Shape::Int(1, 9)),
        ("of", false, &Shape::List(&Shape::Union(&[("a", &Shape::TEXT), ("b", &Shape::Bool)]), 0, 2)),
    ]);

    #[test]
    fn constraints_read_like_aws() {
        let says = |v| check(&v, &SHAPE).map_err(|e| (e.code, e.message));
        assert_eq!(says(json!({"n": 3, "x": 1})), Ok(()));
        assert_eq!(
            says(json!({"n": 0})).unwrap_err().1,
            "1 validation error detected: Value '0' at 'n' failed to satisfy constraint: Member must have value greater than or equal to 1"
        );
        assert_eq!(
            says(json!({})).unwrap_err().1,
            "1 validation error detected: Value at 'n' failed to satisfy constraint: Member must not be null"
        );
        let e = says(json!({"n": "1"})).unwrap_err();
        assert_eq!(
            e,
            ("SerializationException", "STRING_VALUE can not be converted to an Integer".to_string())
        );
        assert!(says(json!({"n": 1, "of": [{"a": "x", "b": true}]})).unwrap_err().1.contains("of.0"));
        assert!(says(json!({"n": 1, "of": [{}]})).is_err());
    }
}
