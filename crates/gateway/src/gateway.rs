//! One call, from request to response.

use std::convert::Infallible;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bedplate_core::call::CallId;
use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::{Admission, Books, Keyring, Pipeline, Record, Refused};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::body::InFlight;
use crate::config::{Auth, Limits};
use crate::connection::exchange::{Conn, Exchange};
use crate::doors::{Came, Door, Visit, until};
use crate::names::Names;
use crate::respond::{Outgoing, models, refuse, reply};

/// What every worker shares.
pub struct Gateway {
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    /// Changed one key at a time, not with the snapshot.
    pub keyring: Arc<Keyring>,
    /// One configuration; a call keeps the one it began with.
    pub snapshot: ArcSwap<Snapshot>,
    pub(crate) bodies: Arc<InFlight>,
}

/// A configuration, compiled.
pub struct Snapshot {
    pub pipeline: Pipeline,
    pub books: Arc<Books>,
    pub limits: Limits,
    pub auth: Auth,
    /// Of vendors' models.
    pub names: Names,
}

impl Gateway {
    pub fn new(
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        keyring: Arc<Keyring>,
        snapshot: Snapshot,
    ) -> Arc<Self> {
        let bodies = Arc::default();
        Arc::new(Self { clock, ids, keyring, snapshot: ArcSwap::from_pointee(snapshot), bodies })
    }

    /// Serves one request. Whatever happens there is a response with a call id, and one record.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        exchange: Exchange,
    ) -> Result<Response<Outgoing>, Infallible> {
        let mut response = self.answer(request, exchange.conn()).await;
        response.body_mut().belongs_to(exchange);
        Ok(response)
    }

    async fn answer(&self, request: Request<Incoming>, conn: &Conn) -> Response<Outgoing> {
        let (began, at) = (self.clock.tick(), self.clock.now());
        let id = CallId::new(at, &*self.ids);
        let snapshot = self.snapshot.load_full();
        let books = &snapshot.books;
        let door = Door::of(&request);
        let until = until(&request, Instant::now());
        let full = match until {
            Ok(Some(until)) => timeout_at(until, books.reserve()).await.unwrap_or_else(|_| Err(too_late())),
            Ok(None) | Err(_) => books.reserve().await,
        };
        let full = full.err();
        let admission = if full.is_none() { Admission::Placed } else { Admission::TurnedAway };
        let mut record = Record::open(Arc::clone(books), id, at, began, admission);
        record.spoken(door.0);
        let operation = door.operation(&request);
        if let Some(refusal) = full {
            return refuse(refusal, record, door);
        }
        let read = match until {
            Ok(until) => {
                let came = Came { id, at, until };
                door.read(self, &snapshot, request, conn, came, &mut record).await
            }
            Err(refusal) => Err(refusal),
        };
        let (visit, _held) = match read {
            Ok(read) => read,
            Err(refusal) => return refuse(refusal, record, door),
        };
        let call = match visit {
            Visit::Call(call) => call,
            Visit::Models(call, which) => return models(&snapshot, call, which.as_deref(), record, door),
        };
        match snapshot.pipeline.run(call, record).await {
            Ok(answer) => reply(answer, id, door, operation),
            Err(Refused(refused)) => {
                let (refusal, record) = *refused;
                refuse(refusal, record, door)
            }
        }
    }
}

/// The caller's own deadline passed while there was no place in the ledger.
fn too_late() -> Refusal {
    Refusal::of(Code::TotalTimeout).because("the ledger had no place until the caller's deadline")
}
