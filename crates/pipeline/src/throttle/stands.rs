//! How the rates of throttles stand, for operators.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bedplate_core::rate::{
    CountId, CountStand, Draw, InUse, Kind, Level, Origin, RateStands, Refused, Taking, Watched,
};

use super::Throttles;
use super::config::Throttle;

impl Throttles {
    /// The counts that are in use or have refused somebody, and those of throttles that nobody uses; at most `most`, the
    /// fullest first. Asks what is shared, within a bound of its own.
    pub async fn stands(&self, most: usize) -> RateStands {
        let watched: Vec<Watched> = self.throttles.all().flat_map(watched).collect();
        let Some(rates) = self.rates.as_ref().filter(|_| !watched.is_empty()) else {
            return RateStands::default();
        };
        let InUse { mut counts, mut more, from, mut missing } = rates.in_use(&watched, most).await;
        let limits: HashMap<(&str, Kind), u64> =
            watched.iter().map(|one| ((&*one.throttle, one.kind), one.limit)).collect();
        let limit = |count: &CountId| limits.get(&(&*count.throttle, count.kind)).copied();
        let (mut refused, refused_others) = self.turned_away.all();
        refused.retain(|(count, _)| limit(count).is_some());
        let whose: HashMap<CountId, Refused> = refused.iter().cloned().collect();
        let beside = beside(&counts, &refused, most);
        let draw = |count: CountId| Some(Draw { limit: limit(&count)?, count, amount: 0 });
        let looks: Vec<Draw> = beside.into_iter().filter_map(draw).collect();
        if !looks.is_empty() {
            // a draw of nothing takes nothing, and says how its count stands
            let taken = match rates.take(&looks) {
                Taking::Now(taken) => taken,
                Taking::Asked(asked) => asked.await,
            };
            // those in use were among the others
            let used = taken.levels.iter().filter(|level| !level.full_in.is_zero()).count();
            more = more.saturating_sub(used as u64);
            counts.extend(looks.into_iter().map(|draw| draw.count).zip(taken.levels));
        }
        let mut all: Vec<CountStand> = counts
            .into_iter()
            .map(|(count, level)| stand(&count, level, whose.get(&count).copied().unwrap_or_default()))
            .collect();
        let used: HashSet<(Arc<str>, Kind)> =
            all.iter().map(|stand| (Arc::clone(&stand.throttle), stand.kind)).collect();
        let idle = watched.iter().filter(|one| !used.contains(&(Arc::clone(&one.throttle), one.kind)));
        all.extend(idle.map(nobodys));
        all.sort_by(|a, b| {
            let by = |s: &CountStand| std::cmp::Reverse((s.full_in_ms, s.refused.all()));
            (by(a), &a.throttle, &a.of, a.kind).cmp(&(by(b), &b.throttle, &b.of, b.kind))
        });
        let more = more + all.len().saturating_sub(most) as u64;
        all.truncate(most);
        if from == Origin::Alone && missing.is_none() {
            missing = Some("what is shared cannot be asked".into());
        }
        RateStands { counts: all, more, alone: from == Origin::Alone, missing, refused_others }
    }
}

/// Those that refused most and are not among the counts.
fn beside(counts: &[(CountId, Level)], refused: &[(CountId, Refused)], most: usize) -> Vec<CountId> {
    let there: HashSet<&CountId> = counts.iter().map(|(count, _)| count).collect();
    let mut others: Vec<&(CountId, Refused)> =
        refused.iter().filter(|(count, _)| !there.contains(count)).collect();
    others.sort_by_key(|(_, refused)| std::cmp::Reverse(refused.all()));
    others.into_iter().take(most).map(|(count, _)| count.clone()).collect()
}

fn watched(throttle: &Throttle) -> impl Iterator<Item = Watched> {
    let of = |kind, limit: Option<u64>| {
        limit.map(|limit| Watched { throttle: Arc::clone(&throttle.counted), kind, limit })
    };
    [of(Kind::Requests, throttle.rpm), of(Kind::Tokens, throttle.tpm)].into_iter().flatten()
}

fn stand(count: &CountId, level: Level, refused: Refused) -> CountStand {
    CountStand {
        throttle: Arc::clone(&count.throttle),
        of: Arc::clone(&count.of),
        kind: count.kind,
        limit: level.limit,
        used: level.limit.saturating_sub(level.remaining),
        left: level.remaining,
        full_in_ms: u64::try_from(level.full_in.as_millis()).unwrap_or(u64::MAX),
        refused,
    }
}

/// Of a throttle that nobody uses now.
fn nobodys(one: &Watched) -> CountStand {
    let Watched { throttle, kind, limit } = one.clone();
    let refused = Refused::default();
    CountStand { throttle, of: "".into(), kind, limit, used: 0, left: limit, full_in_ms: 0, refused }
}
