//! `[timeout]`, `[drain]`, `[operations]` and `[budgets]`.

use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::setting::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::Terms;
use crate::invoke::deadline::Timeouts;
use crate::pipeline::Drain;

/// How long each phase of a call may take upstream; `0s` would leave no time and is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutConfig {
    /// Until a connection stands, TLS included.
    pub connect: Span,
    /// Until the first event of a stream.
    pub first_token: Span,
    /// Between two events of a stream, or two pieces of a whole answer.
    pub idle: Span,
    /// All of it, with all requests, and until the first byte of a whole answer: `first_token` is for streams. AWS advises an
    /// hour for long answers.
    pub total: Span,
}

impl Default for TimeoutConfig {
    fn default() -> Self {
        Self {
            connect: Span::secs(5),
            first_token: Span::secs(120),
            idle: Span::secs(300),
            total: Span::secs(3600),
        }
    }
}

impl TimeoutConfig {
    /// Everything that is wrong, each with its member. What was not said, as far as its value tells, need not fit.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let usual = Self::default();
        let mut wrong = Vec::new();
        for (name, span, usual) in [
            ("connect", self.connect, usual.connect),
            ("first_token", self.first_token, usual.first_token),
            ("idle", self.idle, usual.idle),
            ("total", self.total, usual.total),
        ] {
            if span.0.is_zero() {
                wrong.push((name, format!("`[timeout] {name}`: `0s` leaves no call any time")));
            } else if span > self.total && span != usual && !self.total.0.is_zero() {
                let said = format!("`[timeout] {name}`: `{span}` does not fit into `total`, {}", self.total);
                wrong.push((name, said));
            }
        }
        wrong
    }

    pub fn build(&self) -> Timeouts {
        Timeouts {
            connect: self.connect.0,
            first_token: self.first_token.0,
            idle: self.idle.0,
            total: self.total.0,
        }
    }
}

/// What is finished when somebody leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrainConfig {
    /// When a caller hangs up: how long its answer is still read from the upstream, which bills it
    /// either way. `0s` lets go at once and estimates.
    pub hang_up: Span,
    /// When bedplate is told to stop: how long calls may still run.
    pub shutdown: Span,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self { hang_up: Span::secs(120), shutdown: Span::secs(30) }
    }
}

impl DrainConfig {
    pub fn build(&self) -> Drain {
        Drain { bound: self.hang_up.0 }
    }
}

/// Operations beyond those that bedplate meters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OperationsConfig {
    /// Names of bedrock-runtime operations to pass on, authenticated and recorded as unmetered:
    /// `StartAsyncInvoke`, `GetAsyncInvoke`, `ListAsyncInvokes`.
    pub allow: Vec<String>,
}

impl OperationsConfig {
    /// # Errors
    /// Names the operation that cannot be allowed, and why.
    pub fn build(&self) -> Result<Vec<Operation>, String> {
        self.allow
            .iter()
            .map(|name| match name.parse::<Operation>() {
                Ok(op) if op.by_permission() => Ok(op),
                Ok(Operation::InvokeModelWithBidirectionalStream) => Err(format!(
                    "`[operations] allow`: {name} cannot be allowed: each input frame is signed with the caller's key"
                )),
                Ok(_) => Err(format!("`[operations] allow`: {name} needs no permission")),
                Err(()) => Err(format!(
                    "`[operations] allow`: there is no operation `{name}`; StartAsyncInvoke, GetAsyncInvoke and \
                     ListAsyncInvokes can be allowed"
                )),
            })
            .collect()
    }
}

/// How budgets are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetsConfig {
    /// How long what a process drew of a budget is its own when it is not heard of: at least `5s`. Then what it had
    /// not recorded counts as unknown until it is reconciled.
    pub lease: Span,
    /// How long a call waits for room that calls on their way may give back.
    pub wait: Span,
}

impl Default for BudgetsConfig {
    fn default() -> Self {
        Self { lease: Span::secs(60), wait: Span::secs(1) }
    }
}

impl BudgetsConfig {
    /// Compiles the section; `deadline` is what the ledger may take for one answer.
    ///
    /// # Errors
    /// The member that is wrong, and why.
    pub fn build(&self, deadline: Duration) -> Result<Terms, (&'static str, String)> {
        if self.lease < Span::secs(5) {
            return Err(("lease", format!("`[budgets] lease`: {} is less than 5s", self.lease)));
        }
        Ok(Terms { lease: self.lease.0, wait: self.wait.0, deadline: deadline.min(self.lease.0 / 4) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_that_leave_no_time_or_do_not_fit_are_named() {
        let wrong = |toml: &str| {
            let config: TimeoutConfig = toml::from_str(toml).unwrap();
            config.problems().into_iter().map(|(member, _)| member).collect::<Vec<_>>()
        };
        assert_eq!(wrong(""), [""; 0]);
        assert_eq!(wrong("total = '5s'"), [""; 0], "what was not said ends with it");
        assert_eq!(wrong("connect = '10s'\nfirst_token = '20s'\ntotal = '5s'"), ["connect", "first_token"]);
        assert_eq!(wrong("idle = '2h'"), ["idle"]);
        assert_eq!(wrong("total = '0s'"), ["total"]);
        assert_eq!(wrong("connect = '0s'\nidle = '0s'"), ["connect", "idle"]);
    }
}
