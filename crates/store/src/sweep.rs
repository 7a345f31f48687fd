//! Retention: days that are over age go, one by one.

use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::Calls;

/// How often it is looked. Days end once a day, but a database that is busy or away is asked again.
const PAUSE: Duration = Duration::from_secs(3_600);

/// Drops days older than `retention`, now and every hour, for as long as it is polled.
pub(crate) async fn sweep(calls: &dyn Calls, retention: Duration, clock: &dyn Clock) {
    loop {
        let before = clock.now().minus(retention);
        match calls.retain(before).await {
            Ok(0) => {}
            Ok(days) => tracing::info!(days, %before, "dropped days of calls; their sums stay"),
            Err(error) => tracing::warn!(%error, "days of calls cannot be dropped now"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
