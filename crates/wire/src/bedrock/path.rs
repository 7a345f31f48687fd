//! Which operation a method and path are.
//!
//! Paths are split raw, each label is decoded once. An ARN comes as one label, its slashes as `%2F`: an
//! ARN with literal slashes belongs to no operation here, nor at AWS. A trailing slash is significant.

use std::fmt;

use bedplate_core::call::Operation;
use bedplate_core::refusal::{Code, Refusal};

/// An operation and the labels of its path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    pub operation: Operation,
    /// What the path names, decoded: the model, guardrail, profile or invocation; empty when the
    /// operation names none.
    pub name: String,
    /// The version of a guardrail.
    pub version: Option<String>,
}

/// Why a path is no route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoRoute {
    /// No operation has this method and path.
    Unknown,
    /// A label of a known path cannot be: what is wrong with it.
    BadLabel(&'static str),
}

impl fmt::Display for NoRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the path belongs to no operation"),
            Self::BadLabel(why) => write!(f, "the path cannot be read: {why}"),
        }
    }
}

impl std::error::Error for NoRoute {}

impl From<NoRoute> for Refusal {
    fn from(e: NoRoute) -> Self {
        let code = match e {
            NoRoute::Unknown => Code::UnknownOperation,
            NoRoute::BadLabel(_) => Code::BadValue,
        };
        Self::new(code, e.to_string())
    }
}

const LABEL: usize = 2_048;
/// What CountTokens and the asynchronous operations allow.
const SHORT_LABEL: usize = 256;

impl Route {
    /// Reads a method and a raw, percent-encoded path without its query.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub fn of(method: &str, raw_path: &str) -> Result<Self, NoRoute> {
        let mut segments = raw_path.strip_prefix('/').ok_or(NoRoute::Unknown)?.split('/');
        let parts = [segments.next(), segments.next(), segments.next(), segments.next(), segments.next()];
        if segments.next().is_some() {
            return Err(NoRoute::Unknown);
        }
        match (method, parts) {
            ("POST", [Some("model"), Some(id), Some(verb), None, None]) => Self::model(id, verb),
            ("POST", [Some("guardrail"), Some(id), Some("version"), Some(version), Some("apply")]) => {
                let version = Some(label(version, SHORT_LABEL)?);
                Ok(Self { operation: Operation::ApplyGuardrail, name: label(id, LABEL)?, version })
            }
            ("POST", [Some("guardrail-checks"), Some("invoke"), None, ..]) => {
                Self::unnamed(Operation::InvokeGuardrailChecks)
            }
            ("GET", [Some("foundation-models"), None, ..]) => Self::unnamed(Operation::ListFoundationModels),
            ("GET", [Some("foundation-models"), Some(id), None, ..]) => {
                Self::named(Operation::GetFoundationModel, id, LABEL)
            }
            ("GET", [Some("inference-profiles"), None, ..]) => {
                Self::unnamed(Operation::ListInferenceProfiles)
            }
            ("GET", [Some("inference-profiles"), Some(id), None, ..]) => {
                Self::named(Operation::GetInferenceProfile, id, LABEL)
            }
            ("POST", [Some("async-invoke"), None, ..]) => Self::unnamed(Operation::StartAsyncInvoke),
            ("GET", [Some("async-invoke"), None, ..]) => Self::unnamed(Operation::ListAsyncInvokes),
            ("GET", [Some("async-invoke"), Some(arn), None, ..]) => {
                Self::named(Operation::GetAsyncInvoke, arn, LABEL)
            }
            _ => Err(NoRoute::Unknown),
        }
    }

    fn model(id: &str, verb: &str) -> Result<Self, NoRoute> {
        let operation = match verb {
            "converse" => Operation::Converse,
            "converse-stream" => Operation::ConverseStream,
            "invoke" => Operation::InvokeModel,
            "invoke-with-response-stream" => Operation::InvokeModelWithResponseStream,
            "invoke-with-bidirectional-stream" => Operation::InvokeModelWithBidirectionalStream,
            "count-tokens" => return Self::named(Operation::CountTokens, id, SHORT_LABEL),
            _ => return Err(NoRoute::Unknown),
        };
        Self::named(operation, id, LABEL)
    }

    fn unnamed(operation: Operation) -> Result<Self, NoRoute> {
        Ok(Self { operation, name: String::new(), version: None })
    }

    fn named(operation: Operation, raw: &str, most: usize) -> Result<Self, NoRoute> {
        // `/foundation-models/` is not the list with a slash behind it
        if raw.is_empty() {
            return Err(NoRoute::Unknown);
        }
        Ok(Self { operation, name: label(raw, most)?, version: None })
    }
}

