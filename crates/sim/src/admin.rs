//! Pages about the simulator itself, below `/__sim/`; they need no signature.

use std::collections::VecDeque;

use http::{Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::answer::traits::traits;
use crate::body::Body;
use crate::handle::head;
use crate::request::Request;
use crate::state::State;

/// The last requests, oldest first.
pub(crate) struct Seen {
    keep: usize,
    rows: Mutex<VecDeque<Value>>,
}

impl Seen {
    pub(crate) fn new(keep: usize) -> Self {
        Self { keep, rows: Mutex::default() }
    }

    pub(crate) fn add(&self, request: &Request) {
        if self.keep == 0 {
            return;
        }
        let headers: Vec<Value> = request
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                let hidden = name == "authorization" && value.starts_with("Bearer ");
                json!([name.as_str(), if hidden { "Bearer …".into() } else { value }])
            })
            .collect();
        let row = json!({
            "requestId": request.id,
            "method": request.method.as_str(),
            "path": request.path,
            "query": request.query,
            "authority": request.authority,
            "headers": headers,
            "bodySha256": request.body_sha256,
            "bodyLength": request.body.len(),
        });
        let mut rows = self.rows.lock();
        if rows.len() >= self.keep {
            rows.pop_front();
        }
        rows.push_back(row);
    }
}

/// Answers `GET /__sim/{page}`.
pub(crate) fn answer(state: &State, page: &str) -> Response<Body> {
    let body = match page {
        "health" => json!({ "status": "ok", "time": state.clock.now().to_string() }),
        "requests" => json!({ "requests": *state.seen.rows.lock() }),
        "models" => json!({ "models": models(state) }),
        _ => return head("", StatusCode::NOT_FOUND, &[], Body::whole("{}")),
    };
    head("", StatusCode::OK, &[], Body::whole(body.to_string()))
}

fn models(state: &State) -> Vec<Value> {
    let all = state.catalogue.models.iter();
    all.map(|m| {
        let t = traits(&state.config, &m.base_model_id, &m.id);
        json!({
            "id": m.id,
            "baseModelId": m.base_model_id,
            "mode": m.mode,
            "errorRate": t.error_rate,
            "firstTokenMs": u64::try_from(t.first_token.as_millis()).unwrap_or(0),
            "perTokenMs": u64::try_from(t.per_token.as_millis()).unwrap_or(0),
            "rpm": t.rpm,
            "tpm": t.tpm,
            "outputBurndown": t.burndown,
            "reasoning": m.supports.reasoning,
        })
    })
    .collect()
}
