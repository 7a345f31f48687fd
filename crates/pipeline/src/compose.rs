//! What the model will be sent: the target, and our edits to the request.

pub(crate) mod lead;
mod least;
pub(crate) mod routes;
mod tenant;

use std::fmt;
use std::sync::Arc;

use bedplate_core::attribution::{Attribution, PromptUse, STAMPS};
use bedplate_core::call::{CallId, Dialect, Operation};
use bedplate_core::clock::Tick;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::route::Seen;
use bedplate_core::view::{Edits, Stamped, Takes};

use crate::admit::Admitted;
use crate::budget::Need;
use crate::call::Call;
use crate::invoke::breaker::Pass;
use crate::invoke::chances::Chances;
use crate::model::{Alias, Conversation, Target, Tried, for_call};
use crate::pace::{Lane, Want};
use crate::provider::{Lead, Provider};
use crate::settle::notes::Notes;
use crate::settle::record::Record;
pub(crate) use least::least;
use routes::Routes;
use tenant::Chosen;

/// A call with its target. Only [`compose`] makes one.
pub(crate) struct Composed {
    pub(crate) admitted: Admitted,
    pub(crate) aim: Aim,
    /// `None` when the caller named a model of Bedrock.
    pub(crate) way: Option<Way>,
    /// Requests to upstreams at most.
    pub(crate) most: u32,
    /// What another request may cost, where budgets concern the call.
    pub(crate) need: Option<Box<Need>>,
    /// What its answer is bounded to, where it is.
    pub(crate) bound: Option<Bound>,
}

/// How long an answer may be whose length the caller left open.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) tokens: u64,
    pub(crate) because: Because,
}

#[derive(Clone, Copy)]
pub(crate) enum Because {
    /// A budget has room for no more.
    NoRoom,
    /// A budget must hold the longest answer, and nobody knows how long that is.
    NoMaximum,
    /// Nobody reads it.
    Exercise,
    /// Hardly any answer of the alias is longer.
    Measured,
}

/// Where a call goes that named an alias.
pub(crate) struct Way {
    pub(crate) alias: Arc<Alias>,
    /// Which of its targets is asked first.
    pub(crate) at: usize,
    /// `None` when none of them should be asked now.
    pub(crate) pass: Option<Pass>,
    pub(crate) chances: Chances,
    /// `None` when conversations are not kept together, or this one is not known.
    pub(crate) whose: Option<Conversation>,
}

impl Way {
    /// A target of the alias has answered the call: where its conversation is now.
    pub(crate) fn answered(&self, at: usize, call: &Call, now: Tick) {
        if let (Some(whose), Some(target)) = (self.whose, self.alias.targets.get(at)) {
            self.alias.answered(whose, target, |model| call.body.fits(model), now);
        }
    }
}

/// What is called, and what it is sent.
pub(crate) struct Aim {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) target: Arc<str>,
    /// What the target leads to, and the model that decides how bodies are read: the target itself when nothing more
    /// is known.
    pub(crate) lead: Lead,
    pub(crate) model: Arc<str>,
    /// Where it waits for room; `None` where nothing bounds it.
    pub(crate) lane: Option<Arc<Lane>>,
    /// The service tier that is asked for, where the caller asks for none.
    pub(crate) tier: Option<Arc<str>>,
    pub(crate) edits: Edits,
    /// What stands in its metadata; `None` where it carries none.
    pub(crate) stamped: Option<Stamped>,
    pub(crate) prompt: Option<PromptUse>,
}

/// Metadata keys that are ours: a caller who uses the prefix is refused.
const RESERVED: &str = "bedplate:";

