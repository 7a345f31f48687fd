//! Our own copy of a quota of AWS's: requests and tokens over a minute, reserved on arrival and settled at the end.
//!
//! Bedrock reserves `input + cache reads + cache writes + maxTokens` of a call when it comes, and settles to
//! `input + cache writes + output × burndown` when it ends (AWS user guide, quotas-token-burndown). What was used flows
//! off over a minute. Our copy does the same a moment earlier, so that a call waits here instead of earning a 429.
//!
//! Other callers may share the quota, and what is configured may be wrong: so what AWS lets through is learned.

use std::time::Duration;

use bedplate_core::clock::Tick;
use bedplate_core::pace::{Lacks, RateStand};

use super::learned::Learned;
use super::turnover::Turnover;

/// What a quota allows in a minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct QuotaTerms {
    pub(crate) rpm: Option<u64>,
    pub(crate) tpm: Option<u64>,
    /// How many tokens of the quota one token of output uses.
    pub(crate) burndown: u64,
    /// Whether what AWS lets through is learned, or what is configured never exceeded.
    pub(crate) learns: bool,
}

/// How one quota stands, as far as this process knows.
pub(crate) struct Quota {
    terms: QuotaTerms,
    at: Tick,
    requests: f64,
    tokens: f64,
    turnover: Turnover,
    learned: Learned,
}

/// What a call wants that cannot have it, and when it could, at the soonest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Lack {
    pub(crate) lacks: Lacks,
    pub(crate) after: Duration,
    /// When it can though nothing ends that is under way: then who waits looks again, though nobody wakes it.
    pub(crate) looks: Duration,
    /// It is larger than all there is.
    pub(crate) never: bool,
}

impl Quota {
    pub(crate) fn new(terms: QuotaTerms, now: Tick) -> Self {
        Self {
            terms,
            at: now,
            requests: 0.0,
            tokens: 0.0,
            turnover: Turnover::default(),
            learned: Learned::new(now),
        }
    }

    pub(crate) fn set(&mut self, terms: QuotaTerms) {
        if terms != self.terms {
            self.terms = terms;
            self.learned.forget();
        }
    }

    pub(crate) fn terms(&self) -> QuotaTerms {
        self.terms
    }

