//! Slots of throttles: what waiting for one takes of a call's own time.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::rate::Rates;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::{Pace, Refused, Reply, ThrottleConfig, Throttles, throttles};
use bedplate_testkit::MemoryRates;
use tokio::time::Instant;

use super::aws::Paused;
use super::traffic::nothing_kept;
use crate::house::{House, Script, call};
use crate::routes::Cued;

/// A house of one call at a time that takes 9 s, with `total` for each.
fn narrow(total: Duration) -> (House, Arc<Cued>) {
    let clock = Paused::new();
    let first = Script::Whole { after: Duration::from_secs(9), status: 200 };
    let upstream = Cued::new("use1", [first], Script::Hangs);
    let mut house = House::over(upstream.clone(), |_| nothing_kept(&clock));
    let books = Arc::get_mut(&mut house.books).unwrap();
    books.clock = Arc::clone(&clock) as _;
    books.pace = Pace::new(Arc::clone(&clock) as _);
    let one: ThrottleConfig = toml::from_str("name = 'one'\nconcurrency = 1").unwrap();
    let rates = Arc::new(MemoryRates::new(clock)) as Arc<dyn Rates>;
    let pipeline = Arc::get_mut(&mut house.pipeline).unwrap();
    pipeline.throttles = Throttles::new(throttles(&[one]).unwrap(), rates);
    pipeline.timeouts.total = total;
    (house, upstream)
}

async fn ask(house: &House) -> Result<Reply, Refusal> {
    let record = house.open().await.unwrap();
    house.pipeline.run(call(Operation::Converse), record).await.map_err(|Refused(refused)| {
        let (refusal, record) = *refused;
        record.refused(&refusal, 503, "ServiceUnavailableException");
        refusal
    })
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_a_slot_has_the_rest_of_its_time_upstream() {
    let (house, upstream) = narrow(Duration::from_secs(20));
    let began = Instant::now();
    let (first, second) = tokio::join!(ask(&house), ask(&house));
    assert!(first.is_ok());
    assert!(second.is_err(), "it hangs");
    let asked = upstream.asked();
    let (at, until) = (asked[1].1, asked[1].2);
    assert_eq!((at - began, until - began), (Duration::from_secs(9), Duration::from_secs(20)));
    assert_eq!(began.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_slot_beyond_its_own_time() {
    let (house, upstream) = narrow(Duration::from_secs(5));
    let began = Instant::now();
    let (_, second) = tokio::join!(ask(&house), async {
        let refused = ask(&house).await.err();
        (refused.map(|refusal| refusal.code), began.elapsed())
    });
    assert_eq!(second, (Some(Code::SlotsTaken), Duration::from_secs(5)));
    assert_eq!(upstream.asked().len(), 1, "it never went");
}
