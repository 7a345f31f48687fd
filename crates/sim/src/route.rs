//! Which operation a method and a raw path name. Labels are decoded once, after the path is split.

use http::Method;

/// An operation with its labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Converse { model: String },
    ConverseStream { model: String },
    InvokeModel { model: String },
    InvokeModelWithResponseStream { model: String },
    CountTokens { model: String },
    ApplyGuardrail { id: String, version: String },
    InvokeGuardrailChecks,
    ListFoundationModels,
    GetFoundationModel { id: String },
    ListInferenceProfiles,
    GetInferenceProfile { id: String },
    StartAsyncInvoke,
    GetAsyncInvoke { arn: String },
    ListAsyncInvokes,
}

impl Operation {
    /// The operation at `path` (raw, still percent-encoded), or none.
    pub(crate) fn find(method: &Method, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let post = method == Method::POST;
        let get = method == Method::GET;
        Some(match parts.as_slice() {
            ["model", id, "converse"] if post => Self::Converse { model: label(id)? },
            ["model", id, "converse-stream"] if post => Self::ConverseStream { model: label(id)? },
            ["model", id, "invoke"] if post => Self::InvokeModel { model: label(id)? },
            ["model", id, "invoke-with-response-stream"] if post => {
                Self::InvokeModelWithResponseStream { model: label(id)? }
            }
            ["model", id, "count-tokens"] if post => Self::CountTokens { model: label(id)? },
            ["guardrail", id, "version", version, "apply"] if post => {
                Self::ApplyGuardrail { id: label(id)?, version: label(version)? }
            }
            ["guardrail-checks", "invoke"] if post => Self::InvokeGuardrailChecks,
            ["foundation-models"] if get => Self::ListFoundationModels,
            ["foundation-models", id] if get => Self::GetFoundationModel { id: label(id)? },
            ["inference-profiles"] if get => Self::ListInferenceProfiles,
            ["inference-profiles", id] if get => Self::GetInferenceProfile { id: label(id)? },
            ["async-invoke"] if post => Self::StartAsyncInvoke,
            ["async-invoke"] if get => Self::ListAsyncInvokes,
            ["async-invoke", arn] if get => Self::GetAsyncInvoke { arn: label(arn)? },
            _ => return None,
        })
    }

    /// The API's name for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Converse { .. } => "Converse",
            Self::ConverseStream { .. } => "ConverseStream",
            Self::InvokeModel { .. } => "InvokeModel",
            Self::InvokeModelWithResponseStream { .. } => "InvokeModelWithResponseStream",
            Self::CountTokens { .. } => "CountTokens",
            Self::ApplyGuardrail { .. } => "ApplyGuardrail",
            Self::InvokeGuardrailChecks => "InvokeGuardrailChecks",
            Self::ListFoundationModels => "ListFoundationModels",
            Self::GetFoundationModel { .. } => "GetFoundationModel",
            Self::ListInferenceProfiles => "ListInferenceProfiles",
            Self::GetInferenceProfile { .. } => "GetInferenceProfile",
            Self::StartAsyncInvoke => "StartAsyncInvoke",
            Self::GetAsyncInvoke { .. } => "GetAsyncInvoke",
            Self::ListAsyncInvokes => "ListAsyncInvokes",
        }
    }

    /// The model id in the path, for those that have one.
    pub(crate) fn model(&self) -> Option<&str> {
        match self {
            Self::Converse { model }
            | Self::ConverseStream { model }
            | Self::InvokeModel { model }
            | Self::InvokeModelWithResponseStream { model }
            | Self::CountTokens { model } => Some(model),
            _ => None,
        }
    }
}

/// Undoes percent-encoding; none when it is broken or empty.
pub(crate) fn label(raw: &str) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let hex = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok().filter(|s| !s.is_empty())
}

/// The pairs of a query string, decoded.
pub(crate) fn query(raw: &str) -> Vec<(String, String)> {
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = if value.is_empty() { Some(String::new()) } else { label(&value.replace('+', " ")) };
            Some((label(name)?, value?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_slash_stays_in_its_label() {
        let path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/converse";
        let model = "arn:aws:bedrock:us-east-1:1:inference-profile/us.x".to_string();
        assert_eq!(Operation::find(&Method::POST, path), Some(Operation::Converse { model }));
    }

    #[test]
    fn other_paths_and_methods_name_nothing() {
        for (method, path) in [
            (Method::GET, "/model/a/converse"),
            (Method::POST, "/model/a/b/converse"),
            (Method::POST, "/model//converse"),
            (Method::POST, "/model/%zz/converse"),
            (Method::POST, "/model/a/converse/"),
            (Method::GET, "/"),
        ] {
            assert_eq!(Operation::find(&method, path), None, "{path}");
        }
    }

    #[test]
    fn queries_decode() {
        let pairs = query("type=SYSTEM_DEFINED&a=b%3Dc+d&e");
        assert_eq!(pairs[1], ("a".into(), "b=c d".into()));
        assert_eq!(pairs[2], ("e".into(), String::new()));
    }
}