pub(crate) async fn compose(
    admitted: Admitted,
    routes: &Routes,
    record: &mut Record,
) -> Result<Composed, Refusal> {
    let call = &admitted.call;
    if let Some(alias) = routes.alias(call.operation, &call.name) {
        let who = &admitted.principal;
        let (feature, team, environment) = (&who.feature, &who.team, &who.environment);
        let input = Some(call.body.content().len() as u64);
        let seen = Seen { feature, team, environment, input };
        let alias = for_call(alias, seen, |model| call.body.fits(model));
        return by_alias(admitted, alias, record).await;
    }
    let provider = routes.provider(call.operation, &call.name)?;
    let lanes = routes.lanes(&provider).map(Arc::clone);
    let mut aim = aim(&admitted, provider, &call.name, None, false, record.notes_mut()).await?;
    aim.lane = lanes.filter(|_| asks_a_model(&admitted)).and_then(|lanes| lanes.of(&aim.model, false));
    // who speaks Bedrock's words and names its model says what that model is to be asked
    if admitted.call.body.spoken().dialect != Dialect::Bedrock {
        adapt(&admitted, Takes::default(), &mut aim, record.notes());
    }
    aim.note_end(None, record.notes());
    record.aimed(&mut aim);
    // a job that may have been started is not started twice
    let once = admitted.call.operation == Operation::StartAsyncInvoke;
    let most = if once { 1 } else { routes.bare().attempts };
    Ok(Composed { admitted, aim, way: None, most, need: None, bound: None })
}

/// The targets of an alias, one at a time: the others are composed when they are needed.
async fn by_alias(admitted: Admitted, alias: Arc<Alias>, record: &mut Record) -> Result<Composed, Refusal> {
    let call = &admitted.call;
    if !call.key.allows_model(&alias.name) {
        for target in alias.all() {
            lead::lead(&admitted, &target.provider, &target.model, false, record.notes_mut()).await?;
        }
    }
    let mut chances = Chances::of(record.id());
    let fits = |model: &str| call.body.fits(model);
    let first = alias.targets.first();
    let want = first.map_or_else(Want::default, |first| want(&admitted, &first.model, record.notes()));
    let whose = alias.sticky.as_ref().and_then(|_| Conversation::of(call, &admitted.principal));
    let (at, pass) = match alias.choose(Tried::default(), fits, want, record.tick(), &mut chances, whose) {
        Some((at, pass)) => (at, Some(pass)),
        None => (alias.heaviest(fits).unwrap_or(0), None),
    };
    let none = || Refusal::of(Code::UnknownModel).because("the alias has no target");
    let target = alias.targets.get(at).ok_or_else(none)?;
    let mut aim = aim_at(&admitted, target, record.notes_mut()).await?;
    record.aimed(&mut aim);
    let most = alias.attempts;
    let way = Some(Way { alias, at, pass, chances, whose });
    Ok(Composed { admitted, aim, way, most, need: None, bound: None })
}

/// What a request needs of the quota of a model: its prompt, as far as can be guessed, and the longest answer.
pub(crate) fn want(admitted: &Admitted, model: &Arc<str>, notes: &Notes) -> Want {
    let (call, view) = (&admitted.call, admitted.call.body.view());
    let class = call.tags.class.unwrap_or_default();
    if !call.operation.metered() {
        return Want { class, ..Want::default() };
    }
    let prompt = notes.books.estimates.of(model, call.body.content().len() as u64).tokens;
    // without a bound AWS reserves what the model may write at most
    let unsaid = if view.can_bound() { UNSAID } else { 0 };
    let longest = || notes.prices().max_output_tokens(model).unwrap_or(unsaid);
    let output = view.max_tokens().or(notes.longest()).unwrap_or_else(longest);
    Want { tokens: prompt.saturating_add(output.saturating_mul(view.answers())), least: 0, class }
}

/// What no model works on takes nothing of its quota.
fn asks_a_model(admitted: &Admitted) -> bool {
    admitted.call.operation.metered()
}

/// What is reserved for an answer of a model whose longest nobody knows, where a body has a place to say it: embeddings
/// have none.
const UNSAID: u64 = 8_192;

