//! The record of a call, as far as budgets see it.

use std::sync::Arc;

use bedplate_core::budget::Charge;
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::record::{CallRow, Outcome};

thread_local! {
    static BLANK: CallRow = serde_json::from_value(serde_json::json!({
        "id": "00000000-0000-7000-8000-000000000000", "admitted_at": 0, "dialect": "bedrock", "operation": "Converse",
        "model": "small", "key": null, "team": "support", "feature": "triage", "environment": "prod", "user": null,
        "chain": null, "trace": null, "parent_span": null, "ending": "answered", "status": 200, "code": null,
        "stage": null, "error": null, "usage": {}, "basis": "reported", "cost": { "state": "known", "nanos": 0 }, "stop_reason": null,
        "timings": { "total": 0, "overhead": 0 }, "bytes_in": 0, "bytes_out": 0, "edits": [],
    })).unwrap();
}

pub(crate) fn of(id: CallId, at: Timestamp, charges: Vec<Charge>) -> Arc<Outcome> {
    let row = BLANK.with(CallRow::clone);
    Arc::new(Outcome { call: CallRow { id, admitted_at: at, charges, ..row }, attempts: Vec::new() })
}
