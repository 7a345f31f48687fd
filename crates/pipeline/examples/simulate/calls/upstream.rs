//! An upstream that plays the part its cue says, and tells the world what it sees.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::call::Headers;
use bedplate_core::content::Content;
use bedplate_core::record::AttemptTimings;
use bedplate_core::refusal::Code;
use bedplate_core::usage::Usage;
use bedplate_pipeline::{
    Answer, AnswerBody, Ask, Broke, Deadlines, Failed, Flow, Heard, Metered, Piece, Provider, ProviderFacts,
};
use bytes::Bytes;
use tokio::time::{Sleep, sleep, sleep_until, timeout_at};

use super::plan::{Cue, Plan};
use super::world::World;

pub(super) struct Front {
    pub facts: ProviderFacts,
    pub at: usize,
    pub world: Arc<World>,
}

/// A request that is under way. Dropped, it ended and nobody heard how.
pub(super) struct Ticket {
    world: Arc<World>,
    pub call: usize,
    pub lane: Option<(usize, usize)>,
    place: (usize, usize),
    pub need: u64,
    burndown: u64,
    plan: Plan,
    cue: Cue,
    sent: Arc<AtomicBool>,
    open: bool,
}

impl Ticket {
    #[allow(clippy::too_many_arguments, reason = "made in one place")]
    pub(super) fn new(
        world: &Arc<World>,
        call: usize,
        lane: Option<(usize, usize)>,
        place: (usize, usize),
        need: u64,
        burndown: u64,
        plan: Plan,
        cue: Cue,
        sent: &Arc<AtomicBool>,
    ) -> Self {
        let (world, sent) = (Arc::clone(world), Arc::clone(sent));
        Self { world, call, lane, place, need, burndown, plan, cue, sent, open: true }
    }

    fn ends(&mut self, used: Option<u64>, status: Option<u16>) {
        if std::mem::take(&mut self.open) {
            self.world.clone().ends(self, used, status);
        }
    }

    /// What the upstream says it used, and that as its quota counts it.
    fn told(&self) -> (Usage, u64) {
        let Plan { prompt, cached, writes, .. } = self.plan;
        let usage = Usage { input: prompt - cached, cache_read: cached, output: writes, ..Usage::default() };
        (usage, prompt - cached + writes * self.burndown)
    }

    /// What is taken for it when the upstream does not say.
    fn guessed(&self, bytes: u64) -> u64 {
        self.plan.prompt + bytes.div_ceil(4).min(self.plan.most) * self.burndown
    }

    #[allow(clippy::result_large_err, reason = "what the port gives")]
    fn status(mut self, status: u16) -> Result<Answer, Failed> {
        self.ends(Some(0), Some(status));
        Ok(answer(status, AnswerBody::Whole(Content::from_static(b"{}"), Metered::default())))
    }

