//! Faults by script.
//!
//! Three ways to ask for one: `[[sim.fault]]` in the configuration, the request header
//! `x-sim-fault: KIND[;after=N][;delay=5s][;exception=NAME][;retry_after=1s]`, and, because a gateway drops headers it
//! does not know, the same text as a request metadata pair `sim-fault` (there `=` separates as well, and
//! `,` may stand for `;`, which metadata does not allow).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use bedplate_core::setting::Span;

use crate::config::{FaultKind, FaultRule};
use crate::errors::AwsError;
use crate::glob;
use crate::seed::{self, Rng};

/// A fault that one call will meet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) after: Option<usize>,
    pub(crate) delay: Option<Duration>,
    pub(crate) exception: String,
    pub(crate) retry_after: Option<Duration>,
}

/// The rules, and how often each has matched.
pub(crate) struct Faults {
    rules: RwLock<Vec<(FaultRule, AtomicU64)>>,
    seed: u64,
}

impl Faults {
    pub(crate) fn new(rules: Vec<FaultRule>, seed: u64) -> Self {
        Self { rules: RwLock::new(counted(rules)), seed }
    }

    /// From now on these rules hold.
    ///
    /// # Errors
    /// When one cannot be followed; then the old ones go on.
    pub(crate) fn set(&self, rules: Vec<FaultRule>) -> Result<(), String> {
        rules.iter().try_for_each(FaultRule::check)?;
        *self.rules.write() = counted(rules);
        Ok(())
    }

    /// The fault for this call: the one asked for by the caller, else the first rule that strikes.
    pub(crate) fn draw(
        &self,
        asked: Option<&str>,
        operation: &str,
        model: &str,
    ) -> Result<Option<Fault>, AwsError> {
        if let Some(text) = asked {
            return Fault::read(text).map(Some).map_err(AwsError::validation);
        }
        Ok(self.rules.read().iter().find_map(|(rule, seen)| {
            let fits = rule.operation.as_ref().is_none_or(|o| o.eq_ignore_ascii_case(operation))
                && rule.model.as_ref().is_none_or(|m| glob::matches(m, model));
            if !fits {
                return None;
            }
            let n = seen.fetch_add(1, Ordering::SeqCst) + 1;
            let strikes = rule.every.is_none_or(|every| n.is_multiple_of(every))
                && rule.first.is_none_or(|first| n <= first)
                && rule.rate.is_none_or(|rate| self.unit(rule, n) < rate);
            strikes.then(|| Fault::by_rule(rule))
        }))
    }

    fn unit(&self, rule: &FaultRule, n: u64) -> f64 {
        Rng::new(seed::mix(self.seed, format!("{:?}{n}", rule.kind).as_bytes())).unit()
    }
}

fn counted(rules: Vec<FaultRule>) -> Vec<(FaultRule, AtomicU64)> {
    rules.into_iter().map(|rule| (rule, AtomicU64::new(0))).collect()
}

impl Fault {
    fn by_rule(rule: &FaultRule) -> Self {
        Self {
            kind: rule.kind,
            after: rule.after,
            delay: rule.delay.map(|s| s.0),
            exception: rule.exception.clone().unwrap_or_else(|| "throttlingException".into()),
            retry_after: rule.retry_after.map(|s| s.0),
        }
    }

