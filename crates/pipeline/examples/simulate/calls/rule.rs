//! What must hold of calls, by name.

use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    Slots,
    Quota,
    Count,
    Leak,
    Once,
    After,
    Fits,
    Again,
    Deadline,
    Patience,
    Turn,
    Forgotten,
    Probe,
    Rest,
    Storm,
    Same,
    Sound,
}

impl Rule {
    pub(super) const ALL: [Self; 17] = [
        Self::Slots,
        Self::Quota,
        Self::Count,
        Self::Leak,
        Self::Once,
        Self::After,
        Self::Fits,
        Self::Again,
        Self::Deadline,
        Self::Patience,
        Self::Turn,
        Self::Forgotten,
        Self::Probe,
        Self::Rest,
        Self::Storm,
        Self::Same,
        Self::Sound,
    ];

    pub(super) fn name(self) -> &'static str {
        self.words().0
    }

    pub(super) fn says(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Slots => (
                "slots",
                "no request is sent while as many are under way as may be, answers counted to their end",
            ),
            Self::Quota => ("quota", "no request is sent that our part of the quota has no room for"),
            Self::Count => ("count", "what is counted of slots and quotas is what is under way and was used"),
            Self::Leak => (
                "leak",
                "when everything ended no slot, place, hold or open record is left, and nobody waits",
            ),
            Self::Once => ("once", "every call is settled once, with each of its requests"),
            Self::After => (
                "after",
                "nothing is asked for a call that has ended, left, or got its first byte, nor twice at a time",
            ),
            Self::Fits => {
                ("fits", "no request is sent to a model that cannot read it, or to a target it may not go to")
            }
            Self::Again => (
                "again",
                "what is wrong with the call itself is not asked again, and no call more often than it may",
            ),
            Self::Deadline => ("deadline", "no call takes longer than its deadline and a tick of the timer"),
            Self::Patience => ("patience", "no call waits for room longer than its class may"),
            Self::Turn => (
                "turn",
                "nobody goes before a call that is as good, came earlier, waits there and is not larger",
            ),
            Self::Forgotten => {
                ("forgotten", "nobody waits at a lane that has had room for longer than it takes to look")
            }
            Self::Probe => ("probe", "a target that answers again comes back"),
            Self::Rest => ("rest", "when all is quiet every name is answered"),
            Self::Storm => ("storm", "a full outage is not asked more than 1.1 times for each call"),
            Self::Same => ("same", "the same seed gives the same run"),
            Self::Sound => ("sound", "nothing panics, and no sum overflows"),
        }
    }
}

/// A rule that did not hold, and how.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub rule: Rule,
    pub said: String,
}

impl Rule {
    pub(super) fn broken(self, said: impl Into<String>) -> Broken {
        Broken { rule: self, said: said.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.said)
    }
}
