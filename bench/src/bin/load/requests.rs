//! Requests: closed loop and open loop.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bedplate_bench::client::Connection;
use bedplate_bench::cpu;
use bedplate_bench::request::Maker;
use hdrhistogram::Histogram;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use serde_json::{Value, json};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::Load;

type Failed = Box<dyn Error>;

/// What was seen within the window.
struct Tally {
    /// Nanoseconds.
    latency: RefCell<Histogram<u64>>,
    bad: Cell<u64>,
    begin: Instant,
    end: Instant,
}

impl Tally {
    fn new(load: &Load) -> Result<Rc<Self>, Failed> {
        let begin = Instant::now() + load.warmup;
        let latency = RefCell::new(Histogram::new_with_bounds(1_000, 120_000_000_000, 3)?);
        Ok(Rc::new(Self { latency, bad: Cell::new(0), begin, end: begin + load.window }))
    }

    fn record(&self, due: Instant, now: Instant, right: bool) {
        if now < self.begin || now >= self.end {
            return;
        }
        if right {
            self.latency.borrow_mut().saturating_record((now - due).as_nanos() as u64);
        } else {
            self.bad.set(self.bad.get() + 1);
        }
    }

    fn report(&self, cpu: f64) -> Value {
        let latency = self.latency.borrow();
        let ms = |q| latency.value_at_quantile(q) as f64 / 1e6;
        let (n, secs) = (latency.len(), (self.end - self.begin).as_secs_f64());
        json!({
            "requests": n, "bad": self.bad.get(), "secs": secs, "rps": n as f64 / secs,
            "p50_ms": ms(0.5), "p90_ms": ms(0.9), "p99_ms": ms(0.99), "p999_ms": ms(0.999), "max_ms": latency.max() as f64 / 1e6,
            "cpu_s": cpu, "cpu_s_per_1k": cpu / n.max(1) as f64 * 1e3, "busy": cpu / secs,
        })
    }
}

/// One connection that comes back when it breaks.
struct Caller {
    load: Rc<Load>,
    maker: Maker,
    connection: Option<Connection>,
    request: String,
    body: Vec<u8>,
    expect: memchr::memmem::Finder<'static>,
}

impl Caller {
    fn new(load: &Rc<Load>, n: usize) -> Self {
        let expect = memchr::memmem::Finder::new(load.expect.as_bytes()).into_owned();
        let load = Rc::clone(load);
        Self {
            maker: load.maker(n),
            load,
            connection: None,
            request: String::new(),
            body: Vec::new(),
            expect,
        }
    }

    /// One call; `true` when the answer is right.
    async fn call(&mut self) -> bool {
        let right = tokio::time::timeout(Duration::from_secs(30), self.exchange()).await;
        let right = right.unwrap_or_else(|e| Err(io::Error::other(e)));
        if right.is_err() {
            self.connection = None;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        right.unwrap_or(false)
    }

    async fn exchange(&mut self) -> io::Result<bool> {
        self.maker.next(&mut self.request);
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(&self.load.target).await?),
        };
        let status = connection.exchange(&self.request, &mut self.body).await?;
        Ok(status == 200 && self.expect.find(&self.body).is_some())
    }
}

/// As many requests at a time as there are connections.
pub(crate) async fn closed_loop(load: Load) -> Result<Value, Failed> {
    let tally = Tally::new(&load)?;
    let load = Rc::new(load);
    let mut callers = JoinSet::new();
    for n in 0..load.connections {
        let (tally, mut caller) = (Rc::clone(&tally), Caller::new(&load, n));
        callers.spawn_local(async move {
            while Instant::now() < tally.end {
                let due = Instant::now();
                let right = caller.call().await;
                tally.record(due, Instant::now(), right);
            }
        });
    }
    let cpu = cpu_within(&load, &tally).await;
    while callers.join_next().await.is_some() {}
    Ok(tally.report(cpu))
}

/// `rate` requests a second whatever the answers do. A request is timed from when it was due, so that
/// waiting for a free connection counts.
pub(crate) async fn open_loop(load: Load, rate: f64) -> Result<Value, Failed> {
    let tally = Tally::new(&load)?;
    let load = Rc::new(load);
    let (due, wake) = (Rc::new(RefCell::new(VecDeque::new())), Rc::new(Notify::new()));
    let mut callers = JoinSet::new();
    for n in 0..load.connections {
        let (tally, mut caller) = (Rc::clone(&tally), Caller::new(&load, n));
        let (due, wake) = (Rc::clone(&due), Rc::clone(&wake));
        callers.spawn_local(async move {
            loop {
                let next = due.borrow_mut().pop_front();
                match next {
                    Some(at) => {
                        let right = caller.call().await;
                        tally.record(at, Instant::now(), right);
                    }
                    None => wake.notified().await,
                }
            }
        });
    }
    let dispatch = async {
        let timer = Timer::new()?;
        let (mut at, gap) = (Instant::now(), Duration::from_secs_f64(1.0 / rate));
        while at < tally.end {
            timer.until(at).await?;
            due.borrow_mut().push_back(at);
            wake.notify_one();
            at += gap;
        }
        Ok::<_, Failed>(())
    };
    let (cpu, dispatched) = tokio::join!(cpu_within(&load, &tally), dispatch);
    dispatched?;
    let mut report = tally.report(cpu);
    report["rate"] = json!(rate);
    // what was due and never sent
    report["unsent"] = json!(due.borrow().len());
    Ok(report)
}

/// CPU of the gateway's processes from the window's begin to its end.
async fn cpu_within(load: &Load, tally: &Tally) -> f64 {
    tokio::time::sleep_until(tally.begin.into()).await;
    let before = cpu::seconds(&load.pids);
    tokio::time::sleep_until(tally.end.into()).await;
    cpu::seconds(&load.pids) - before
}

/// Wakes to the microsecond; the runtime's own timers are a millisecond coarse.
struct Timer(AsyncFd<rustix::fd::OwnedFd>);

impl Timer {
    #[expect(
        deprecated,
        reason = "its successor is unsafe for the sake of types that do not own their descriptor"
    )]
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self(AsyncFd::new(rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?)?))
    }

    async fn until(&self, at: Instant) -> io::Result<()> {
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // behind: give the callers a turn before the next is due as well
            tokio::task::yield_now().await;
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos().into() },
        };
        rustix::time::timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        let mut expired = self.0.readable().await?;
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.0, &mut count)?;
        expired.clear_ready();
        Ok(())
    }
}
