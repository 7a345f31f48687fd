//! The life of a call.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::refusal::Refusal;

use crate::admit::admit;
use crate::call::Call;
use crate::compose::compose;
use crate::compose::routes::Routes;
use crate::guard::{Cleared, clear};
use crate::invoke::deadline::Timeouts;
use crate::invoke::invoke;
use crate::reply::Reply;
use crate::reserve::reserve;
use crate::review::review;
use crate::settle::record::Record;

/// One configuration, compiled: a call runs in one pipeline from start to end.
pub struct Pipeline {
    pub routes: Arc<Routes>,
    /// Operations that are passed on unmetered because configuration names them.
    pub allowed: Vec<Operation>,
    pub timeouts: Timeouts,
    pub drain: Drain,
}

/// What happens upstream when the caller hangs up: AWS bills what it generates either way.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Read on for at most this long, so that the ledger shows the real usage; zero lets go at once
    /// and estimates.
    pub bound: Duration,
}

impl Pipeline {
    /// Runs a call from admission to settlement.
    ///
    /// # Errors
    /// The refusal, with the record, which the door settles once it knows the status of its dialect.
    pub async fn run(&self, call: Call, mut record: Record) -> Result<Reply, Refused> {
        let cleared = match self.prepare(call, &mut record).await {
            Ok(cleared) => cleared,
            Err(refusal) => return Err(Refused::new(refusal, record)),
        };
        let answered = invoke(cleared, record, self.timeouts, self.drain).await?;
        Ok(review(answered))
    }

    /// Everything before the first byte goes upstream.
    async fn prepare(&self, call: Call, record: &mut Record) -> Result<Cleared, Refusal> {
        let prepared = async {
            let admitted = admit(call, record, &self.allowed)?;
            let mut composed = compose(admitted, &self.routes, record)?;
            reserve(&mut composed, record).await?;
            Ok(clear(composed))
        };
        let prepared = prepared.await;
        record.cleared();
        prepared
    }
}

/// A refusal and the record that must still be settled with it.
pub struct Refused(pub Box<(Refusal, Record)>);

impl Refused {
    pub(crate) fn new(refusal: Refusal, record: Record) -> Self {
        Self(Box::new((refusal, record)))
    }
}
