//! Runs the checks, one after the other, within the budget.

use std::time::Duration;

use bedplate_core::money::Nanos;
use bedplate_core::refusal::Code;
use bedplate_pipeline::{Failed, Metered};

use super::budget::Budget;
use super::checks::{Bill, Caller, Check};
use super::compare::differences;
use super::observe::Observation;
use super::report::{Report, Row, Verdict};
use super::side::Side;
use crate::exit::Failure;
use crate::out::note;

/// Runs `checks` on both sides.
///
/// # Errors
/// When the target cannot be reached, or does not know the caller: then nothing can be learned.
pub(super) async fn all(
    checks: &[Check],
    simulator: &Side,
    target: &Side,
    budget: Budget,
    name: String,
) -> Result<Report, Failure> {
    let mut run = Run { simulator, target, name, budget, throttled: None, unreachable: None };
    let mut rows = Vec::with_capacity(checks.len());
    for (i, check) in checks.iter().enumerate() {
        let row = run.one(check).await?;
        note(format!("[{}/{}] {}: {}", i + 1, checks.len(), row.check, row.verdict));
        rows.push(row);
    }
    if let (Some(cause), true) = (&run.unreachable, rows.iter().all(|r| !r.verdict.ran())) {
        return Err(unreachable(&run.name, cause));
    }
    Ok(Report::new(run.name, rows, run.budget.spent(), run.budget.most()))
}

struct Run<'a> {
    simulator: &'a Side,
    target: &'a Side,
    /// The target's.
    name: String,
    budget: Budget,
    /// The first answer by which the target throttled us.
    throttled: Option<Observation>,
    /// Why the catalogue could not be reached.
    unreachable: Option<String>,
}

/// What came of asking the target.
enum Asked {
    Answer(Observation, Nanos),
    NotRun(String),
}

impl Run<'_> {
    async fn one(&mut self, check: &Check) -> Result<Row, Failure> {
        let worst = self.budget.worst(check);
        if check.bill != Bill::Nothing
            && let Err(why) = self.budget.allows(worst)
        {
            return Ok(Row::not_run(check.name, why));
        }
        if check.caller == Caller::BadSignature && !self.target.signs {
            return Ok(Row::not_run(check.name, "the provider sends a bearer key, which signs nothing"));
        }
        let (target, cost) = match self.target(check).await? {
            Asked::NotRun(why) => return Ok(Row::not_run(check.name, why)),
            Asked::Answer(observation, cost) => (observation, cost),
        };
        let throttle = check.caller == Caller::Throttled;
        let simulator = match self.simulator.ask(check, throttle).await {
            Ok((observation, _)) => observation,
            Err(failed) => return Err(Failure::bug(format!("the simulator: {}", failed.cause))),
        };
        if let Some(why) = self.no_access(check, &simulator, &target)? {
            return Ok(Row { cost, ..Row::not_run(check.name, why) });
        }
        let differences = differences(&simulator, &target, check.optional);
        let verdict =
            if differences.iter().any(|d| d.optional.is_none()) { Verdict::Differs } else { Verdict::Same };
        Ok(Row { check: check.name, verdict, differences, cost })
    }

    /// Asks the target; again when it throttles or fails, which says nothing of the wire.
    async fn target(&mut self, check: &Check) -> Result<Asked, Failure> {
        if check.caller == Caller::Throttled {
            return Ok(match self.throttled.clone() {
                Some(observation) => Asked::Answer(observation, Nanos::ZERO),
                None => Asked::NotRun("the target throttled no check".into()),
            });
        }
        let mut cost = Nanos::ZERO;
        let mut wait = Duration::from_secs(1);
        for last in [false, false, true] {
            let (observation, metered) = match self.target.ask(check, false).await {
                Ok(answer) => answer,
                Err(failed) => match self.failed(check, &failed)? {
                    Some(why) => return Ok(Asked::NotRun(why)),
                    None => (Observation::none(&failed), Metered::default()),
                },
            };
            cost = cost.saturating_add(self.budget.spend(check, observation.status, &metered));
            if observation.throttled() && self.throttled.is_none() {
                self.throttled = Some(observation.clone());
            }
            if !(observation.throttled() || matches!(observation.status, 500 | 503)) {
                return Ok(Asked::Answer(observation, cost));
            }
            if last {
                return Ok(match observation.throttled() {
                    true => Asked::NotRun("the target throttled it three times".into()),
                    false => Asked::Answer(observation, cost),
                });
            }
            tokio::time::sleep(observation.retry_after.unwrap_or(wait).min(Duration::from_secs(20))).await;
            wait *= 2;
        }
        Ok(Asked::NotRun("it was not answered".into()))
    }

    /// What a request without an answer means: an end of the run, a check that is not run (the reason),
    /// or something seen (`None`).
    fn failed(&mut self, check: &Check, failed: &Failed) -> Result<Option<String>, Failure> {
        match failed.code {
            Code::NoUpstreamCredentials => {
                Err(Failure::usage(format!("there are no credentials for the target: {}", failed.cause))
                    .hint("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile with AWS_PROFILE."))
            }
            Code::Unreachable | Code::ConnectTimeout if check.operation.is_catalogue() => {
                self.unreachable = Some(failed.cause.clone());
                Ok(Some(format!("the catalogue cannot be reached: {}", failed.cause)))
            }
            Code::Unreachable | Code::ConnectTimeout => Err(unreachable(&self.name, &failed.cause)),
            _ => Ok(None),
        }
    }

    /// Why the target's answer is about the caller's rights and not about the wire, if it is.
    fn no_access(
        &self,
        check: &Check,
        simulator: &Observation,
        target: &Observation,
    ) -> Result<Option<String>, Failure> {
        if check.caller != Caller::Known || simulator.error == target.error {
            return Ok(None);
        }
        let what = if check.model.is_empty() { check.operation.name() } else { &check.model };
        match target.error.as_deref() {
            Some("AccessDeniedException" | "FTUFormNotFilled") => Ok(Some(format!("no access to {what}"))),
            Some(
                error @ ("UnrecognizedClientException"
                | "InvalidSignatureException"
                | "IncompleteSignatureException"
                | "IncompleteSignature"
                | "ExpiredTokenException"
                | "MissingAuthenticationTokenException"),
            ) => Err(Failure::upstream(format!(
                "`{}` does not accept the credentials: {error} for `{}`",
                self.name, check.name
            ))
            .hint("Nothing was learned of the wire: check the key pair, the region and the clock.")),
            _ => Ok(None),
        }
    }
}

