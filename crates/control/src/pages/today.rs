//! What today has cost so far, from the ledger's roll-ups; asked at most every few seconds, however
//! many people look.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Tick;
use bedplate_core::ports::Total;
use tokio::sync::Mutex;

use crate::api::totals::midnight;
use crate::server::Parts;

/// How old the answer may be.
const FRESH: Duration = Duration::from_secs(4);
/// How long a page waits for the ledger.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(crate) struct Today(Mutex<Option<(Tick, Answer)>>);

/// The roll-ups of today, or why there are none.
pub(crate) type Answer = Result<Arc<Vec<Total>>, String>;

impl Today {
    pub(crate) async fn totals(&self, parts: &Parts) -> Answer {
        // whoever comes second waits for the first one's answer
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = &*last
            && parts.clock.tick().since(*at) < FRESH
        {
            return answer.clone();
        }
        let now = parts.clock.now();
        let asked = tokio::time::timeout(PATIENCE, parts.ledger.totals(midnight(now), now)).await;
        let answer = match asked {
            Ok(Ok(totals)) => Ok(Arc::new(totals)),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Err("the ledger did not answer in two seconds".to_owned()),
        };
        *last = Some((parts.clock.tick(), answer.clone()));
        answer
    }
}
