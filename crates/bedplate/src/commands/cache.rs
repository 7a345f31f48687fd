//! `bedplate cache`: what is kept, and dropping it. Asks the running gateway.

use std::process::ExitCode;

use bedplate_core::money::Nanos;
use serde_json::{Value, json};

use super::admin::Admin;
use super::runtime;
use crate::cli::{CacheCommand, PurgeArgs};
use crate::exit::Failure;
use crate::out::{self, Format, say};

pub(crate) fn run(command: CacheCommand) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        match command {
            CacheCommand::Stats(project) => {
                let shown = Admin::of(&project)?.get("/admin/v1/cache").await?;
                match project.format {
                    Format::Json => Ok(out::json(&shown)?),
                    Format::Human => Ok(say(page(&shown))?),
                }
            }
            CacheCommand::Purge(args) => purge(args).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn purge(args: PurgeArgs) -> Result<(), Failure> {
    let PurgeArgs { all, team, feature, model, project } = args;
    let what = match (all, team, feature, model) {
        (true, ..) => json!({ "all": true }),
        (_, Some(team), ..) => json!({ "team": team }),
        (_, _, Some(feature), _) => json!({ "feature": feature }),
        (.., model) => json!({ "model": model }),
    };
    let purged = Admin::of(&project)?.post("/admin/v1/cache/purge", &what).await?;
    match project.format {
        Format::Json => Ok(out::json(&purged)?),
        Format::Human => Ok(say(format!("{} answers dropped", purged["purged"]))?),
    }
}

fn page(shown: &Value) -> String {
    let number = |name: &str| shown[name].as_u64().unwrap_or(0);
    let asked = number("hits") + number("misses");
    let share = (number("hits") * 100).checked_div(asked).map_or_else(String::new, |n| format!(" ({n} %)"));
    let avoided = Nanos(shown["avoided_nanos"].as_i64().unwrap_or(0));
    let unknown = match number("avoided_unpriced") {
        0 => String::new(),
        n => format!(" + {n} answers whose price is unknown"),
    };
    let state =
        if shown["up"].as_bool() == Some(true) { "there" } else { "NOT REACHED: every call is a miss" };
    [
        format!("store        {} ({state})", shown["store"].as_str().unwrap_or("-")),
        format!("kept         {} answers, {} bytes", number("entries"), number("bytes")),
        format!("hits         {}{share}", number("hits")),
        format!("misses       {}", number("misses")),
        format!("bypassed     {}", number("bypassed")),
        format!("stale        {}", number("stale")),
        format!("avoided      {avoided}{unknown}, since the start of this process"),
        format!("failures     {}", number("failures")),
    ]
    .join("\n")
}
