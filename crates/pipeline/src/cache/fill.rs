//! An answer is kept on its way: whole ones when they have come, streams when they have ended.
//!
//! It happens inside the attempt, so that an answer whose caller hung up is kept, too, as long as it is read.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bedplate_core::BoxFuture;
use bedplate_core::cache::{Entry, Epoch, Finish, Place};
use bedplate_core::call::{CallId, Headers};
use bedplate_core::content::Content;
use bytes::BytesMut;
use parking_lot::Mutex;

use super::flight::Seat;
use super::{Caching, Rule};
use crate::invoke::inflight::detach;
use crate::provider::{Answer, AnswerBody, Broke, Failed, Flow, Metered, Piece};

/// Where the answer of an attempt goes, if it may be kept. Dropped without one, whoever waits asks for themselves.
pub(crate) struct Fill {
    pub(super) caching: Caching,
    /// Which of the rules.
    pub(super) rule: usize,
    pub(super) place: Place,
    /// `None` when the cache could not be asked: then only those who wait get the answer.
    pub(super) epoch: Option<Epoch>,
    /// `None` when nobody may wait for it.
    pub(super) seat: Option<Seat>,
    pub(super) call: CallId,
    /// The name that prices are looked up by.
    pub(super) priced: Arc<str>,
    /// A prompt router's choice is priced instead.
    pub(super) routed: bool,
    pub(super) region: Arc<str>,
}

type Attempt = BoxFuture<'static, Result<Answer, Failed>>;

/// Where the answer of one of several attempts goes: the first that has one fills it.
#[derive(Clone)]
pub(crate) struct Filling(Arc<Mutex<Option<Fill>>>);

impl Filling {
    pub(crate) fn new(fill: Fill) -> Self {
        Self(Arc::new(Mutex::new(Some(fill))))
    }

    /// The attempt, whose answer is kept.
    pub(crate) fn through(&self, attempt: Attempt) -> Attempt {
        let this = self.clone();
        Box::pin(async move {
            let answer = attempt.await?;
            let fill = if answer.status == 200 { this.0.lock().take() } else { None };
            Ok(match fill {
                Some(fill) => fill.keep(answer),
                None => answer,
            })
        })
    }
}

impl Fill {
    fn keep(self, mut answer: Answer) -> Answer {
        match answer.body {
            AnswerBody::Whole(content, metered) => {
                if self.takes(content.len()) && self.keeps(metered.finish) {
                    self.put(&answer.headers, content.clone(), &metered);
                }
                answer.body = AnswerBody::Whole(content, metered);
            }
            AnswerBody::Stream(flow) => {
                let headers = answer.headers.clone();
                let keeping = Keeping { fill: Some(self), frames: BytesMut::new(), headers };
                answer.body = AnswerBody::Stream(Box::new(Listening { flow, keeping, ended: false }));
            }
        }
        answer
    }

    fn priced(&self, metered: &Metered) -> Arc<str> {
        let chosen = metered.model.as_deref().filter(|_| self.routed);
        chosen.map_or_else(|| Arc::clone(&self.priced), Arc::from)
    }

    fn rule(&self) -> &Rule {
        &self.caching.rules[self.rule]
    }

    fn takes(&self, bytes: usize) -> bool {
        bytes <= self.rule().largest
    }

    fn keeps(&self, finish: Finish) -> bool {
        self.rule().keeps(finish)
    }

    fn put(mut self, headers: &Headers, body: Content, metered: &Metered) {
        let (ttl, stale) = (self.rule().ttl, self.rule().stale);
        let made_at = self.caching.clock.now();
        let fresh_until = made_at.plus(ttl);
        let entry = Arc::new(Entry {
            call: self.call,
            headers: of_the_answer(headers),
            body,
            usage: metered.usage.clone(),
            target: self.priced(metered),
            region: Arc::clone(&self.region),
            tier: metered.tier.clone(),
            stop_reason: metered.stop_reason.clone(),
            made_at,
            fresh_until,
            kept_until: fresh_until.plus(stale),
        });
        let seat = self.seat.take().map(|seat| seat.land(Arc::clone(&entry)));
        let Some(epoch) = self.epoch else { return };
        let (store, place) = (self.caching.store, self.place);
        let mut work: BoxFuture<'static, ()> = Box::pin(async move {
            // what cannot be kept is asked again
            let _ = store.put(&place, &entry, epoch).await;
            drop(seat);
        });
        // memory takes it at once; nobody waits for a store that is further away
        if pin!(&mut work).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            detach(work);
        }
    }
}

/// Headers that belong to the answer, not to its way here.
fn of_the_answer(headers: &Headers) -> Headers {
    let mut kept = Headers::default();
    for (name, value) in headers.iter() {
        if **name == *b"content-type" || name.starts_with(b"x-amzn-bedrock-") {
            kept.push(name.clone(), value.clone());
        }
    }
    kept
}

/// A stream that is kept while it is read.
struct Listening {
    flow: Box<dyn Flow>,
    keeping: Keeping,
    /// It came to a good end.
    ended: bool,
}

struct Keeping {
    /// `None` once it is clear that the answer is not kept.
    fill: Option<Fill>,
    frames: BytesMut,
    headers: Headers,
}

impl Keeping {
    fn hear(&mut self, piece: &Piece) {
        let Some(fill) = &self.fill else { return };
        if piece.heard.exception.is_some() || !fill.takes(self.frames.len() + piece.bytes.len()) {
            return self.give_up();
        }
        self.frames.extend_from_slice(&piece.bytes);
    }

    fn give_up(&mut self) {
        self.fill = None;
        self.frames = BytesMut::new();
    }

    fn end(self, metered: &Metered) {
        if let Some(fill) = self.fill
            && fill.keeps(metered.finish)
        {
            fill.put(&self.headers, Content::new(self.frames.freeze()), metered);
        }
    }
}

impl Flow for Listening {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broke>>> {
        let polled = self.flow.poll_piece(cx);
        match &polled {
            Poll::Ready(Some(Ok(piece))) => self.keeping.hear(piece),
            Poll::Ready(Some(Err(_))) => self.keeping.give_up(),
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => {}
        }
        polled
    }

    fn metered(self: Box<Self>) -> Metered {
        let Self { flow, keeping, ended } = *self;
        let metered = flow.metered();
        if ended {
            keeping.end(&metered);
        }
        metered
    }
}
