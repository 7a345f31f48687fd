//! The load client: signs every request afresh, times the answers, prints one JSON object.
//!
//!   load --url http://127.0.0.1:8080 --path /model/ID/converse [--secs 5] [--warmup 1]
//!     --connections 16                     closed loop: as many requests at a time
//!     --rate 1000 --connections 64         open loop: so many a second, timed from when each was due
//!     --stream --connections 8             streams, frame by frame
//!     --open-streams 10000                 opens streams, says so, holds them until standard input ends
//!   --words converse|openai|anthropic     in whose words; --model NAME for the last two
//!   --same                 one body, again and again
//!   --mode signed|bearer   key from BENCH_ACCESS_KEY_ID and BENCH_SECRET_ACCESS_KEY, or BENCH_BEARER_TOKEN;
//!                          without them a made-up pair signs, at the same cost
//!   --expect TEXT          what a right answer holds
//!   --pids 1,2             the gateway's processes: their CPU within the window is reported
//!   --ca FILE              authorities to trust with https

mod hold;
mod requests;
mod streams;

use std::time::Duration;

use bedplate_bench::args::Args;
use bedplate_bench::client::Target;
use bedplate_bench::request::{Maker, Proof, Words};
use tokio::task::LocalSet;

/// What every kind of load needs to know.
pub(crate) struct Load {
    pub(crate) target: Target,
    path: String,
    proof: Proof,
    pub(crate) words: Words,
    same: bool,
    pub(crate) connections: usize,
    pub(crate) warmup: Duration,
    pub(crate) window: Duration,
    pub(crate) expect: String,
    pub(crate) pids: Vec<u32>,
}

impl Load {
    fn of(args: &Args) -> Result<Self, String> {
        let seconds = |name, default| Ok::<_, String>(Duration::from_secs_f64(args.or(name, default)?));
        let pids: String = args.or("--pids", String::new())?;
        Ok(Self {
            target: Target::new(&args.need::<String>("--url")?, args.get("--ca")?)?,
            path: args.need("--path")?,
            proof: proof(&args.or("--mode", "signed".to_owned())?)?,
            words: words(args)?,
            same: args.has("--same"),
            connections: args.or("--connections", 16)?,
            warmup: seconds("--warmup", 1.0)?,
            window: seconds("--secs", 5.0)?,
            expect: args.or("--expect", "\"usage\"".to_owned())?,
            pids: pids.split(',').filter_map(|pid| pid.parse().ok()).collect(),
        })
    }

    /// Requests of one connection; each `n` makes others.
    pub(crate) fn maker(&self, n: usize) -> Maker {
        let seed = u64::from(std::process::id()) << 32 | n as u64;
        let maker = Maker::new(&self.target.addr.to_string(), &self.path, &self.proof, &self.words, seed);
        if self.same { maker.same() } else { maker }
    }
}

fn words(args: &Args) -> Result<Words, String> {
    let stream = args.has("--stream");
    let model = || args.need::<String>("--model");
    match args.or("--words", "converse".to_owned())?.as_str() {
        "converse" => Ok(Words::Converse),
        "openai" => Ok(Words::OpenAi { model: model()?, stream }),
        "anthropic" => Ok(Words::Anthropic { model: model()?, stream }),
        other => Err(format!("`--words {other}`: there are converse, openai and anthropic")),
    }
}

fn proof(mode: &str) -> Result<Proof, String> {
    let of = |name: &str| std::env::var(name).ok();
    match mode {
        "signed" => Ok(Proof::Signed {
            key_id: of("BENCH_ACCESS_KEY_ID").unwrap_or_else(|| "AKIABENCHBENCHBENCH1".into()),
            secret: of("BENCH_SECRET_ACCESS_KEY")
                .unwrap_or_else(|| "bench-bench-bench-bench-bench-bench-benc".into()),
        }),
        "bearer" => Ok(Proof::Bearer(of("BENCH_BEARER_TOKEN").ok_or("BENCH_BEARER_TOKEN is not set")?)),
        other => Err(format!("`--mode {other}`: there are signed and bearer")),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::of_process();
    let load = Load::of(&args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let report = local.block_on(&runtime, async {
        if let Some(streams) = args.get("--open-streams")? {
            hold::run(load, streams).await
        } else if args.has("--stream") {
            streams::run(load).await
        } else if let Some(rate) = args.get("--rate")? {
            requests::open_loop(load, rate).await
        } else {
            requests::closed_loop(load).await
        }
    })?;
    println!("{report}");
    Ok(())
}
