//! StartAsyncInvoke and its two readers: jobs in memory that finish after a while. Nothing is written
//! to S3.

use std::time::Duration;

use bedplate_core::clock::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::control::{allowed, get as pick, page, token};
use crate::errors::AwsError;
use crate::seed::{LOWER, Rng, mix};
use crate::shape::{self, Shape};
use crate::state::State;

/// How long a job takes, before the time scale.
const TAKES: Duration = Duration::from_secs(20);
const MOST_JOBS: usize = 10_000;
/// Models that run by this call alone, and are not in the list of models.
const FILM: &[&str] = &["amazon.nova-reel-v1:0", "amazon.nova-reel-v1:1", "luma.ray-v2:0"];

/// The jobs of this run.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<Vec<Job>>);

#[derive(Clone)]
struct Job {
    arn: String,
    model_arn: String,
    token: Option<String>,
    body: Value,
    submitted: Timestamp,
    ends: Timestamp,
}

static START: Shape = Shape::Struct(&[
    ("clientRequestToken", false, &Shape::Text(1, 256)),
    ("modelId", true, &Shape::Text(1, 256)),
    ("modelInput", true, &Shape::Any),
    (
        "outputDataConfig",
        true,
        &Shape::Union(&[("s3OutputDataConfig", &Shape::Struct(&[("s3Uri", true, &Shape::Text(1, 1024))]))]),
    ),
]);

/// Starts a job; the same token and body give the same job.
pub(crate) fn start(state: &State, region: &str, body: &Value) -> Result<Value, AwsError> {
    shape::check(body, &START)?;
    let asked = body["modelId"].as_str().unwrap_or_default();
    let base = match asked.rsplit('/').next().filter(|id| FILM.contains(id)) {
        Some(id) => id.to_string(),
        None => {
            let target = state.catalogue.resolve(&state.config, asked, region)?;
            if target.model.mode != "embedding" {
                return Err(AwsError::validation(
                    "The provided model doesn't support asynchronous invocation.",
                ));
            }
            target.base().to_string()
        }
    };
    let uri = body["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].as_str().unwrap_or_default();
    if !uri.starts_with("s3://") || uri.len() < 8 {
        return Err(AwsError::validation(format!(
            "1 validation error detected: Value '{uri}' at 'outputDataConfig.s3OutputDataConfig.s3Uri' failed to satisfy constraint: Member must satisfy regular expression pattern: s3://[a-z0-9][\\.\\-a-z0-9]{{1,61}}[a-z0-9](/.*)?"
        )));
    }
    let token = body["clientRequestToken"].as_str().map(String::from);
    let mut jobs = state.jobs.0.lock();
    if let Some(known) = jobs.iter().find(|j| token.is_some() && j.token == token) {
        if known.body != *body {
            let mut e = AwsError::validation("The clientRequestToken was used before with other parameters.");
            e.code = "ConflictException";
            return Err(e);
        }
        return Ok(json!({ "invocationArn": known.arn }));
    }
    if jobs.len() >= MOST_JOBS {
        jobs.remove(0);
    }
    let id =
        Rng::new(mix(state.config.seed, format!("job {} {body}", jobs.len()).as_bytes())).text(LOWER, 12);
    let submitted = state.clock.now();
    let job = Job {
        arn: format!("arn:aws:bedrock:{region}:{}:async-invoke/{id}", state.config.account),
        model_arn: format!("arn:aws:bedrock:{region}::foundation-model/{base}"),
        token,
        body: body.clone(),
        submitted,
        ends: submitted.plus(TAKES.div_f64(state.config.time_scale)),
    };
    let answer = json!({ "invocationArn": job.arn });
    jobs.push(job);
    Ok(answer)
}

/// One job.
pub(crate) fn get(state: &State, arn: &str) -> Result<Value, AwsError> {
    let jobs = state.jobs.0.lock();
    let short = |j: &&Job| j.arn == arn || j.arn.rsplit('/').next() == Some(arn);
    let job = jobs.iter().find(short);
    job.map(|j| shown(j, state.clock.now())).ok_or_else(|| {
        AwsError::validation("Invalid ARN provided in request. Please check the ARN and try again.")
    })
}

/// Jobs by status and time of submission, in pages.
pub(crate) fn list(state: &State, query: &[(String, String)]) -> Result<Value, AwsError> {
    let status = allowed(query, "statusEquals", &["InProgress", "Completed", "Failed"])?;
    let order = allowed(query, "sortOrder", &["Ascending", "Descending"])?;
    allowed(query, "sortBy", &["SubmissionTime"])?;
    let time = |name: &str| match pick(query, name) {
        None => Ok(None),
        Some(text) => Timestamp::parse(text)
            .map(Some)
            .map_err(|_| AwsError::validation(format!("The value of {name} is not a timestamp."))),
    };
    let (after, before) = (time("submitTimeAfter")?, time("submitTimeBefore")?);
    let (most, from) = page(query)?;
    let now = state.clock.now();
    let mut jobs = state.jobs.0.lock().clone();
    jobs.retain(|j| after.is_none_or(|t| j.submitted > t) && before.is_none_or(|t| j.submitted < t));
    if order != Some("Ascending") {
        jobs.reverse();
    }
    let all: Vec<Value> =
        jobs.iter().map(|j| shown(j, now)).filter(|j| status.is_none_or(|s| j["status"] == s)).collect();
    let rows: Vec<&Value> = all.iter().skip(from).take(most).collect();
    let mut out = json!({ "asyncInvokeSummaries": rows });
    if from + most < all.len() {
        out["nextToken"] = json!(token(from + most));
    }
    Ok(out)
}

fn shown(job: &Job, now: Timestamp) -> Value {
    let done = now >= job.ends;
    let mut out = json!({
        "invocationArn": job.arn,
        "modelArn": job.model_arn,
        "status": if done { "Completed" } else { "InProgress" },
        "submitTime": job.submitted.to_string(),
        "lastModifiedTime": if done { job.ends } else { job.submitted }.to_string(),
        "outputDataConfig": job.body["outputDataConfig"],
    });
    if let Some(token) = &job.token {
        out["clientRequestToken"] = json!(token);
    }
    if done {
        out["endTime"] = json!(job.ends.to_string());
    }
    out
}
