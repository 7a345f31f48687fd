//! What went wrong with an attempt, and what follows from it.

use std::time::Duration;

use bedplate_core::call::Headers;
use bedplate_core::refusal::Code;

use super::breaker::Verdict;
use crate::provider::{Answer, AnswerBody, Failed};

/// An attempt that another one may make good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trouble {
    /// What it says about the target, to whoever waited long enough.
    says: Verdict,
    /// Whether the target was reached: what never came there says nothing about how much it can bear.
    pub(crate) reached: bool,
    /// Whether the same target may be asked again.
    pub(crate) again: bool,
    /// A quota was full: whoever asks elsewhere at once carries the storm there.
    pub(crate) throttled: bool,
    /// There is no room at any target of the alias.
    pub(crate) full: bool,
    /// It took the upstream long.
    pub(crate) slow: bool,
    /// How long the upstream would have us wait.
    pub(crate) hint: Option<Duration>,
}

impl Trouble {
    /// The breaker of the target is open: it was not asked.
    pub(crate) const OPEN: Self = Self {
        says: Verdict::Unknown,
        reached: true,
        again: false,
        throttled: false,
        full: false,
        slow: false,
        hint: None,
    };
    /// There is no room at any target: none was asked.
    pub(crate) const FULL: Self = Self { full: true, ..Self::OPEN };
    const ILL: Self = Self { says: Verdict::Ill, again: true, ..Self::OPEN };

    /// `None` for what goes to the caller: an answer, and what is wrong with the call itself.
    pub(crate) fn of(result: &Result<Answer, Failed>) -> Option<Self> {
        match result {
            Ok(Answer { body: AnswerBody::Whole(..), status, headers, .. }) => {
                Self::of_status(*status, hint(headers))
            }
            Ok(_) => None,
            Err(failed) => Self::of_code(failed.code),
        }
    }

    /// The same of an attempt that is over, `status` 0 when no answer came.
    pub(crate) fn of_end(status: u16, code: Option<Code>, ended: &End) -> Option<Self> {
        match (ended, status, code) {
            (End::Cut(code), ..) => match code {
                // it was the caller who read slowly, or the answer that was long
                Code::TotalTimeout => Some(Self::OPEN),
                code => Self::of_code(*code),
            },
            (End::Thrown(name), ..) => Self::of_status(status_of(name), None),
            (End::Unread, ..) | (End::Whole | End::Read, 0, None) => Some(Self::OPEN),
            (End::Whole | End::Read, 0, Some(code)) => Self::of_code(code),
            (End::Whole | End::Read, status, _) => Self::of_status(status, None),
        }
    }

    /// What it says about the target. One that was only too slow for a caller says nothing: others may wait longer.
    pub(crate) fn verdict(self, impatient: bool) -> Verdict {
        if self.slow && impatient { Verdict::Unknown } else { self.says }
    }

    fn of_status(status: u16, hint: Option<Duration>) -> Option<Self> {
        match status {
            429 => Some(Self { again: true, throttled: true, hint, ..Self::OPEN }),
            // the model made an error of this prompt; another may not
            424 => Some(Self::OPEN),
            408 => Some(Self { again: false, slow: true, ..Self::ILL }),
            500.. => Some(Self { hint, ..Self::ILL }),
            _ => None,
        }
    }

    fn of_code(code: Code) -> Option<Self> {
        match code {
            Code::BrokenAnswer => Some(Self::ILL),
            Code::Unreachable => Some(Self { reached: false, ..Self::ILL }),
            Code::ConnectTimeout => Some(Self { slow: true, reached: false, ..Self::ILL }),
            Code::FirstTokenTimeout | Code::IdleTimeout | Code::TotalTimeout => {
                Some(Self { again: false, slow: true, ..Self::ILL })
            }
            Code::NoUpstreamCredentials => Some(Self { again: false, reached: false, ..Self::ILL }),
            _ => None,
        }
    }
}

/// How the answer of an attempt ended.
pub(crate) enum End {
    /// It came in one piece, or not at all: then its status and its code say how it went.
    Whole,
    /// A stream was read to its end.
    Read,
    /// It stopped short, or there was no time left.
    Cut(Code),
    /// It carried an exception of this AWS name.
    Thrown(String),
    /// Nobody read it to its end.
    Unread,
}

