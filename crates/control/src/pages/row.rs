//! A call as a line of the table.

use std::time::Duration;

use bedplate_core::record::{CallRow, Ending};

use super::show;

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: String,
    /// When it ended: the table is in that order.
    pub(super) time: String,
    /// When it began, the whole moment.
    pub(super) at: String,
    /// `team / feature`; empty when the caller was not recognised.
    pub(super) who: String,
    pub(super) operation: &'static str,
    pub(super) model: String,
    pub(super) ending: &'static str,
    /// `ok`, `warn`, `bad` or `mute`.
    pub(super) tone: &'static str,
    pub(super) status: u16,
    /// `BP1003`, or empty.
    pub(super) code: String,
    /// What the code or the upstream's error says.
    pub(super) why: String,
    pub(super) prompt: String,
    pub(super) output: String,
    pub(super) cost: String,
    pub(super) first_token: String,
    pub(super) total: String,
}

impl Row {
    pub(super) fn of(call: &CallRow) -> Self {
        let why = match (call.code, &call.error) {
            (Some(code), _) => code.summary().to_owned(),
            (None, Some(error)) => error.clone(),
            (None, None) => String::new(),
        };
        Self {
            id: call.id.to_string(),
            time: show::time(call.admitted_at.plus(Duration::from_micros(call.timings.total))),
            at: call.admitted_at.to_string(),
            who: who(call),
            operation: call.operation.map_or("no operation", |op| op.name()),
            model: call.model.clone(),
            ending: call.ending.name(),
            tone: tone(call.ending),
            status: call.status,
            code: call.code.map_or_else(String::new, |c| c.to_string()),
            why,
            prompt: show::short(call.usage.prompt()),
            output: show::short(call.usage.output),
            cost: show::cost(call.cost),
            first_token: show::maybe_us(call.timings.first_token),
            total: show::us(call.timings.total),
        }
    }
}

pub(super) fn who(call: &CallRow) -> String {
    if call.key.is_some() { format!("{} / {}", call.team, call.feature) } else { String::new() }
}

/// How an ending looks.
pub(super) fn tone(ending: Ending) -> &'static str {
    match ending {
        Ending::Answered => "ok",
        Ending::Refused => "warn",
        Ending::Failed | Ending::Cut => "bad",
        Ending::Abandoned => "mute",
    }
}
