//! What went wrong with an attempt, and what follows from it.

use std::time::Duration;

use bedplate_core::call::Headers;
use bedplate_core::refusal::Code;

use super::breaker::Verdict;
use crate::provider::{Answer, AnswerBody, Failed};

/// An attempt that another one may make good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trouble {
    /// What it says about the target.
    pub(crate) verdict: Verdict,
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
        verdict: Verdict::Unknown,
        again: false,
        throttled: false,
        full: false,
        slow: false,
        hint: None,
    };
    /// There is no room at any target: none was asked.
    pub(crate) const FULL: Self = Self { full: true, ..Self::OPEN };
    const ILL: Self = Self { verdict: Verdict::Ill, again: true, ..Self::OPEN };

    /// `None` for what goes to the caller: an answer, and what is wrong with the call itself.
    pub(crate) fn of(result: &Result<Answer, Failed>) -> Option<Self> {
        match result {
            Ok(Answer { body: AnswerBody::Whole(..), status, headers, .. }) => {
                Self::of_status(*status, headers)
            }
            Ok(_) => None,
            Err(failed) => Self::of_code(failed.code),
        }
    }

    fn of_status(status: u16, headers: &Headers) -> Option<Self> {
        let hint = hint(headers);
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
            Code::Unreachable | Code::BrokenAnswer => Some(Self::ILL),
            Code::ConnectTimeout => Some(Self { slow: true, ..Self::ILL }),
            Code::FirstTokenTimeout | Code::IdleTimeout | Code::TotalTimeout => {
                Some(Self { again: false, slow: true, ..Self::ILL })
            }
            Code::NoUpstreamCredentials => Some(Self { again: false, ..Self::ILL }),
            _ => None,
        }
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
        Trouble::of_status(status, &all)
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
        assert_eq!(said(429, &[]).unwrap().verdict, Verdict::Unknown);
        assert_eq!(said(503, &[]).unwrap().verdict, Verdict::Ill);
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