    async fn play(mut self, deadlines: Deadlines) -> Result<Answer, Failed> {
        let streams = self.plan.streams;
        match self.cue {
            Cue::Refuses => {
                sleep(Duration::from_millis(1)).await;
                return Err(failed(Code::Unreachable, false));
            }
            Cue::Dark => {
                sleep_until(deadlines.connect).await;
                return Err(failed(Code::ConnectTimeout, false));
            }
            _ => self.sent.store(true, Ordering::Relaxed),
        }
        if !self.world.takes(self.place, self.need) {
            sleep(Duration::from_millis(5)).await;
            return self.status(429);
        }
        let after = match self.cue {
            Cue::Well(after) | Cue::Error(_, after) | Cue::Loses(after) => after,
            _ => 30,
        };
        sleep(Duration::from_millis(after)).await;
        match self.cue {
            Cue::Error(status, _) => self.status(status),
            Cue::Loses(_) => Err(failed(Code::BrokenAnswer, true)),
            Cue::Hangs => std::future::pending().await,
            Cue::Stalls(_) if !streams => std::future::pending().await,
            Cue::Breaks(_) if !streams => Err(failed(Code::BrokenAnswer, true)),
            // thrown before anything else, it is an error like others
            Cue::Throws(at) if !streams || at == 0 => self.status(503),
            _ if streams => Ok(answer(200, AnswerBody::Stream(Box::new(Stream::new(self))))),
            Cue::Untold => {
                let used = self.guessed(2);
                self.ends(Some(used), Some(200));
                Ok(answer(200, AnswerBody::Whole(Content::from_static(b"{}"), Metered::default())))
            }
            _ => {
                let (usage, used) = self.told();
                self.ends(Some(used), Some(200));
                let metered = Metered { usage: Some(usage), ..Metered::default() };
                Ok(answer(200, AnswerBody::Whole(Content::from_static(b"{}"), metered)))
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // what was never sent used nothing; of what was, nobody knows
        let used = (!self.sent.load(Ordering::Relaxed)).then_some(0);
        self.ends(used, None);
    }
}

impl Provider for Front {
    fn facts(&self) -> &ProviderFacts {
        &self.facts
    }

    fn attempt(
        self: Arc<Self>,
        ask: Ask,
        deadlines: Deadlines,
    ) -> BoxFuture<'static, Result<Answer, Failed>> {
        let ticket = self.world.begins(self.at, &ask);
        Box::pin(async move {
            let first = ticket.plan.streams && deadlines.first_token < deadlines.total;
            let (until, code) = match first {
                true => (deadlines.first_token, Code::FirstTokenTimeout),
                false => (deadlines.total, Code::TotalTimeout),
            };
            let playing = ticket.play(deadlines);
            match timeout_at(until, playing).await {
                Ok(played) => played,
                Err(_) => Err(failed(code, ask.sent.load(Ordering::Relaxed))),
            }
        })
    }
}

fn failed(code: Code, sent: bool) -> Failed {
    Failed {
        code,
        said: None,
        cause: "as planned".into(),
        request_id: None,
        sent,
        timings: AttemptTimings::default(),
    }
}

fn answer(status: u16, body: AnswerBody) -> Answer {
    let error = (status != 200).then(|| "AsPlanned".to_owned());
    Answer {
        status,
        headers: Headers::default(),
        request_id: None,
        error,
        body,
        timings: AttemptTimings::default(),
        dropped: Vec::new(),
    }
}

struct Stream {
    ticket: Ticket,
    gap: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    pieces: usize,
    given: usize,
    ended: bool,
}

const PIECE: &[u8] = b"a piece of text";

impl Stream {
    fn new(ticket: Ticket) -> Self {
        let gap = Duration::from_millis(10 + ticket.plan.writes % 300);
        let pieces = 1 + (ticket.plan.writes % 6) as usize;
        Self { ticket, gap, timer: None, pieces, given: 0, ended: false }
    }
}

impl Flow for Stream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broke>>> {
        let gap = self.gap;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(gap)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let fault = match self.ticket.cue {
            Cue::Breaks(at) | Cue::Throws(at) | Cue::Stalls(at) if self.given >= at => Some(self.ticket.cue),
            _ => None,
        };
        match fault {
            Some(Cue::Breaks(_)) => {
                return Poll::Ready(Some(Err(Broke {
                    code: Code::BrokenAnswer,
                    cause: "as planned".into(),
                })));
            }
            Some(Cue::Stalls(_)) => return Poll::Pending,
            Some(_) if !self.ended => {
                self.ended = true;
                let heard = Heard { content: false, exception: Some("ModelStreamErrorException".into()) };
                return Poll::Ready(Some(Ok(Piece { bytes: Bytes::from_static(b"exception"), heard })));
            }
            Some(_) => return Poll::Ready(None),
            None => {}
        }
        if self.given < self.pieces {
            self.timer = None;
            self.given += 1;
            let heard = Heard { content: true, exception: None };
            return Poll::Ready(Some(Ok(Piece { bytes: Bytes::from_static(PIECE), heard })));
        }
        self.ended = true;
        Poll::Ready(None)
    }

    fn metered(mut self: Box<Self>) -> Metered {
        let well = self.ended && !matches!(self.ticket.cue, Cue::Throws(at) if self.given >= at);
        let read = (self.given * PIECE.len()) as u64;
        let (usage, used) = match well && self.ticket.cue != Cue::Untold {
            true => {
                let (usage, used) = self.ticket.told();
                (Some(usage), used)
            }
            false => (None, self.ticket.guessed(read)),
        };
        self.ticket.ends(Some(used), Some(200));
        Metered { usage, output_bytes: read, ..Metered::default() }
    }
}