    /// Reads `KIND;key=value`.
    fn read(text: &str) -> Result<Self, String> {
        let mut parts = text.split([';', ',']).map(str::trim);
        let name = parts.next().unwrap_or_default();
        let source: StrDeserializer<'_, Error> = name.into_deserializer();
        let kind = FaultKind::deserialize(source).map_err(|_| format!("unknown fault `{name}`"))?;
        let mut rule = FaultRule {
            kind,
            model: None,
            operation: None,
            every: None,
            first: None,
            rate: None,
            after: None,
            delay: None,
            exception: None,
            retry_after: None,
        };
        for part in parts.filter(|p| !p.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("not a `key=value`: `{part}`"))?;
            match key {
                "after" => rule.after = Some(value.parse().map_err(|_| format!("not a number: `{value}`"))?),
                "delay" => rule.delay = Some(value.parse::<Span>()?),
                "ms" => rule.delay = Some(format!("{value}ms").parse::<Span>()?),
                "retry_after" => rule.retry_after = Some(value.parse::<Span>()?),
                "exception" | "type" => rule.exception = Some(value.to_string()),
                _ => return Err(format!("unknown fault setting `{key}`")),
            }
        }
        Ok(Self::by_rule(&rule))
    }

    /// The error this fault answers with instead of working; none for faults of the transport.
    pub(crate) fn refusal(&self, model: &str) -> Option<AwsError> {
        Some(match self.kind {
            FaultKind::Throttle => {
                let mut e = AwsError::throttled("Too many tokens, please wait before trying again.");
                e.retry_after = self.retry_after;
                e
            }
            FaultKind::Internal => AwsError::internal(),
            FaultKind::Unavailable => AwsError::unavailable(),
            FaultKind::AccessDenied => {
                AwsError::access_denied("You don't have access to the model with the specified model ID.")
            }
            FaultKind::EndOfLife => AwsError::end_of_life(),
            FaultKind::ModelNotReady => AwsError::not_ready(),
            FaultKind::ModelTimeout => AwsError::model_timeout(),
            FaultKind::ModelError => AwsError::model_error(model),
            _ => return None,
        })
    }

    /// The error that stands for this fault where the answer is no stream.
    pub(crate) fn as_error(&self, model: &str) -> AwsError {
        match self.exception.as_str() {
            "internalServerException" => AwsError::internal(),
            "serviceUnavailableException" => AwsError::unavailable(),
            "validationException" => AwsError::validation("The model could not process the request."),
            "modelTimeoutException" => AwsError::model_timeout(),
            "modelStreamErrorException" => AwsError::model_error(model),
            _ => AwsError::throttled("Too many tokens, please wait before trying again."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_asks_for_a_fault() {
        let f = Fault::read("stall;after=3;delay=250ms").unwrap();
        assert_eq!((f.kind, f.after, f.delay), (FaultKind::Stall, Some(3), Some(Duration::from_millis(250))));
        let f = Fault::read("exception_after_content,after=2,exception=internalServerException").unwrap();
        assert_eq!(f.exception, "internalServerException");
        assert!(Fault::read("explode").unwrap_err().contains("`explode`"));
        assert!(Fault::read("stall;when=now").is_err());
    }

    #[test]
    fn rules_count_their_matches() {
        let rule = |every, first, rate| FaultRule {
            kind: FaultKind::Throttle,
            model: Some("*nova*".into()),
            operation: Some("Converse".into()),
            every,
            first,
            rate,
            after: None,
            delay: None,
            exception: None,
            retry_after: None,
        };
        let strikes = |r: FaultRule, n: usize| -> Vec<bool> {
            let faults = Faults::new(vec![r], 1);
            (0..n).map(|_| faults.draw(None, "Converse", "us.amazon.nova-x").unwrap().is_some()).collect()
        };
        assert_eq!(strikes(rule(Some(3), None, None), 6), [false, false, true, false, false, true]);
        assert_eq!(strikes(rule(None, Some(2), None), 4), [true, true, false, false]);
        let hits = strikes(rule(None, None, Some(0.1)), 1000).into_iter().filter(|h| *h).count();
        assert!((60..140).contains(&hits), "{hits}");
        let faults = Faults::new(Vec::new(), 1);
        assert!(faults.draw(None, "Converse", "us.amazon.nova-x").unwrap().is_none());
        assert!(faults.set(vec![rule(Some(0), None, None)]).is_err());
        faults.set(vec![rule(None, None, None)]).unwrap();
        assert!(faults.draw(None, "Converse", "us.amazon.nova-x").unwrap().is_some());
        assert!(faults.draw(None, "InvokeModel", "us.amazon.nova-x").unwrap().is_none());
        assert!(faults.draw(None, "Converse", "meta.llama").unwrap().is_none());
    }
}