/// Aims at a target of an alias whose targets the key may call.
async fn aim_at(admitted: &Admitted, target: &Target, notes: &mut Notes) -> Result<Aim, Refusal> {
    let (provider, tier) = (Arc::clone(&target.provider), target.tier.clone());
    let mut aim = aim(admitted, provider, &target.model, tier, true, notes).await?;
    aim.lane = asks_a_model(admitted).then(|| target.lanes.of(&aim.model, true)).flatten();
    adapt(admitted, target.takes, &mut aim, notes);
    aim.note_end(target.replacement.as_deref(), notes);
    Ok(aim)
}

/// Takes out of a request what the target refuses: applications name an alias and do not know what is called.
fn adapt(admitted: &Admitted, takes: Takes, aim: &mut Aim, notes: &Notes) {
    let body = &admitted.call.body;
    let prices = notes.prices();
    let listed = prices.entry(aim.priced(&prices)).map_or_else(Takes::default, |entry| entry.takes);
    let refuses = takes.over(listed).refuses(body.is_foreign_to(&aim.model));
    if !refuses.nothing() {
        body.view().adapt(refuses, &mut aim.edits);
    }
}

impl Composed {
    /// A call that goes to this target of its alias and to no other.
    pub(crate) async fn at(
        admitted: Admitted,
        target: &Target,
        record: &mut Record,
    ) -> Result<Self, Refusal> {
        let mut aim = aim_at(&admitted, target, record.notes_mut()).await?;
        record.aimed(&mut aim);
        Ok(Self { admitted, aim, way: None, most: 1, need: None, bound: None })
    }

    /// How the call would go to a target of its alias.
    pub(crate) async fn aim_of(&self, target: &Target, notes: &mut Notes) -> Result<Aim, Refusal> {
        aim_at(&self.admitted, target, notes).await
    }

    /// The same, with what its answer is bounded to.
    pub(crate) async fn aim_to(&self, target: &Target, notes: &mut Notes) -> Result<Aim, Refusal> {
        let mut aim = self.aim_of(target, notes).await?;
        if let Some(bound) = self.bound {
            bound.tell(&self.admitted, &mut aim.edits);
        }
        Ok(aim)
    }

    /// Bounds an answer whose length the caller left open to what those of its alias are.
    pub(crate) fn right_size(&mut self, record: &mut Record) {
        let Some(outputs) = self.way.as_ref().and_then(|way| way.alias.outputs.clone()) else { return };
        let view = self.admitted.call.body.view();
        let open = self.bound.is_none() && view.max_tokens().is_none() && view.can_bound();
        let Some(ceiling) = outputs.ceiling().filter(|_| open && self.admitted.call.operation.metered())
        else {
            return;
        };
        let longest = record.prices().max_output_tokens(&self.aim.model).unwrap_or(UNSAID);
        let bound = Bound { tokens: ceiling, because: Because::Measured };
        if ceiling < longest && self.bound(bound, record) {
            record.right_sized(ceiling);
            outputs.bounded(ceiling, longest);
        }
    }

    /// Says in the request how long the answer may be; `false` when it has no place for that.
    pub(crate) fn bound(&mut self, bound: Bound, record: &mut Record) -> bool {
        let bounded = bound.tell(&self.admitted, &mut self.aim.edits);
        if bounded {
            record.edited(&self.aim.edits);
            self.bound = Some(bound);
        }
        bounded
    }
}

impl Aim {
    /// Whether both are the same target at the same provider.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        self.target == other.target && self.provider.facts().name == other.provider.facts().name
    }
}

impl Bound {
    /// Writes it into a request; `false` when that has no place for it.
    fn tell(self, admitted: &Admitted, edits: &mut Edits) -> bool {
        let Self { tokens, because } = self;
        let bounded = admitted.call.body.view().bound_output(tokens, edits);
        if bounded {
            edits.said.push(format!("maxTokens {tokens}: {because}"));
        }
        bounded
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoom => "a budget has room for no more",
            Self::Exercise => "nobody reads it",
            Self::Measured => "hardly any answer of the alias is longer",
            Self::NoMaximum => "how long an answer of the model may be is not known",
        })
    }
}

