//! The places where calls wait for room, as operators see them: in the admin API, and by `/metrics` in OpenMetrics.

use std::fmt::Write;
use std::sync::Arc;

use bedplate_core::BoxFuture;
use bedplate_core::pace::{Class, LaneStand, LimitStands, RateStand, Shed};
use bedplate_gateway::Gateway;
use bedplate_pipeline::Pace;

/// Slots of throttles that are shown, and counts of rates.
const MOST: usize = 50;

/// What bounds calls by the configuration in force.
pub(super) fn limits(
    gateway: &Arc<Gateway>,
    pace: &Arc<Pace>,
) -> Arc<dyn Fn() -> BoxFuture<'static, LimitStands> + Send + Sync> {
    let (gateway, pace) = (Arc::clone(gateway), Arc::clone(pace));
    Arc::new(move || {
        let (snapshot, pace) = (gateway.snapshot.load_full(), Arc::clone(&pace));
        Box::pin(async move {
            let rates = snapshot.pipeline.throttles.stands(MOST).await;
            let (lanes, more_slots) = pace.bounds(MOST);
            LimitStands { lanes, more_slots, rates, quotas: pace.quotas() }
        })
    })
}

/// Whole families, without the page's end; nothing when nothing bounds calls.
pub(super) fn metrics(lanes: &[LaneStand]) -> String {
    let mut page = Page(String::new());
    if lanes.is_empty() {
        return page.0;
    }
    page.family("bedplate_lane_under_way", "gauge", "Requests under way at a target");
    for lane in lanes {
        page.line("bedplate_lane_under_way", lane, "", lane.under_way.into());
    }
    page.family(
        "bedplate_lane_slots",
        "gauge",
        "Requests that may be under way at a target, where that is bounded",
    );
    for lane in lanes {
        if let Some(slots) = lane.slots {
            page.line("bedplate_lane_slots", lane, "", slots.into());
        }
    }
    let kinds = |lane: &LaneStand| [("requests", lane.requests), ("tokens", lane.tokens)];
    page.rates("bedplate_quota_limit", "What a quota allows in a minute, as configured", lanes, kinds, |r| {
        r.limit
    });
    page.rates("bedplate_quota_used", "What is reserved and used of a quota now", lanes, kinds, |r| r.used);
    page.family("bedplate_quota_learned", "gauge", "The part of what is configured that AWS lets through");
    for lane in lanes {
        if let Some(learned) = lane.learned {
            let _ = writeln!(page.0, "bedplate_quota_learned{{{}}} {learned:.4}", labels(lane, ""));
        }
    }
    page.family("bedplate_quota_throttles", "counter", "Requests that AWS throttled");
    for lane in lanes {
        page.line("bedplate_quota_throttles_total", lane, "", lane.throttled);
    }
    page.family("bedplate_queue_length", "gauge", "Calls that wait for room");
    for (lane, class) in each(lanes) {
        page.line("bedplate_queue_length", lane, &by(class), lane.waiting[class.index()].into());
    }
    page.family("bedplate_queue_passed", "counter", "Requests that got room");
    for (lane, class) in each(lanes) {
        page.line("bedplate_queue_passed_total", lane, &by(class), lane.passed[class.index()]);
    }
    page.family("bedplate_queue_shed", "counter", "Calls that were turned away for want of room");
    for (lane, class) in each(lanes) {
        for why in Shed::ALL {
            let more = format!("{},why=\"{}\"", by(class), why.name());
            page.line("bedplate_queue_shed_total", lane, &more, lane.shed[class.index()][why as usize]);
        }
    }
    page.0
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // writing to a string does not fail
        let _ = write!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, lane: &LaneStand, more: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels(lane, more));
    }

    fn rates(
        &mut self,
        name: &str,
        help: &str,
        lanes: &[LaneStand],
        kinds: impl Fn(&LaneStand) -> [(&'static str, Option<RateStand>); 2],
        of: impl Fn(RateStand) -> u64,
    ) {
        self.family(name, "gauge", help);
        for lane in lanes {
            for (kind, rate) in kinds(lane) {
                if let Some(rate) = rate {
                    self.line(name, lane, &format!(",kind=\"{kind}\""), of(rate));
                }
            }
        }
    }
}

fn each(lanes: &[LaneStand]) -> impl Iterator<Item = (&LaneStand, Class)> {
    lanes.iter().flat_map(|lane| Class::ALL.map(|class| (lane, class)))
}

fn by(class: Class) -> String {
    format!(",class=\"{}\"", class.name())
}

/// Names of callers may stand in them.
fn labels(lane: &LaneStand, more: &str) -> String {
    let clean = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("place=\"{}\",name=\"{}\"{more}", clean(&lane.place), clean(&lane.name))
}
