//! Streams: each is read frame by frame, its checksums verified, its texts counted.

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bedplate_bench::client::Connection;
use bedplate_bench::cpu;
use bedplate_bench::frames::Seen;
use bedplate_bench::http1::bad;
use bedplate_bench::request::Words;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Load;

struct Tally {
    first: Histogram<u64>,
    total: Histogram<u64>,
    gap: Histogram<u64>,
    deltas: u64,
    frames: u64,
    bad: u64,
    why: Option<String>,
}

impl Tally {
    fn add(&mut self, times: &Times) {
        self.first.saturating_record(times.first.as_nanos() as u64);
        self.total.saturating_record(times.total.as_nanos() as u64);
        self.gap.saturating_record(times.gap.as_nanos() as u64);
        self.deltas += times.seen.deltas;
        self.frames += times.seen.frames;
    }

    fn fail(&mut self, why: &io::Error) {
        self.bad += 1;
        self.why = Some(why.to_string());
    }
}

/// Times of one stream.
struct Times {
    first: Duration,
    total: Duration,
    gap: Duration,
    seen: Seen,
}

pub(crate) async fn run(load: Load) -> Result<Value, Box<dyn Error>> {
    let histogram = || Histogram::new_with_bounds(1_000, 120_000_000_000, 3);
    let tally = Tally {
        first: histogram()?,
        total: histogram()?,
        gap: histogram()?,
        deltas: 0,
        frames: 0,
        bad: 0,
        why: None,
    };
    let (load, tally) = (Rc::new(load), Rc::new(RefCell::new(tally)));
    let warm = Instant::now() + load.warmup;
    let mut streams = JoinSet::new();
    for n in 0..load.connections {
        streams.spawn_local(one_after_the_other(Rc::clone(&load), Rc::clone(&tally), n, warm));
    }
    tokio::time::sleep_until(warm.into()).await;
    let (before, began) = (cpu::seconds(&load.pids), Instant::now());
    while streams.join_next().await.is_some() {}
    // to the end of the last stream, as its chunks are counted too
    let (cpu, secs) = (cpu::seconds(&load.pids) - before, began.elapsed().as_secs_f64());
    let tally = tally.borrow();
    let ms = |of: &Histogram<u64>, q| of.value_at_quantile(q) as f64 / 1e6;
    let count = tally.total.len();
    Ok(json!({
        "streams": count, "bad": tally.bad, "why": tally.why, "secs": secs, "streams_per_s": count as f64 / secs,
        "deltas": tally.deltas, "frames": tally.frames, "deltas_per_stream": tally.deltas as f64 / count.max(1) as f64,
        "first_p50_ms": ms(&tally.first, 0.5), "first_p99_ms": ms(&tally.first, 0.99),
        "total_p50_ms": ms(&tally.total, 0.5), "gap_p50_ms": ms(&tally.gap, 0.5), "gap_p99_ms": ms(&tally.gap, 0.99),
        "cpu_s": cpu, "cpu_us_per_delta": cpu * 1e6 / tally.deltas.max(1) as f64, "busy": cpu / secs,
    }))
}

/// Counts the streams that begin after the warm-up and within the window.
async fn one_after_the_other(load: Rc<Load>, tally: Rc<RefCell<Tally>>, n: usize, warm: Instant) {
    let (mut maker, mut request, mut connection) = (load.maker(n), String::new(), None);
    while Instant::now() < warm + load.window {
        maker.next(&mut request);
        let counted = Instant::now() >= warm;
        let stream =
            tokio::time::timeout(Duration::from_secs(60), stream(&load, &mut connection, &request)).await;
        let stream = stream.unwrap_or_else(|e| Err(io::Error::other(e)));
        match stream {
            Ok(times) if counted => tally.borrow_mut().add(&times),
            Ok(_) => {}
            Err(e) => {
                tally.borrow_mut().fail(&e);
                connection = None;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn stream(load: &Load, connection: &mut Option<Connection>, request: &str) -> io::Result<Times> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(Connection::open(&load.target).await?),
    };
    let began = Instant::now();
    if connection.begin(request).await? != 200 {
        return Err(bad("the status is not 200"));
    }
    let (mut seen, mut bytes) = (Seen::default(), Vec::with_capacity(8192));
    let (mut first, mut last, mut gap) = (None, began, Duration::ZERO);
    while connection.more(&mut bytes).await? {
        let now = Instant::now();
        let taken = match load.words {
            Words::Converse => seen.take(&bytes)?,
            Words::OpenAi { .. } | Words::Anthropic { .. } => seen.take_sse(&bytes)?,
        };
        bytes.drain(..taken);
        if first.is_some() {
            gap = gap.max(now - last);
        } else if seen.deltas > 0 {
            first = Some(now - began);
        }
        last = now;
    }
    if !seen.ended || !bytes.is_empty() {
        return Err(bad("the stream was cut off"));
    }
    let first = first.ok_or_else(|| bad("a stream without text"))?;
    Ok(Times { first, total: began.elapsed(), gap, seen })
}
