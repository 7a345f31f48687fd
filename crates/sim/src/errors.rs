//! Errors as Bedrock writes them: the type in `x-amzn-errortype`, the text in the body.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

/// An error answer: status, type, text, and what a few types add.
#[derive(Clone, Debug)]
pub(crate) struct AwsError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) extra: Vec<(&'static str, Value)>,
    pub(crate) retry_after: Option<Duration>,
}

impl AwsError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), extra: Vec::new(), retry_after: None }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationException", message)
    }

    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "SerializationException", message)
    }

    pub(crate) fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "IncompleteSignatureException", message)
    }

    pub(crate) fn invalid_signature(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "InvalidSignatureException", message)
    }

    pub(crate) fn unrecognized_client() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    pub(crate) fn missing_token() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    }

    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    }

    pub(crate) fn end_of_life() -> Self {
        Self::not_found(
            "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
        )
    }

    /// An address that no operation has.
    pub(crate) fn unknown_operation() -> Self {
        Self::new(StatusCode::NOT_FOUND, "UnknownOperationException", "")
    }

    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", "Request Entity Too Large")
    }

    pub(crate) fn throttled(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "ThrottlingException", message)
    }

    pub(crate) fn not_ready() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "ModelNotReadyException",
            "Model is not ready for inference. Wait and try your request again.",
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        )
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailableException",
            "Too many connections, please wait before trying again.",
        )
    }

    pub(crate) fn model_timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "ModelTimeoutException",
            "Model has timed out in processing the request. Try your request again.",
        )
    }

    pub(crate) fn model_error(model: &str) -> Self {
        let mut e = Self::new(
            StatusCode::FAILED_DEPENDENCY,
            "ModelErrorException",
            "The system encountered an unexpected error during processing. Try your request again.",
        );
        e.extra.push(("originalStatusCode", json!(500)));
        e.extra.push(("resourceName", json!(model)));
        e
    }

    /// The type as the header has it: the service's own errors name where they come from, those of the
    /// front end in front of it do not.
    pub(crate) fn header(&self) -> String {
        let front = ["Signature", "Client", "Token", "Operation", "Entity", "Serialization"];
        if front.iter().any(|f| self.code.contains(f)) {
            return self.code.to_string();
        }
        format!("{}:http://internal.amazon.com/coral/com.amazon.bedrock/", self.code)
    }

    /// The answer's body.
    pub(crate) fn body(&self) -> Value {
        if self.code == "UnknownOperationException" {
            return json!({ "Output": { "__type": "com.amazon.coral.service#UnknownOperationException" }, "Version": "1.0" });
        }
        let mut body = Map::new();
        body.insert("message".into(), json!(self.message));
        body.extend(self.extra.iter().map(|(name, value)| ((*name).to_string(), value.clone())));
        Value::Object(body)
    }
}
