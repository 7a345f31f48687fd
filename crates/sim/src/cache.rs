//! Prompt caching by Bedrock's rules.
//!
//! A checkpoint covers everything before it in the order tools, system, messages. A prefix seen before
//! within its life is read, and its life begins anew; what follows up to the last checkpoint is
//! written. A checkpoint over fewer tokens than the model's minimum is ignored without a word. A read may
//! end at an older checkpoint up to twenty parts back.

use std::collections::HashMap;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use parking_lot::Mutex;

use crate::catalogue::{CacheRule, Target};
use crate::errors::AwsError;
use crate::prompt::{Offer, Piece, Prompt, Ttl};
use crate::seed;
use crate::tokens;

const MOST_CHECKPOINTS: usize = 4;
const LOOK_BACK: usize = 20;
const MOST_ENTRIES: usize = 100_000;

/// Tokens by how they met the cache. `input` leaves the other two out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Split {
    pub(crate) input: u64,
    pub(crate) read: u64,
    pub(crate) write_5m: u64,
    pub(crate) write_1h: u64,
    /// Whether the request has a checkpoint at all.
    pub(crate) marked: bool,
}

impl Split {
    pub(crate) fn write(&self) -> u64 {
        self.write_5m + self.write_1h
    }
}

/// Prefixes that were written, with the end of their lives.
#[derive(Default)]
pub(crate) struct PromptCache {
    entries: Mutex<HashMap<u64, (Timestamp, Ttl)>>,
}

/// The end of one part of the prompt.
struct Edge {
    prefix: u64,
    tokens: u64,
    mark: Option<Ttl>,
}

impl PromptCache {
    /// Looks the prompt up, writes what is new, and splits its tokens.
    pub(crate) fn meet(&self, prompt: &Prompt, scope: &str, min_tokens: u64, now: Timestamp) -> Split {
        let edges = edges(prompt, scope);
        let all = edges.last().map_or(0, |e| e.tokens);
        let marks: Vec<usize> =
            (0..edges.len()).filter(|i| edges[*i].mark.is_some() && edges[*i].tokens >= min_tokens).collect();
        let mut split = Split { marked: edges.iter().any(|e| e.mark.is_some()), ..Split::default() };
        let mut entries = self.entries.lock();
        let mut done = 0;
        if let Some(hit) = find(&entries, &edges, &marks, now) {
            done = edges[hit].tokens;
            split.read = done;
            if let Some((until, ttl)) = entries.get_mut(&edges[hit].prefix) {
                *until = now.plus(life(*ttl));
            }
        }
        for mark in marks {
            let edge = &edges[mark];
            let Some(ttl) = edge.mark.filter(|_| edge.tokens > done) else { continue };
            let new = edge.tokens - done;
            match ttl {
                Ttl::Short => split.write_5m += new,
                Ttl::Long => split.write_1h += new,
            }
            done = edge.tokens;
            entries.insert(edge.prefix, (now.plus(life(ttl)), ttl));
        }
        if entries.len() > MOST_ENTRIES {
            entries.retain(|_, (until, _)| *until > now);
        }
        split.input = all - done;
        split
    }
}

fn find(
    entries: &HashMap<u64, (Timestamp, Ttl)>,
    edges: &[Edge],
    marks: &[usize],
    now: Timestamp,
) -> Option<usize> {
    let back = |mark: &usize| (mark.saturating_sub(LOOK_BACK)..=*mark).rev();
    marks
        .iter()
        .rev()
        .flat_map(back)
        .find(|i| entries.get(&edges[*i].prefix).is_some_and(|(until, _)| *until > now))
}

fn life(ttl: Ttl) -> Duration {
    match ttl {
        Ttl::Short => Duration::from_secs(300),
        Ttl::Long => Duration::from_secs(3600),
    }
}

/// The fewest tokens a checkpoint must cover on this model, unless settings say otherwise.
pub(crate) fn min_tokens(target: &Target) -> u64 {
    let listed = target.model.prompt_cache.as_ref().and_then(|r| r.min_tokens);
    listed.unwrap_or(match target.base() {
        b if b.contains("nova-lite") || b.contains("nova-micro") => 1536,
        _ => 1024,
    })
}

/// Refuses checkpoints that Bedrock refuses.
pub(crate) fn check(prompt: &Prompt, target: &Target) -> Result<(), AwsError> {
    let marks: Vec<Ttl> = marks(prompt);
    if marks.is_empty() {
        return Ok(());
    }
    let Some(CacheRule { ttl, .. }) = &target.model.prompt_cache else {
        return Err(AwsError::validation(
            "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more information.",
        ));
    };
    if marks.len() > MOST_CHECKPOINTS {
        return Err(AwsError::validation(format!(
            "A maximum of {MOST_CHECKPOINTS} blocks with cache_control may be provided. Found {}.",
            marks.len()
        )));
    }
    if marks.contains(&Ttl::Long) && !ttl.iter().any(|t| t == "1h") {
        return Err(AwsError::validation("This model does not support a cachePoint with ttl 1h."));
    }
    if marks.windows(2).any(|w| w[0] < w[1]) {
        return Err(AwsError::validation(
            "A cachePoint with ttl='1h' must not come after a cachePoint with ttl='5m'. Blocks are processed in the following order: tools, system, messages.",
        ));
    }
    Ok(())
}

