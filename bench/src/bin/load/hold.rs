//! Many slow streams at once, held open while somebody looks at the gateway's memory.

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bedplate_bench::client::Connection;
use bedplate_bench::frames::Seen;
use bedplate_bench::http1::bad;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Load;

/// Streams that are being opened at one time.
const OPENING: usize = 128;

#[derive(Default)]
struct Tally {
    open: usize,
    broken: usize,
    why: Option<String>,
    deltas: u64,
}

/// Opens `count` streams, prints a line when each has had its first frame, holds them until standard input
/// ends.
pub(crate) async fn run(load: Load, count: usize) -> Result<Value, Box<dyn Error>> {
    let (load, tally, doors) =
        (Rc::new(load), Rc::new(RefCell::new(Tally::default())), Rc::new(Semaphore::new(OPENING)));
    let began = Instant::now();
    let mut streams = JoinSet::new();
    for n in 0..count {
        let (load, tally, doors) = (Rc::clone(&load), Rc::clone(&tally), Rc::clone(&doors));
        streams.spawn_local(async move {
            if let Err(e) = one(&load, &tally, &doors, n).await {
                let mut tally = tally.borrow_mut();
                tally.broken += 1;
                tally.why = Some(e.to_string());
            }
        });
    }
    while tally.borrow().open + tally.borrow().broken < count && began.elapsed() < Duration::from_secs(120) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{}", report(&tally.borrow(), began));
    let mut end = Vec::new();
    tokio::io::stdin().read_to_end(&mut end).await?;
    Ok(report(&tally.borrow(), began))
}

fn report(tally: &Tally, began: Instant) -> Value {
    json!({ "open": tally.open, "broken": tally.broken, "why": tally.why, "deltas": tally.deltas, "secs": began.elapsed().as_secs_f64() })
}

async fn one(load: &Load, tally: &RefCell<Tally>, doors: &Semaphore, n: usize) -> io::Result<()> {
    let mut opening = Some(doors.acquire().await.map_err(io::Error::other)?);
    let mut request = String::new();
    load.maker(n).next(&mut request);
    let mut connection = Connection::open(&load.target).await?;
    if connection.begin(&request).await? != 200 {
        return Err(bad("the status is not 200"));
    }
    let (mut seen, mut bytes) = (Seen::default(), Vec::new());
    while connection.more(&mut bytes).await? {
        let before = seen.deltas;
        let taken = seen.take(&bytes)?;
        bytes.drain(..taken);
        let mut tally = tally.borrow_mut();
        tally.deltas += seen.deltas - before;
        if seen.frames > 0 && opening.take().is_some() {
            tally.open += 1;
        }
    }
    Err(bad("the stream ended while it was held"))
}