fn unreachable(name: &str, cause: &str) -> Failure {
    Failure::upstream(format!("the target `{name}` cannot be reached: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bedplate_core::clock::{Clock, SystemClock};
    use bedplate_cost::PriceBook;

    use super::super::checks::{Models, chosen};
    use super::super::observe::Body;
    use super::*;

    /// Asks the simulator for every check: status, error name, and a word on the body.
    fn answers() -> Vec<(&'static str, u16, String, &'static str)> {
        let runtime = crate::commands::runtime().unwrap();
        let clock: Arc<dyn Clock> = SystemClock::shared();
        let models = Models::new("us-east-1", &[]).unwrap();
        let checks = chosen(&models, &PriceBook::embedded(), &[]).unwrap();
        runtime.block_on(async {
            let (sim, side) = Side::simulator("us-east-1", &clock).await.unwrap();
            let mut answers = Vec::new();
            for check in &checks {
                let (seen, _) = side.ask(check, check.caller == Caller::Throttled).await.unwrap();
                let body = match &seen.body {
                    Body::None => "nothing",
                    Body::Json(_) => "JSON",
                    Body::Other => "other",
                    Body::Stream(stream) if stream.broke.is_empty() => "a stream",
                    Body::Stream(_) => "a broken stream",
                };
                answers.push((check.name, seen.status, seen.error.unwrap_or_default(), body));
            }
            sim.stop().await;
            answers
        })
    }

    #[test]
    fn each_check_is_answered_as_its_name_says() {
        let refused = |name: &str| match name {
            "unknown-profile" | "unknown-guardrail" => Some((404, "ResourceNotFoundException")),
            "unknown-path" => Some((404, "UnknownOperationException")),
            "unknown-key" => Some((403, "UnrecognizedClientException")),
            "bad-signature" => Some((403, "InvalidSignatureException")),
            "malformed-json" => Some((400, "SerializationException")),
            "retry-hints" => Some((429, "ThrottlingException")),
            "unknown-model"
            | "unknown-model-stream"
            | "unknown-model-invoke"
            | "no-messages"
            | "max-tokens-zero"
            | "profile-only-model" => Some((400, "ValidationException")),
            _ => None,
        };
        for (name, status, error, body) in answers() {
            match refused(name) {
                Some(expected) => {
                    assert_eq!((status, error.as_str(), body), (expected.0, expected.1, "JSON"), "{name}")
                }
                None => {
                    let expected = if name.contains("stream") { "a stream" } else { "JSON" };
                    assert_eq!((status, error.as_str(), body), (200, "", expected), "{name}");
                }
            }
        }
    }
}