fn marks(prompt: &Prompt) -> Vec<Ttl> {
    let offered = prompt.offers.iter().filter_map(|o| if let Offer::Mark(t) = o { Some(*t) } else { None });
    let said = prompt.system.iter().chain(prompt.turns.iter().flat_map(|t| &t.pieces));
    offered.chain(said.filter_map(|p| if let Piece::Mark(t) = p { Some(*t) } else { None })).collect()
}

/// The parts in cache order; each prefix hash covers all before it.
fn edges(prompt: &Prompt, scope: &str) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    let mut prefix = seed::mix(0x5eed, scope.as_bytes());
    let mut sum = 0;
    let mut add = |mark: Option<Ttl>, form: &str, tokens: u64| {
        if mark.is_some() {
            // a checkpoint marks the edge before it, and is no part of the text itself
            if let Some(last) = edges.last_mut() {
                last.mark = mark;
            }
            return;
        }
        sum += tokens;
        prefix = seed::mix(prefix, form.as_bytes());
        edges.push(Edge { prefix, tokens: sum, mark: None });
    };
    for offer in &prompt.offers {
        let mark = if let Offer::Mark(t) = offer { Some(*t) } else { None };
        add(mark, &format!("tool {}", offer.form()), tokens::offer(offer));
    }
    for piece in &prompt.system {
        add(mark_of(piece), &format!("system {}", piece.form()), tokens::piece(piece));
    }
    for turn in &prompt.turns {
        let mut opening = tokens::TURN;
        for piece in &turn.pieces {
            let size = tokens::piece(piece)
                + if mark_of(piece).is_none() { std::mem::take(&mut opening) } else { 0 };
            add(mark_of(piece), &format!("{:?} {}", turn.role, piece.form()), size);
        }
        if opening > 0 {
            add(None, "empty turn", opening);
        }
    }
    edges
}

fn mark_of(piece: &Piece) -> Option<Ttl> {
    if let Piece::Mark(t) = piece { Some(*t) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Role, Turn};

    fn prompt(system: usize, ttl: Ttl, question: &str) -> Prompt {
        let mut p = Prompt::of_text(question);
        p.system = vec![Piece::Text("word ".repeat(system)), Piece::Mark(ttl)];
        p
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn the_first_call_writes_and_the_second_reads() {
        let cache = PromptCache::default();
        let p = prompt(1000, Ttl::Short, "abcd");
        let first = cache.meet(&p, "a", 1024, at(0));
        assert_eq!((first.input, first.read, first.write_5m), (5, 0, 1250));
        let second = cache.meet(&prompt(1000, Ttl::Short, "other"), "a", 1024, at(1));
        assert_eq!((second.input, second.read, second.write()), (6, 1250, 0));
        assert_eq!(cache.meet(&p, "other region", 1024, at(2)).read, 0);
        assert_eq!(first.input + first.write(), tokens::prompt(&p));
    }

    #[test]
    fn a_hit_renews_the_life_and_five_minutes_end_it() {
        let cache = PromptCache::default();
        let p = prompt(1000, Ttl::Short, "abcd");
        cache.meet(&p, "a", 1024, at(0));
        assert_eq!(cache.meet(&p, "a", 1024, at(299)).read, 1250);
        assert_eq!(cache.meet(&p, "a", 1024, at(598)).read, 1250);
        assert_eq!(cache.meet(&p, "a", 1024, at(898)).write_5m, 1250);
        let long = prompt(1000, Ttl::Long, "abcd");
        assert_eq!(cache.meet(&long, "b", 1024, at(0)).write_1h, 1250);
        assert_eq!(cache.meet(&long, "b", 1024, at(3599)).read, 1250);
    }

    #[test]
    fn below_the_minimum_nothing_happens() {
        let cache = PromptCache::default();
        let p = prompt(100, Ttl::Short, "abcd");
        for _ in 0..2 {
            let split = cache.meet(&p, "a", 1024, at(0));
            assert_eq!((split.read, split.write(), split.marked), (0, 0, true));
        }
    }

    #[test]
    fn a_longer_conversation_reads_its_older_checkpoint() {
        let cache = PromptCache::default();
        let mut p = prompt(1000, Ttl::Short, "first question");
        p.system.pop();
        p.turns[0].pieces.push(Piece::Mark(Ttl::Short));
        let wrote = cache.meet(&p, "a", 1024, at(0)).write();
        p.turns[0].pieces.pop();
        let text = |role, t: &str| Turn { role, pieces: vec![Piece::Text(t.into())] };
        p.turns.push(text(Role::Assistant, "an answer"));
        p.turns.push(text(Role::User, "second question"));
        p.turns[2].pieces.push(Piece::Mark(Ttl::Short));
        let split = cache.meet(&p, "a", 1024, at(1));
        assert_eq!(split.read, wrote);
        assert!(split.write() > 0 && split.input == 0);
    }
}