async fn aim(
    admitted: &Admitted,
    provider: Arc<dyn Provider>,
    name: &str,
    tier: Option<Arc<str>>,
    listed: bool,
    notes: &mut Notes,
) -> Result<Aim, Refusal> {
    let lead = lead::lead(admitted, &provider, name, listed, notes).await?;
    let Chosen { target, lead, said } = tenant::choose(admitted, &provider, name, lead, notes).await?;
    let model = match &lead {
        Lead::To(targets) => targets.models.first().map_or_else(|| Arc::clone(&target), Arc::clone),
        Lead::Itself | Lead::Nowhere(_) => Arc::clone(&target),
    };
    // callers write their prompts themselves
    let prompt: Option<PromptUse> = None;
    let mut edits = Edits::default();
    edits.said.extend(said);
    let mut stamped = None;
    if carries_metadata(admitted.call.operation) {
        let stamps = provider.facts().stamps;
        stamped = Some(stamp(admitted, prompt.as_ref(), stamps, notes.id, &mut edits)?);
    }
    let tier = tier.filter(|tier| ask_for(tier, &admitted.call, &mut edits));
    Ok(Aim { provider, target, lead, model, lane: None, tier, edits, stamped, prompt })
}

/// Asks for a service tier, where the caller asks for no way to be served.
fn ask_for(tier: &str, call: &Call, edits: &mut Edits) -> bool {
    let asks = [TIER_HEADER, LATENCY_HEADER].iter().any(|name| call.headers.get(name).is_some());
    let asked = !asks && call.body.view().ask_tier(tier, edits);
    if asked {
        edits.said.push(format!("service tier {tier}"));
    }
    asked
}

/// How native bodies ask for a service tier, and for latency-optimised inference.
pub(crate) const TIER_HEADER: &str = "x-amzn-bedrock-service-tier";
pub(crate) const LATENCY_HEADER: &str = "x-amzn-bedrock-performanceconfig-latency";

/// Writes the call id and what the call is counted on into the request's metadata, so that AWS's own logs
/// agree with ours. Where a provider is not stamped the caller's pairs are still read: ours are never
/// the caller's to write.
fn stamp(
    admitted: &Admitted,
    prompt: Option<&PromptUse>,
    stamps: bool,
    id: CallId,
    edits: &mut Edits,
) -> Result<Stamped, Refusal> {
    let (p, call) = (&admitted.principal, &admitted.call);
    let attribution = Attribution {
        team: &p.team,
        feature: &p.feature,
        environment: &p.environment,
        user: call.tags.user.as_deref(),
        chain: call.tags.chain.as_deref(),
        alias: &call.name,
        prompt,
    };
    let mut id_text = [0u8; uuid_len()];
    let id = id.0.as_hyphenated().encode_lower(&mut id_text);
    let (mut ours, mut n) = ([("", ""); STAMPS.len()], 0);
    for (place, pair) in ours.iter_mut().zip(attribution.pairs(id)) {
        *place = pair;
        n += 1;
    }
    let ours = if stamps { ours.get(..n).unwrap_or_default() } else { &[] };
    let stamped = call.body.view().stamp(ours, RESERVED, edits)?;
    if stamped.dropped > 0 {
        edits.said.push(format!("requestMetadata: {} of ours found no room", stamped.dropped));
    }
    Ok(stamped)
}

const fn uuid_len() -> usize {
    36
}

/// Bedrock takes metadata on inference calls only.
fn carries_metadata(op: Operation) -> bool {
    matches!(
        op,
        Operation::Converse
            | Operation::ConverseStream
            | Operation::InvokeModel
            | Operation::InvokeModelWithResponseStream
    )
}