/// A name in a path, decoded once.
///
/// # Errors
/// [`NoRoute::BadLabel`].
pub fn name(raw: &str) -> Result<String, NoRoute> {
    label(raw, LABEL)
}

/// Decodes a label once; `most` counts characters.
fn label(raw: &str, most: usize) -> Result<String, NoRoute> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [byte, tail @ ..] = rest {
        let (byte, tail) = match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => return Err(NoRoute::BadLabel("a percent sign begins no escape")),
            },
            (b'%', _) => return Err(NoRoute::BadLabel("a percent sign begins no escape")),
            (byte, tail) => (*byte, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    let text = String::from_utf8(bytes).map_err(|_| NoRoute::BadLabel("a name is not UTF-8"))?;
    if text.is_empty() {
        return Err(NoRoute::BadLabel("a name is empty"));
    }
    if text == "." || text == ".." {
        return Err(NoRoute::BadLabel("a name is a dot segment"));
    }
    if text.chars().any(char::is_control) {
        return Err(NoRoute::BadLabel("a name has control characters"));
    }
    if text.len() > most && text.chars().count() > most {
        return Err(NoRoute::BadLabel("a name is too long"));
    }
    Ok(text)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_decoded_once() {
        let route = Route::of(
            "POST",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0/converse",
        )
        .unwrap();
        assert_eq!(route.name, "arn:aws:bedrock:us-east-1:1:inference-profile/us.x-v1:0");
        assert_eq!(Route::of("POST", "/model/a%253A0/invoke").unwrap().name, "a%3A0");
    }

    #[test]
    fn slashes_methods_and_tails_matter() {
        for (method, path) in [
            ("GET", "/model/a/converse"),
            ("POST", "/model/a/converse/"),
            ("POST", "/model//converse"),
            ("POST", "//model/a/converse"),
            ("POST", "/model/arn:aws:x/y/converse"),
            ("POST", "/Model/a/converse"),
            ("GET", "/foundation-models/"),
            ("POST", "/foundation-models"),
            ("POST", "model/a/converse"),
            ("POST", "/"),
            ("POST", ""),
            ("POST", "/model/a/b/c/d/e/f"),
            ("POST", "/guardrail//version/1/apply/"),
        ] {
            assert_eq!(Route::of(method, path), Err(NoRoute::Unknown), "{method} {path}");
        }
    }

    #[test]
    fn impossible_labels_are_refused() {
        let long = "a".repeat(2_049);
        for bad in ["%", "%4", "%zz", "%00", "%0A", "%ff", ".", "%2e%2E", &long] {
            let path = format!("/model/{bad}/converse");
            assert!(matches!(Route::of("POST", &path), Err(NoRoute::BadLabel(_))), "{path}");
        }
        assert!(Route::of("POST", &format!("/model/{}/converse", "%C3%A9".repeat(2_048))).is_ok());
        assert!(Route::of("POST", &format!("/model/{}/count-tokens", "a".repeat(257))).is_err());
        assert!(matches!(Route::of("POST", "/guardrail//version/1/apply"), Err(NoRoute::BadLabel(_))));
    }
}
