//! One call as an SDK makes it: signed, streamed, asked again when it is throttled.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::{Headers, Operation, Spoken};
use bedplate_core::clock::{Clock, Tick};
use bedplate_core::pace::Class;
use bedplate_core::usage::Usage;
use bedplate_core::view::Refuses;
use bedplate_pipeline::{Answer, AnswerBody, Ask, Deadlines, Flow, Provider, Timeouts};
use bedplate_upstream::Bedrock;
use bedplate_wire::sigv4::BodyDigest;
use serde_json::json;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) class: Class,
    /// Tokens.
    pub(super) prompt: usize,
    pub(super) writes: usize,
    pub(super) most: u64,
    /// 0 to 1, for the waits before it is asked again.
    pub(super) chance: f64,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) class: Class,
    pub(super) answered: bool,
    /// Requests for it, and how many of them were throttled.
    pub(super) requests: u32,
    pub(super) throttled: u32,
    /// From when it was due until its first token.
    pub(super) first_token: Option<Duration>,
    pub(super) usage: Option<Usage>,
}

/// Requests for one call, as in the standard mode of AWS SDKs.
const TRIES: u32 = 3;
/// Four characters: a token of the simulator.
const WORD: &str = "tide ";
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    first_token: Duration::from_secs(20),
    idle: Duration::from_secs(20),
    total: Duration::from_secs(30),
};

/// Calls `model`, and again after a throttle or a failure of the server.
pub(super) async fn make(
    provider: &Arc<Bedrock>,
    model: &str,
    question: Question,
    due: Tick,
    clock: &Arc<dyn Clock>,
) -> Fate {
    let mut fate = Fate {
        class: question.class,
        answered: false,
        requests: 0,
        throttled: 0,
        first_token: None,
        usage: None,
    };
    for n in 1..=TRIES {
        fate.requests += 1;
        let answer =
            Arc::clone(provider).attempt(ask(model, question), Deadlines::starting_now(&TIMEOUTS)).await;
        let again = match answer {
            Ok(Answer { status: 200, body: AnswerBody::Stream(flow), .. }) => {
                read(flow, &mut fate, due, clock).await;
                return fate;
            }
            Ok(answer) => {
                fate.throttled += u32::from(answer.status == 429);
                answer.status == 429 || answer.status >= 500
            }
            Err(_) => true,
        };
        if !again {
            break;
        }
        if n < TRIES {
            // full jitter: anything up to one second, then two
            tokio::time::sleep(Duration::from_secs_f64(question.chance * f64::from(n))).await;
        }
    }
    fate
}

async fn read(mut flow: Box<dyn Flow>, fate: &mut Fate, due: Tick, clock: &Arc<dyn Clock>) {
    loop {
        match std::future::poll_fn(|cx| flow.poll_piece(cx)).await {
            Some(Ok(piece)) => {
                if piece.heard.content && fate.first_token.is_none() {
                    fate.first_token = Some(clock.tick().since(due));
                }
            }
            Some(Err(_)) => break,
            None => {
                fate.answered = true;
                break;
            }
        }
    }
    fate.usage = flow.metered().usage;
}

fn ask(model: &str, question: Question) -> Ask {
    let body = json!({
        "system": [{ "text": WORD.repeat(question.prompt * 4 / WORD.len()) }],
        "messages": [{ "role": "user", "content": [{ "text": format!("Say {}", WORD.repeat(question.writes * 4 / WORD.len())) }] }],
        "inferenceConfig": { "maxTokens": question.most },
    })
    .to_string();
    let mut headers = Headers::default();
    headers.push("content-type", "application/json");
    headers.push("x-bedplate-priority", question.class.name());
    Ask {
        operation: Operation::ConverseStream,
        path: format!("/model/{}/converse-stream", model.replace(':', "%3A")),
        stands_in: false,
        query: String::new(),
        headers,
        who: None,
        sha256: *BodyDigest::of(body.as_bytes()).bytes(),
        body: vec![body.into()],
        target: model.into(),
        model: model.into(),
        spoken: Spoken::default(),
        refuses: Refuses::default(),
        sent: Arc::default(),
    }
}
