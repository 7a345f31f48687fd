//! The one currency of failure above the leaves.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A step of a call's life, for spans, metrics, refusals and docs. In the order things happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Admit,
    Compose,
    Guard,
    Invoke,
    Review,
    Settle,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Compose => "compose",
            Self::Guard => "guard",
            Self::Invoke => "invoke",
            Self::Review => "review",
            Self::Settle => "settle",
        }
    }
}

/// Who is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The call was wrong.
    Caller,
    /// The call was right and is not allowed.
    Policy,
    /// What we called failed.
    Upstream,
    /// We failed.
    Internal,
}

/// Whether the same call may succeed later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    Never,
    /// On another target, now.
    Elsewhere,
    After(Duration),
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $stage:ident, $fault:ident;)*) => {
        /// A stable code: `BP` and four digits. Each has a page in `docs/errors/`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code { $($(#[doc = $doc])+ $name),* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub fn number(self) -> u16 {
                match self { $(Self::$name => $number),* }
            }

            pub fn stage(self) -> Stage {
                match self { $(Self::$name => Stage::$stage),* }
            }

            pub fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault),* }
            }

            /// One sentence: what happened.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),* }
            }
        }
    };
}

codes! {
    /// the request carries no credentials
    NoCredentials = 1001, Admit, Caller;
    /// the access key id is not one of ours, or its key is disabled
    UnknownKey = 1002, Admit, Caller;
    /// the signature does not match the request
    BadSignature = 1003, Admit, Caller;
    /// the request was signed too long ago, or in the future
    ClockSkew = 1004, Admit, Caller;
    /// the bearer token is not one of ours, or its key is disabled
    BadBearer = 1005, Admit, Caller;
    /// the key has expired
    KeyExpired = 1006, Admit, Caller;
    /// the authorization header cannot be read
    BadAuthorization = 1007, Admit, Caller;
    /// the request carries a session token, and configuration refuses them
    SessionToken = 1008, Admit, Caller;
    /// the key may not call this model
    ModelNotAllowed = 1101, Admit, Policy;
    /// the key may not name this feature
    FeatureNotAllowed = 1102, Admit, Policy;
    /// the operation is refused unless configuration allows it by name
    OperationNotAllowed = 1103, Admit, Policy;
    /// the path belongs to no operation
    UnknownOperation = 1201, Admit, Caller;
    /// the body is larger than the limit
    BodyTooLarge = 1202, Admit, Caller;
    /// the body is not the JSON that the operation takes
    BadBody = 1203, Admit, Caller;
    /// the body did not arrive in time
    BodyTimeout = 1204, Admit, Caller;
    /// a member or header has a value that the operation does not take
    BadValue = 1205, Admit, Caller;
    /// the ledger cannot take another record
    LedgerUnavailable = 1301, Admit, Internal;
    /// bedplate holds as many request bodies as it may
    Overloaded = 1302, Admit, Internal;
    /// a hard budget has no room for this call
    BudgetSpent = 1401, Admit, Policy;
    /// a budget has no room until calls on their way have ended
    BudgetHeld = 1402, Admit, Policy;
    /// a soft budget is spent
    SoftBudgetSpent = 1403, Admit, Policy;
    /// the price of this model is unknown, and a budget does not allow that
    BudgetUnpriced = 1404, Admit, Policy;
    /// it cannot be asked what is left of a budget
    BudgetUnreachable = 1405, Admit, Internal;
    /// a rate has no room for another request yet
    RateExceeded = 1501, Admit, Policy;
    /// a rate has no room for so many tokens yet
    TokenRateExceeded = 1502, Admit, Policy;
    /// the call may use more tokens than a rate allows in a whole minute
    RateTooLow = 1503, Admit, Policy;
    /// a throttle has no slot free for the call, and none would be free in time
    SlotsTaken = 1504, Admit, Policy;
    /// no provider serves this model name
    UnknownModel = 2001, Compose, Caller;
    /// the request metadata uses keys that bedplate reserves
    ReservedMetadata = 2002, Compose, Caller;
    /// no connection to the upstream in time
    ConnectTimeout = 4001, Invoke, Upstream;
    /// the first token did not arrive in time
    FirstTokenTimeout = 4002, Invoke, Upstream;
    /// the stream stood still for too long
    IdleTimeout = 4003, Invoke, Upstream;
    /// the call took longer than it may in all
    TotalTimeout = 4004, Invoke, Upstream;
    /// the upstream cannot be reached
    Unreachable = 4005, Invoke, Upstream;
    /// the upstream's answer broke off or cannot be read
    BrokenAnswer = 4006, Invoke, Upstream;
    /// bedplate has no credentials for the upstream
    NoUpstreamCredentials = 4007, Invoke, Internal;
    /// the upstream answered with an error of its own
    UpstreamError = 4008, Invoke, Upstream;
    /// no target has room for the call, and none would in time
    NoRoom = 4009, Invoke, Upstream;
    /// the call takes more tokens than the quota of any target allows in a whole minute
    TooLarge = 4010, Invoke, Caller;
    /// a fault in bedplate itself
    Bug = 9001, Settle, Internal;
}

impl Code {
    pub fn from_number(n: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.number() == n)
    }

    /// The phase whose deadline passed, when this is a timeout.
    pub fn timeout_phase(self) -> Option<&'static str> {
        match self {
            Self::ConnectTimeout => Some("connect"),
            Self::FirstTokenTimeout => Some("first_token"),
            Self::IdleTimeout => Some("idle"),
            Self::TotalTimeout => Some("total"),
            _ => None,
        }
    }
}

/// `BP1003`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BP{:04}", self.number())
    }
}

impl std::str::FromStr for Code {
    type Err = ();

    /// Reads `BP1003` or `1003`, in either case.
    fn from_str(s: &str) -> Result<Self, ()> {
        let digits = s.strip_prefix("BP").or_else(|| s.strip_prefix("bp")).unwrap_or(s);
        digits.parse().ok().and_then(Self::from_number).ok_or(())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(|()| serde::de::Error::custom(format!("no such code: `{text}`")))
    }
}

/// A call that gets no answer from a model, and why.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: Code,
    pub retry: Retry,
    /// For the caller: lower case, no full stop, nothing they may not know.
    pub said: String,
    /// For the log, once.
    pub cause: Option<String>,
}

impl Refusal {
    /// A refusal that says what its code says and is not to be retried.
    pub fn of(code: Code) -> Self {
        Self { code, retry: Retry::Never, said: code.summary().to_owned(), cause: None }
    }

    pub fn new(code: Code, said: impl Into<String>) -> Self {
        Self { code, retry: Retry::Never, said: said.into(), cause: None }
    }

    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.said)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_start_with_their_stage() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.number()), "{code} twice");
            let stage = match code.stage() {
                Stage::Admit => 1,
                Stage::Compose => 2,
                Stage::Guard => 3,
                Stage::Invoke => 4,
                Stage::Review => 5,
                Stage::Settle => 9,
            };
            assert_eq!(code.number() / 1000, stage, "{code}");
        }
    }

    #[test]
    fn codes_read_back() {
        for code in Code::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
        }
        assert_eq!("bp1003".parse(), Ok(Code::BadSignature));
    }
}