impl End {
    /// The end of a stream: with a code, or after an exception, or well.
    pub(crate) fn of(code: Option<Code>, exception: Option<String>) -> Self {
        match (code, exception) {
            (_, Some(name)) => Self::Thrown(name),
            (Some(code), None) => Self::Cut(code),
            (None, None) => Self::Read,
        }
    }

    /// Whether it was a stream that began to be answered.
    pub(crate) fn streamed(&self) -> bool {
        !matches!(self, Self::Whole)
    }
}

/// The status that an exception would have had before the stream began.
fn status_of(exception: &str) -> u16 {
    match exception {
        "ThrottlingException" | "ModelNotReadyException" => 429,
        "ValidationException" | "ServiceQuotaExceededException" => 400,
        "AccessDeniedException" => 403,
        "ResourceNotFoundException" => 404,
        "ModelTimeoutException" => 408,
        "ModelStreamErrorException" | "ModelErrorException" => 424,
        _ => 500,
    }
}

/// `x-amz-retry-after` in milliseconds, else `retry-after` in seconds; a date is not read.
fn hint(headers: &Headers) -> Option<Duration> {
    let number = |name| headers.text(name)?.trim().parse::<u32>().ok().map(u64::from);
    number("x-amz-retry-after")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, headers: &[(&'static str, &'static str)]) -> Option<Trouble> {
        let mut all = Headers::default();
        headers.iter().for_each(|(name, value)| all.push(*name, *value));
        Trouble::of_status(status, super::hint(&all))
    }

    #[test]
    fn what_is_wrong_with_the_call_is_not_asked_again() {
        for status in [200, 400, 401, 402, 403, 404, 413, 422] {
            assert_eq!(said(status, &[]), None, "{status}");
        }
        for status in [429, 500, 502, 503, 504] {
            assert!(said(status, &[]).unwrap().again, "{status}");
        }
        for status in [408, 424] {
            assert!(!said(status, &[]).unwrap().again, "{status}");
        }
    }

    #[test]
    fn throttling_says_nothing_about_health() {
        assert_eq!(said(429, &[]).unwrap().verdict(false), Verdict::Unknown);
        assert_eq!(said(503, &[]).unwrap().verdict(false), Verdict::Ill);
    }

    #[test]
    fn the_end_of_a_stream_says_what_its_beginning_could_not() {
        let says = |ended: &End, impatient| {
            Trouble::of_end(200, None, ended).map_or(Verdict::Well, |trouble| trouble.verdict(impatient))
        };
        let thrown = |name: &str| End::Thrown(name.into());
        for (ended, expected) in [
            (End::Read, Verdict::Well),
            (End::Unread, Verdict::Unknown),
            (End::Cut(Code::IdleTimeout), Verdict::Ill),
            (End::Cut(Code::BrokenAnswer), Verdict::Ill),
            (End::Cut(Code::TotalTimeout), Verdict::Unknown),
            (thrown("InternalServerException"), Verdict::Ill),
            (thrown("ServiceUnavailableException"), Verdict::Ill),
            (thrown("ModelTimeoutException"), Verdict::Ill),
            (thrown("ThrottlingException"), Verdict::Unknown),
            (thrown("ModelStreamErrorException"), Verdict::Unknown),
        ] {
            assert_eq!(says(&ended, false), expected);
        }
        assert_eq!(says(&End::Cut(Code::IdleTimeout), true), Verdict::Unknown);
        assert!(Trouble::of_end(200, None, &thrown("ThrottlingException")).unwrap().throttled);
    }

    #[test]
    fn hints_are_read_in_both_ways() {
        let hint = |headers| said(429, headers).unwrap().hint;
        assert_eq!(hint(&[]), None);
        assert_eq!(hint(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(
            hint(&[("retry-after", "2"), ("x-amz-retry-after", "1500")]),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(hint(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]), None);
        assert_eq!(hint(&[("x-amz-retry-after", "-1")]), None);
    }
}
