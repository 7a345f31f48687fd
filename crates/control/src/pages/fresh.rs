//! What is asked of the ledger at most every few seconds, however many people look.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::{Clock, Tick};
use tokio::sync::Mutex;

/// How old the answer may be.
const FRESH: Duration = Duration::from_secs(4);
/// How long a page waits for the ledger.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was asked for, or why it is not known.
pub(crate) type Answer<T> = Result<Arc<T>, String>;

/// The last answer, and when it came.
pub(crate) struct Fresh<T>(Mutex<Option<(Tick, Answer<T>)>>);

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Fresh<T> {
    /// The last answer, if it is not old; else that of `asking`.
    pub(crate) async fn or<E: Display>(
        &self,
        clock: &dyn Clock,
        asking: impl Future<Output = Result<T, E>>,
    ) -> Answer<T> {
        // whoever comes second waits for the first one's answer
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = &*last
            && clock.tick().since(*at) < FRESH
        {
            return answer.clone();
        }
        let answer = match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(said)) => Ok(Arc::new(said)),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Err("the ledger did not answer in two seconds".to_owned()),
        };
        *last = Some((clock.tick(), answer.clone()));
        answer
    }
}
