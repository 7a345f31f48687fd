//! Pages about the simulator itself, below `/__sim/`; they need no signature.

use std::collections::VecDeque;

use http::{Method, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::answer::traits::traits;
use crate::body::Body;
use crate::config::FaultRule;
use crate::handle::head;
use crate::quota::Count;
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

/// Answers `GET /__sim/{page}`, and `PUT /__sim/faults`.
pub(crate) fn answer(state: &State, request: &Request, page: &str) -> Response<Body> {
    if page == "faults" && request.method == Method::PUT {
        return faults(state, &request.body);
    }
    let body = match page {
        "health" => json!({ "status": "ok", "time": state.clock.now().to_string() }),
        "requests" => json!({ "requests": *state.seen.rows.lock() }),
        "quotas" => json!({ "quotas": quotas(state) }),
        "models" => json!({ "models": models(state) }),
        _ => return head("", StatusCode::NOT_FOUND, &[], Body::whole("{}")),
    };
    head("", StatusCode::OK, &[], Body::whole(body.to_string()))
}

/// From now on these rules hold, and no others; each counts from zero.
fn faults(state: &State, body: &[u8]) -> Response<Body> {
    let read = serde_json::from_slice::<Vec<FaultRule>>(body).map_err(|e| e.to_string());
    match read.and_then(|rules| state.faults.set(rules)) {
        Ok(()) => head("", StatusCode::OK, &[], Body::whole("{}")),
        Err(why) => {
            head("", StatusCode::BAD_REQUEST, &[], Body::whole(json!({ "message": why }).to_string()))
        }
    }
}

fn quotas(state: &State) -> Vec<Value> {
    let row = |(key, seen): (String, Count)| {
        let (region, model) = key.split_once('/').unwrap_or(("", &key));
        json!({
            "region": region,
            "model": model,
            "admitted": seen.admitted,
            "throttled": seen.throttled,
            "settledTokens": seen.settled,
        })
    };
    state.quotas.counts().into_iter().map(row).collect()
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
            "others": t.others,
            "outputBurndown": t.burndown,
            "reasoning": m.supports.reasoning,
        })
    })
    .collect()
}
