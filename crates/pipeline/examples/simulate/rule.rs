//! What must hold, by name.

use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    Limit,
    Ledger,
    Room,
    Hold,
    Charge,
    Grant,
    Refusal,
    Wait,
    Rest,
    Drain,
    Lease,
    Client,
    Same,
    Sound,
}

impl Rule {
    pub(crate) const ALL: [Self; 14] = [
        Self::Limit,
        Self::Ledger,
        Self::Room,
        Self::Hold,
        Self::Charge,
        Self::Grant,
        Self::Refusal,
        Self::Wait,
        Self::Rest,
        Self::Drain,
        Self::Lease,
        Self::Client,
        Self::Same,
        Self::Sound,
    ];

    pub(crate) fn name(self) -> &'static str {
        self.words().0
    }

    pub(crate) fn says(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Limit => (
                "limit",
                "no call is let go that could take an account over its limit, by what AWS would bill",
            ),
            Self::Ledger => {
                ("ledger", "what is settled is the sum of what the records say, to the nano-dollar")
            }
            Self::Room => {
                ("room", "of all that may have been spent and is not recorded the ledger keeps room")
            }
            Self::Hold => ("hold", "a process holds the worst case of its calls under way, and nothing else"),
            Self::Charge => (
                "charge",
                "a call is charged what it came to, once, in each budget and window it was held in",
            ),
            Self::Grant => ("grant", "what the ledger grants can be spent"),
            Self::Refusal => ("refusal", "no call is refused for nothing, and the reason is true"),
            Self::Wait => ("wait", "no call waits longer than it may, and all end"),
            Self::Rest => ("rest", "when all is quiet, what is left can be spent to the last nano-dollar"),
            Self::Drain => ("drain", "who was drained leaves nothing held, granted or unknown"),
            Self::Lease => ("lease", "nothing is granted to anybody when all leases are over"),
            Self::Client => {
                ("client", "one call after the other spends 95% of a budget before the first refusal")
            }
            Self::Same => ("same", "the same seed gives the same run"),
            Self::Sound => ("sound", "nothing panics, and no sum overflows"),
        }
    }
}

/// A rule that did not hold, and how.
#[derive(Debug)]
pub(crate) struct Broken {
    pub rule: Rule,
    pub said: String,
}

impl Rule {
    pub(crate) fn broken(self, said: impl Into<String>) -> Broken {
        Broken { rule: self, said: said.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.said)
    }
}

/// What went wrong, in words.
pub(crate) type Checked = Result<(), String>;
