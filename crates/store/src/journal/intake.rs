//! The journal as the pipeline sees it: places are counted, the pipeline's record is the ticket.

use std::sync::Arc;

use bedplate_core::BoxFuture;
use bedplate_core::ports::{Intake, StoreError};
use bedplate_core::record::Outcome;

use super::Journal;

impl Intake for Journal {
    fn try_reserve(&self) -> bool {
        self.shared.places.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    fn reserve(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            match self.shared.places.acquire().await {
                Ok(place) => {
                    place.forget();
                    Ok(())
                }
                Err(_) => Err(StoreError::Unavailable("the writer has stopped".into())),
            }
        })
    }

    fn settle(&self, outcome: Arc<Outcome>) {
        self.shared.settle(outcome);
    }

    fn release(&self) {
        self.shared.places.add_permits(1);
    }

    fn why_full(&self) -> StoreError {
        self.shared.why_full()
    }
}