    /// Whether there is room for a request of so many tokens after so many that go first; `share` is our part of the
    /// quota, `keep` the part of that which is left free.
    pub(crate) fn room(
        &mut self,
        tokens: u64,
        before: u64,
        share: f64,
        keep: f64,
        now: Tick,
    ) -> Result<(), Lack> {
        self.flow(now, share);
        let lack = self.lack(tokens, before, share, keep);
        if let Some(lack) = lack {
            self.learned.pressed(now);
            return Err(lack);
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, tokens: u64) {
        self.requests += 1.0;
        self.tokens += float(tokens);
        self.turnover.begins(float(tokens));
    }

    /// A request that had so much reserved is under way no more.
    pub(crate) fn ends(&mut self, reserved: u64) {
        self.turnover.ends(float(reserved));
    }

    /// A request was answered `took` after so much was reserved for it, and used so much.
    pub(crate) fn answered(&mut self, reserved: u64, used: u64, took: Duration) {
        self.turnover.learn(float(reserved), float(used), took);
    }

    /// What was reserved came to `used`.
    pub(crate) fn settle(&mut self, reserved: u64, used: u64) {
        self.tokens = (self.tokens - float(reserved) + float(used)).max(0.0);
    }

    /// The request never went.
    pub(crate) fn untake(&mut self, reserved: u64) {
        self.requests = (self.requests - 1.0).max(0.0);
        self.ends(reserved);
        self.settle(reserved, 0);
    }

    /// Tokens a minute that nothing may be larger than: what is configured or told, or more where more was learned.
    pub(crate) fn whole(&self) -> Option<u64> {
        Some(whole(float(self.terms.tpm?) * self.factor().max(1.0)))
    }

    /// Whether a request of so many tokens goes only when nothing else does: it is larger than what is ours.
    pub(crate) fn alone(&self, tokens: u64, share: f64) -> bool {
        self.terms.tpm.is_some_and(|tpm| float(tokens) > float(tpm) * share * self.factor())
    }

    /// AWS said that there was no room, to a request that went at `began`: so our copy is full, too.
    pub(crate) fn throttled(&mut self, began: Tick, share: f64, now: Tick) {
        self.flow(now, share);
        self.learned.throttled(began, now);
        let full = share * self.factor();
        if let Some(tpm) = self.terms.tpm {
            self.tokens = float(tpm) * full;
        }
        if let Some(rpm) = self.terms.rpm.filter(|_| self.terms.tpm.is_none()) {
            self.requests = float(rpm) * full;
        }
    }

    pub(crate) fn learned(&self) -> Option<f64> {
        self.terms.learns.then(|| self.learned.factor())
    }

    pub(crate) fn stands(&mut self, share: f64, now: Tick) -> (Option<RateStand>, Option<RateStand>) {
        self.flow(now, share);
        let stand = |limit: Option<u64>, used: f64| Some(RateStand { limit: limit?, used: whole(used) });
        (stand(self.terms.rpm, self.requests), stand(self.terms.tpm, self.tokens))
    }

    fn factor(&self) -> f64 {
        if self.terms.learns { self.learned.factor() } else { 1.0 }
    }

    fn flow(&mut self, now: Tick, share: f64) {
        let minutes = now.since(self.at).as_secs_f64() / 60.0;
        self.at = now.max(self.at);
        let gone = |limit: Option<u64>| minutes * float(limit.unwrap_or(0)) * share * self.factor();
        let (requests, tokens) = (gone(self.terms.rpm), gone(self.terms.tpm));
        self.requests = (self.requests - requests).max(0.0);
        self.tokens = (self.tokens - tokens).max(0.0);
    }

    fn lack(&self, tokens: u64, before: u64, share: f64, keep: f64) -> Option<Lack> {
        let factor = share * self.factor();
        let lack = |lacks, limit: Option<u64>, used: f64, need: f64, before: f64| {
            let limit = float(limit?) * factor;
            let most = (limit * (1.0 - keep)).max(1.0);
            // what is larger than all of it goes alone: AWS is to judge
            let need = need.min(most);
            let over = used + before + need - most;
            (over > 1e-6).then(|| {
                let flows = limit.max(1e-9) / 60.0;
                let looks = seconds(over / flows);
                let after = match lacks {
                    Lacks::Tokens => seconds(self.turnover.wait((used, most, flows), before, need)),
                    // of requests nothing is given back
                    Lacks::Requests | Lacks::Slots => looks,
                };
                Lack { lacks, after, looks, never: false }
            })
        };
        let tokens = lack(Lacks::Tokens, self.terms.tpm, self.tokens, float(tokens), float(before));
        let requests = lack(Lacks::Requests, self.terms.rpm, self.requests, 1.0, 0.0);
        match (tokens, requests) {
            (Some(tokens), Some(requests)) if requests.after > tokens.after => Some(requests),
            (tokens, requests) => tokens.or(requests),
        }
    }
}

impl Lack {
    pub(crate) const NEVER: Self = Self { lacks: Lacks::Tokens, after: LONGEST, looks: LONGEST, never: true };
}

const LONGEST: Duration = Duration::from_secs(3_600);

fn seconds(n: f64) -> Duration {
    Duration::try_from_secs_f64(n).unwrap_or(LONGEST).min(LONGEST)
}

#[expect(clippy::cast_precision_loss, reason = "quotas are far below 2^53")]
fn float(n: u64) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 0; the cast saturates")]
fn whole(n: f64) -> u64 {
    n.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(rpm: Option<u64>, tpm: Option<u64>) -> Quota {
        Quota::new(QuotaTerms { rpm, tpm, burndown: 1, learns: false }, Tick(0))
    }

    fn at(secs: f64) -> Tick {
        Tick(Duration::from_secs_f64(secs).as_nanos().try_into().unwrap())
    }

    #[test]
    fn what_is_reserved_is_settled_and_flows_off() {
        let mut q = quota(None, Some(10_000));
        assert_eq!(q.room(8_000, 0, 1.0, 0.0, at(0.0)), Ok(()));
        q.take(8_000);
        let lack = q.room(3_000, 0, 1.0, 0.0, at(0.0)).unwrap_err();
        assert_eq!((lack.lacks, lack.looks), (Lacks::Tokens, Duration::from_secs(6)));
        assert!(lack.after < Duration::from_secs(1), "it may end before: {lack:?}");
        q.ends(8_000);
        let lack = q.room(3_000, 0, 1.0, 0.0, at(0.0)).unwrap_err();
        assert_eq!((lack.after, lack.looks), (Duration::from_secs(6), Duration::from_secs(6)));
        q.settle(8_000, 1_000);
        assert!(q.room(9_000, 0, 1.0, 0.0, at(0.0)).is_ok());
        q.take(9_000);
        assert!(q.room(5_001, 0, 1.0, 0.0, at(30.0)).is_err());
        assert!(q.room(5_000, 0, 1.0, 0.0, at(30.0)).is_ok());
    }

    #[test]
    fn requests_are_counted_and_those_that_never_went_are_not() {
        let mut q = quota(Some(2), Some(1_000));
        q.take(10);
        q.take(10);
        assert_eq!(q.room(10, 0, 1.0, 0.0, at(0.0)).unwrap_err().lacks, Lacks::Requests);
        q.untake(10);
        assert!(q.room(10, 0, 1.0, 0.0, at(0.0)).is_ok());
    }

    #[test]
    fn a_part_is_ours_and_of_that_a_part_is_kept_free() {
        let mut q = quota(None, Some(10_000));
        assert!(q.room(4_500, 0, 0.5, 0.1, at(0.0)).is_ok());
        q.take(4_500);
        assert!(q.room(100, 0, 0.5, 0.1, at(0.0)).is_err());
        assert!(q.room(500, 0, 0.5, 0.0, at(0.0)).is_ok());
        assert!(q.room(500, 100, 0.5, 0.0, at(0.0)).is_err(), "who waits goes first");
    }

    #[test]
    fn what_is_larger_than_all_of_it_goes_when_nothing_else_does() {
        let mut q = quota(None, Some(1_000));
        assert!(q.room(5_000, 0, 1.0, 0.0, at(0.0)).is_ok());
        q.take(5_000);
        assert!(q.room(1, 0, 1.0, 0.0, at(239.0)).is_err());
        assert!(q.room(1, 0, 1.0, 0.0, at(241.0)).is_ok());
    }

    #[test]
    fn nothing_is_larger_than_what_is_configured_or_learned_to_be_more() {
        let mut q = quota(None, Some(1_000));
        assert!((q.whole(), q.alone(1_000, 1.0), q.alone(1_001, 1.0)) == (Some(1_000), false, true));
        assert!(q.alone(501, 0.5), "of two processes each has half");
        q.set(QuotaTerms { learns: true, ..q.terms() });
        q.throttled(at(1.0), 1.0, at(1.0));
        assert_eq!(q.whole(), Some(1_000), "less was learned, and may be wrong");
        assert_eq!(quota(Some(5), None).whole(), None);
    }

    #[test]
    fn a_throttle_says_that_it_is_full() {
        let mut q = quota(None, Some(60_000));
        q.throttled(at(0.0), 1.0, at(0.0));
        assert_eq!(q.room(2_000, 0, 1.0, 0.0, at(0.0)).unwrap_err().after, Duration::from_secs(2));
        assert!(q.room(2_000, 0, 1.0, 0.0, at(2.1)).is_ok());
    }
}
