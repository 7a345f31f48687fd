//! Ids of tool uses, as Converse takes them.

use std::borrow::Cow;
use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use bedplate_core::conversation::Text;

/// Characters of an id.
const MOST: usize = 64;

/// The ids of one conversation. Those that Converse does not take, and those that stand for several uses (some models
/// count them anew in every answer), are written in another way: always the same for the same conversation, and for a
/// use as for its result.
#[derive(Default)]
pub(crate) struct Ids<'t> {
    seen: HashMap<Cow<'t, str>, Seen>,
}

/// How often an id was used, and answered.
#[derive(Default)]
struct Seen {
    uses: u32,
    results: u32,
}

impl<'t> Ids<'t> {
    /// The id of the next use.
    pub(crate) fn of_use(&mut self, id: &'t Text<'_>) -> Cow<'t, str> {
        let id = id.decode();
        let seen = self.seen.entry(id.clone()).or_default();
        seen.uses += 1;
        fit(id, seen.uses)
    }

    /// The id of the next result: of the first use that has none yet.
    pub(crate) fn of_result(&mut self, id: &'t Text<'_>) -> Cow<'t, str> {
        let id = id.decode();
        let seen = self.seen.entry(id.clone()).or_default();
        seen.results = (seen.results + 1).min(seen.uses.max(1));
        fit(id, seen.results)
    }
}

/// An id that Converse takes; `time` tells uses with the same id apart.
pub(crate) fn fit(id: Cow<'_, str>, time: u32) -> Cow<'_, str> {
    let takes = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    if time <= 1 && (1..=MOST).contains(&id.len()) && id.bytes().all(takes) {
        return id;
    }
    let hash = digest(&SHA256, format!("{time} {id}").as_bytes());
    let mut fitting: String = id.bytes().filter(|b| takes(*b)).map(char::from).take(40).collect();
    fitting.push('-');
    fitting.push_str(&hex::encode(hash.as_ref().get(..8).unwrap_or_default()));
    fitting.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_fit_stay_and_others_become_the_same_ones_every_time() {
        let (plain, odd) = (Text::of("tooluse_k1"), Text::of("call|é 1"));
        let long = Text::of(&"x".repeat(65));
        let mut ids = Ids::default();
        assert_eq!(ids.of_use(&plain), "tooluse_k1");
        assert_eq!(ids.of_result(&plain), "tooluse_k1");
        for id in [&odd, &long] {
            let written = ids.of_use(id);
            assert_eq!(written, ids.of_result(id));
            assert_eq!(written, Ids::default().of_use(id));
            assert!(written.len() <= MOST && written.is_ascii(), "{written}");
        }
        assert_ne!(fit("a b".into(), 1), fit("a  b".into(), 1));
    }

    #[test]
    fn an_id_of_several_uses_is_told_apart_and_results_follow_in_order() {
        let id = Text::of("call_0");
        let mut ids = Ids::default();
        let first = ids.of_use(&id);
        assert_eq!(ids.of_result(&id), first);
        let (second, third) = (ids.of_use(&id), ids.of_use(&id));
        assert!(first != second && second != third && first == "call_0");
        assert_eq!((ids.of_result(&id), ids.of_result(&id)), (second, third.clone()));
        assert_eq!(ids.of_result(&id), third, "one too many: it says more of the last");
    }
}
