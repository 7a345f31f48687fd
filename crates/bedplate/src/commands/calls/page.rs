//! A call on one line, and a call on one page.

use std::fmt::Write;

use bedplate_core::cache::CacheUse;
use bedplate_core::record::{AttemptRow, CallRow, Outcome};
use bedplate_core::usage::{Usage, UsageBasis};

pub(super) const HEAD: &str = "TIME      CALL                                  TEAM/FEATURE         OPERATION                      MODEL                                ENDING     CODE    TOKENS         COST           MS";

/// One line under [`HEAD`].
pub(super) fn line(outcome: &Outcome) -> String {
    let c = &outcome.call;
    let at = c.admitted_at.utc().time();
    let who = if c.team.is_empty() { "-".into() } else { format!("{}/{}", c.team, c.feature) };
    let code = c.code.map_or_else(|| "-".into(), |code| code.to_string());
    let tokens = format!("{}>{}", c.usage.prompt(), c.usage.output);
    format!(
        "{:02}:{:02}:{:02}  {}  {:<20} {:<30} {:<36} {:<10} {:<7} {:<14} {:<14} {}",
        at.hour(),
        at.minute(),
        at.second(),
        c.id,
        clip(&who, 20),
        c.operation.map_or("-", |op| op.name()),
        clip(&c.model, 36),
        c.ending.name(),
        code,
        tokens,
        c.cost.to_string(),
        c.timings.total / 1000,
    )
}

/// Everything that is known.
pub(super) fn page(outcome: &Outcome) -> String {
    let c = &outcome.call;
    let mut out = String::new();
    // writing into a string cannot fail
    let _ = write_call(&mut out, c);
    for attempt in &outcome.attempts {
        let _ = write_attempt(&mut out, attempt);
    }
    out.trim_end().to_owned()
}

fn write_call(out: &mut String, c: &CallRow) -> std::fmt::Result {
    let or_dash = |s: &Option<String>| s.clone().unwrap_or_else(|| "-".into());
    writeln!(out, "call         {}", c.id)?;
    writeln!(out, "at           {}", c.admitted_at)?;
    writeln!(out, "asked        {} {}", c.operation.map_or("an unknown operation", |op| op.name()), c.model)?;
    match &c.key {
        Some(key) => writeln!(
            out,
            "who          team {}, feature {}, environment {}, key {key}",
            c.team, c.feature, c.environment
        )?,
        None => writeln!(out, "who          not recognised")?,
    }
    writeln!(out, "user         {}", or_dash(&c.user))?;
    writeln!(out, "chain        {}", or_dash(&c.chain))?;
    if let Some(prompt) = &c.prompt {
        writeln!(out, "prompt       {} {}", prompt.name, prompt.version)?;
    }
    writeln!(out, "trace        {}", or_dash(&c.trace))?;
    write!(out, "ended        {}, status {}", c.ending.name(), c.status)?;
    if let Some(error) = &c.error {
        write!(out, ", {error}")?;
    }
    if let Some(code) = c.code {
        write!(out, "\ncode         {code} at {}: {}", c.stage.map_or("-", |s| s.name()), code.summary())?;
    }
    writeln!(out)?;
    writeln!(out, "stopped by   {}", or_dash(&c.stop_reason))?;
    writeln!(out, "usage        {}", usage(&c.usage, c.basis))?;
    writeln!(out, "cost         {}", c.cost)?;
    if let Some(cache) = &c.cache {
        write_cache(out, cache)?;
    }
    let t = &c.timings;
    writeln!(
        out,
        "time         {} in all, {} of it bedplate's own; body read {}, cleared {}, first byte {}, first token {}",
        ms(Some(t.total)),
        ms(Some(t.overhead)),
        ms(t.body_read),
        ms(t.cleared),
        ms(t.first_byte),
        ms(t.first_token),
    )?;
    writeln!(out, "bytes        {} in, {} out", c.bytes_in, c.bytes_out)?;
    let edits = if c.edits.is_empty() { "nothing".into() } else { c.edits.join("; ") };
    writeln!(out, "changed      {edits}")
}

/// What was spared stands apart from what was spent.
fn write_cache(out: &mut String, cache: &CacheUse) -> std::fmt::Result {
    write!(out, "cache        {}", cache.mark.name())?;
    if let Some(skip) = cache.skip {
        write!(out, ": {}", skip.said())?;
    }
    if let Some(a) = &cache.avoided {
        let (age, tokens) = (a.age_ms / 1_000, usage(&a.usage, UsageBasis::Reported));
        write!(out, ", an answer of {age} s to call {}; spared {} and {tokens}", a.call, a.cost)?;
    }
    writeln!(out)
}

fn write_attempt(out: &mut String, a: &AttemptRow) -> std::fmt::Result {
    writeln!(out, "\nattempt {}", a.n)?;
    let account = if a.account.is_empty() { "unknown" } else { &a.account };
    let leads = a.model.as_ref().map_or_else(String::new, |model| format!(", which leads to {model},"));
    writeln!(
        out,
        "  target     {}{leads} by {} (region {}, account {account})",
        a.target, a.provider, a.region
    )?;
    let status = if a.status == 0 { "no answer".into() } else { format!("status {}", a.status) };
    write!(out, "  answer     {status}")?;
    if let Some(error) = &a.error {
        write!(out, ", {error}")?;
    }
    if let Some(code) = a.code {
        write!(out, ", {code}: {}", code.summary())?;
    }
    writeln!(out)?;
    writeln!(out, "  request id {}", a.upstream_request_id.as_deref().unwrap_or("-"))?;
    let tier = if a.tier.is_empty() { "not said" } else { &a.tier };
    write!(out, "  usage      {}", usage(&a.usage, a.basis))?;
    if a.expected > 0 {
        write!(out, "; {} in were expected", a.expected)?;
    }
    writeln!(out, "\n  cost       {} by prices of {}, tier {tier}", a.cost, a.price_version)?;
    if !a.price_basis.is_empty() {
        writeln!(out, "  priced by  {}", a.price_basis)?;
    }
    let t = &a.timings;
    let connect =
        t.connect.map_or_else(|| "connection kept".into(), |us| format!("connected in {}", ms(Some(us))));
    writeln!(
        out,
        "  time       {} in all; {connect}, first byte {}, first token {}, upstream says {}",
        ms(Some(t.total)),
        ms(t.first_byte),
        ms(t.first_token),
        ms(t.upstream_latency_ms.map(|n| n * 1000)),
    )
}

fn usage(u: &Usage, basis: UsageBasis) -> String {
    let mut parts = vec![format!("{} tokens in, {} out", u.prompt(), u.output)];
    for (n, what) in [
        (u.cache_read, "read from the cache"),
        (u.cache_write_5m, "written to the cache for 5 min"),
        (u.cache_write_1h, "written to the cache for 1 h"),
        (u.reasoning.unwrap_or(0), "of the output are reasoning"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    parts.extend(u.units.iter().map(|(unit, n)| format!("{n} × {unit:?}")));
    let basis = match basis {
        UsageBasis::None => "nothing is metered",
        UsageBasis::Reported => "as reported",
        UsageBasis::Estimated => "estimated: the upstream did not say",
        UsageBasis::Unmetered => "unmetered: allowed by configuration",
    };
    format!("{} ({basis})", parts.join(", "))
}

fn ms(us: Option<u64>) -> String {
    us.map_or_else(|| "-".into(), |us| format!("{}.{:03} ms", us / 1000, us % 1000))
}

fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    // the end of a model id tells more than its beginning
    let skip = text.chars().count() - (most - 1);
    format!("…{}", text.chars().skip(skip).collect::<String>())
}
