//! `bedplate notify`: whether notices arrive, and those that did not.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use bedplate_core::clock::{Clock, SystemClock};
use bedplate_core::ids::SystemIds;
use bedplate_core::notice::{Kind, Notice, NoticeId, Severity};
use bedplate_notify::config::{self, Config};
use bedplate_notify::dead::{DeadLetter, DeadLetters};
use bedplate_notify::send_once;
use serde_json::json;

use super::{runtime, up};
use crate::app::notices_folder;
use crate::cli::{DeadCommand, NotifyCommand, ProjectArgs};
use crate::exit::{Failure, Kind as Exit};
use crate::out::{self, Format, note, say, table};
use crate::project::Project;
use crate::settings::Settings;

pub(crate) fn run(command: NotifyCommand) -> Result<ExitCode, Failure> {
    // a target may be the log
    up::tracing("warn,bedplate=info");
    match command {
        NotifyCommand::Test { name, project } => runtime()?.block_on(test(name.as_deref(), &project)),
        NotifyCommand::Dead(DeadCommand::List(project)) => list(&project),
        NotifyCommand::Dead(DeadCommand::Retry { id, target, project }) => {
            runtime()?.block_on(retry(id.as_deref(), target.as_deref(), &project))
        }
    }
}

/// One try for each target.
async fn test(name: Option<&str>, args: &ProjectArgs) -> Result<ExitCode, Failure> {
    let targets = targets(&Project::open(&args.project)?)?;
    if let Some(name) = name.filter(|name| !targets.iter().any(|target| target.name == *name)) {
        return Err(Failure::usage(format!("there is no `[[notify]]` with the name `{name}`")));
    }
    let clock = SystemClock::shared();
    let mut failed = false;
    for target in targets.iter().filter(|target| name.is_none_or(|name| target.name == name)) {
        let notice = Notice::new(
            &*SystemIds::shared(),
            clock.now(),
            Kind::Test,
            Severity::Info,
            format!("bedplate tries whether `{}` takes notices", target.name),
        )
        .text("Somebody ran `bedplate notify test`. Nothing is wrong.");
        let sent = send_once(target, &clock, &notice).await;
        failed |= sent.is_err();
        match args.format {
            Format::Json => out::json(&json!({
                "target": target.name,
                "kind": target.kind,
                "notice": notice.id,
                "delivered": sent.is_ok(),
                "why": sent.err(),
            }))?,
            Format::Human => say(format!(
                "{:<20} {:<8} {}",
                target.name,
                target.kind.name(),
                sent.err().map_or_else(|| "delivered".to_owned(), |why| format!("NOT delivered: {why}"))
            ))?,
        }
    }
    Ok(ending(failed))
}

fn list(args: &ProjectArgs) -> Result<ExitCode, Failure> {
    let letters = dead(&Project::open(&args.project)?)?.list()?;
    match args.format {
        Format::Json => letters.iter().try_for_each(|letter| out::json(&as_json(letter)))?,
        Format::Human if letters.is_empty() => say("no dead letters")?,
        Format::Human => {
            let mut rows = table(&["NOTICE", "GIVEN UP", "TARGET", "TRIES", "SEVERITY", "SUBJECT", "WHY"]);
            for letter in &letters {
                let notice = &letter.notice;
                rows.add_row([
                    notice.id.to_string(),
                    letter.at.to_string(),
                    letter.target.clone(),
                    letter.tries.to_string(),
                    notice.severity.to_string(),
                    notice.subject.clone(),
                    letter.why.clone(),
                ]);
            }
            say(rows.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(letter: &DeadLetter) -> serde_json::Value {
    let notice = &letter.notice;
    let fields: BTreeMap<&str, &str> = notice.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    json!({
        "notice": notice.id,
        "at": notice.at.to_string(),
        "given_up_at": letter.at.to_string(),
        "target": letter.target,
        "tries": letter.tries,
        "why": letter.why,
        "kind": notice.kind,
        "severity": notice.severity,
        "subject": notice.subject,
        "text": notice.text,
        "fields": fields,
    })
}

/// After so many failures in a row a target is left alone.
const FAILURES: u32 = 3;
/// Delivered letters that are taken out together.
const AT_ONCE: usize = 50;

/// One try for each letter, oldest first; what is delivered is no dead letter any more.
async fn retry(id: Option<&str>, target: Option<&str>, args: &ProjectArgs) -> Result<ExitCode, Failure> {
    let project = Project::open(&args.project)?;
    let (targets, dead) = (targets(&project)?, dead(&project)?);
    let Some(_mine) = dead.try_retry()? else {
        return Err(Failure::problem("another command sends dead letters at this moment"));
    };
    let mut letters = dead.list()?;
    letters.retain(|letter| id.is_none_or(|id| letter.notice.id.0 == id));
    letters.retain(|letter| target.is_none_or(|target| letter.target == target));
    if letters.is_empty() && (id.is_some() || target.is_some()) {
        return Err(Failure::problem("there is no such dead letter")
            .hint("`bedplate notify dead list` shows all of them."));
    }
    let clock = SystemClock::shared();
    let mut failures: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut gone, mut delivered) = (Vec::new(), 0);
    for letter in &letters {
        let failures = failures.entry(&letter.target).or_default();
        if *failures >= FAILURES {
            continue;
        }
        match again(&targets, letter, &clock).await {
            Ok(()) => {
                *failures = 0;
                delivered += 1;
                gone.push((letter.notice.id.clone(), letter.target.clone()));
                if gone.len() == AT_ONCE {
                    take_out(&dead, &mut gone)?;
                }
            }
            Err(why) => {
                *failures += 1;
                note(format!("{} to `{}`: {why}", letter.notice.id, letter.target));
            }
        }
    }
    take_out(&dead, &mut gone)?;
    let left = letters.len() - delivered;
    match args.format {
        Format::Json => out::json(&json!({ "delivered": delivered, "left": left }))?,
        Format::Human => say(format!("{delivered} delivered, {left} left"))?,
    }
    Ok(ending(left > 0))
}

async fn again(targets: &[Config], letter: &DeadLetter, clock: &Arc<dyn Clock>) -> Result<(), String> {
    let target = targets.iter().find(|target| target.name == letter.target);
    let target = target.ok_or("there is no `[[notify]]` of this name")?;
    send_once(target, clock, &letter.notice).await
}

fn take_out(dead: &DeadLetters, gone: &mut Vec<(NoticeId, String)>) -> Result<(), Failure> {
    dead.remove(&std::mem::take(gone))?;
    Ok(())
}

/// Those that a running bedplate has.
fn targets(project: &Project) -> Result<Vec<Config>, Failure> {
    let listed = Settings::load(project)?.notify;
    Ok(if listed.is_empty() { vec![Config::named("log", config::Kind::Log)] } else { listed })
}

fn dead(project: &Project) -> Result<DeadLetters, Failure> {
    Ok(DeadLetters::of(&notices_folder(project)?))
}

fn ending(failed: bool) -> ExitCode {
    if failed { ExitCode::from(Exit::Upstream as u8) } else { ExitCode::SUCCESS }
}
