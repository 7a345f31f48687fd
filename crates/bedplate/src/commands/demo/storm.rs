//! `bedplate demo storm`: three times what a quota allows, straight and through bedplate.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bedplate_core::clock::{Clock, SystemClock};
use bedplate_cost::PriceBook;
use clap::Args;
use serde_json::json;

use super::call::{Fate, make};
use super::load::{Schedule, first};
use super::side::{ALIAS, MODEL, Straight, TPM, Through};
use super::tally::{ROWS, Tally};
use crate::commands::runtime;
use crate::commands::up::{Stop, tracing};
use crate::exit::Failure;
use crate::out::{self, Format, Progress, note, say, table};

/// `bedplate demo storm`.
#[derive(Args, Debug)]
pub(crate) struct StormArgs {
    /// How long calls come
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=25))]
    seconds: u32,
    /// Offered load, in parts of what the quota allows
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10))]
    load: u32,
    /// How results are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

const SEED: u64 = 0x5107;

pub(super) fn run(args: &StormArgs) -> Result<ExitCode, Failure> {
    tracing("error");
    let runtime = runtime()?;
    runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let clock: Arc<dyn Clock> = SystemClock::shared();
        let straight = Straight::start(&clock).await?;
        let through = Through::start(&clock, runtime.handle()).await?;
        let ended = tokio::select! {
            shown = storm(args, &straight, &through, &clock) => shown,
            () = stop.asked() => Err(Failure::problem("stopped before the storm was over")),
        };
        straight.stop().await;
        through.stop().await;
        ended
    })
}

async fn storm(
    args: &StormArgs,
    straight: &Straight,
    through: &Through,
    clock: &Arc<dyn Clock>,
) -> Result<ExitCode, Failure> {
    let lasts = Duration::from_secs(args.seconds.into());
    let schedule = Schedule::new(f64::from(TPM * args.load), lasts, SEED);
    if args.format == Format::Human {
        note(format!(
            "{} calls in {} s, {} times what a quota of {TPM} tokens a minute allows: straight, and through bedplate",
            schedule.calls(),
            args.seconds,
            args.load,
        ));
    }
    fill(straight, through, clock).await?;
    let since = clock.now();
    let done = Arc::<AtomicUsize>::default();
    let (alone, paced) = tokio::select! {
        both = async {
            tokio::join!(
                schedule.run(&straight.provider, MODEL, clock, &done),
                schedule.run(&through.provider, ALIAS, clock, &done),
            )
        } => both,
        () = progress(&done, 2 * schedule.calls()) => return Err(Failure::bug("progress never ends")),
    };
    let book = PriceBook::embedded();
    let ((alone, alone_took), (paced, paced_took)) = (alone, paced);
    let asked = alone.iter().fold((0, 0), |(all, no), fate| (all + fate.requests, no + fate.throttled));
    let alone = Tally::new(&alone, asked, alone_took, &book);
    let paced = Tally::new(&paced, through.upstream(since).await?, paced_took, &book);
    show(args, &alone, &paced)
}

/// Uses up what an idle quota lets through at once, so that the storm begins at once.
async fn fill(straight: &Straight, through: &Through, clock: &Arc<dyn Clock>) -> Result<(), Failure> {
    let now = clock.tick();
    let (one, other): (Fate, Fate) = tokio::join!(
        make(&straight.provider, MODEL, first(TPM), now, clock),
        make(&through.provider, ALIAS, first(TPM), now, clock),
    );
    match one.answered && other.answered {
        true => Ok(()),
        false => Err(Failure::bug("the simulator does not answer")),
    }
}

async fn progress(done: &AtomicUsize, all: usize) {
    let progress = Progress::new("storm");
    loop {
        progress.tell(done.load(Ordering::Relaxed), all);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn show(args: &StormArgs, alone: &Tally, paced: &Tally) -> Result<ExitCode, Failure> {
    match args.format {
        Format::Json => out::json(&json!({
            "seconds": args.seconds,
            "load": args.load,
            "quota_tpm": TPM,
            "straight": alone,
            "bedplate": paced,
        }))?,
        Format::Human => {
            Progress::new("storm").done();
            let mut shown = table(&["", "straight", "through bedplate"]);
            for ((name, one), other) in ROWS.iter().zip(alone.cells()).zip(paced.cells()) {
                shown.add_row(vec![(*name).to_owned(), one, other]);
            }
            say(shown.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
