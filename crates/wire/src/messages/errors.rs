//! Errors that break off a stream: between streams of different forms they go by AWS's names.

/// Kinds of errors, and AWS's nearest name.
const KINDS: &[(&str, &str)] = &[
    ("invalid_request_error", "ValidationException"),
    ("authentication_error", "UnrecognizedClientException"),
    ("billing_error", "ServiceQuotaExceededException"),
    ("permission_error", "AccessDeniedException"),
    ("not_found_error", "ResourceNotFoundException"),
    ("request_too_large", "RequestEntityTooLargeException"),
    ("rate_limit_error", "ThrottlingException"),
    ("timeout_error", "ModelTimeoutException"),
    ("overloaded_error", "ServiceUnavailableException"),
    ("api_error", "InternalServerException"),
];

/// AWS's name for a kind of error.
pub(super) fn aws_name(kind: &str) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("InternalServerException", |(_, name)| name)
}

/// The kind of an error that has AWS's name, or the vendor's own.
pub(super) fn kind_of(name: &str) -> &'static str {
    match name {
        "ModelNotReadyException" => return "overloaded_error",
        "TooManyRequestsException" => return "rate_limit_error",
        _ => {}
    }
    KINDS.iter().find(|(kind, aws)| *kind == name || *aws == name).map_or("api_error", |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_a_way_through_names_of_aws() {
        for (kind, name) in KINDS {
            assert_eq!((aws_name(kind), kind_of(name), kind_of(kind)), (*name, *kind, *kind));
        }
        assert_eq!(
            (kind_of("ModelStreamErrorException"), aws_name("novel")),
            ("api_error", "InternalServerException")
        );
    }
}
