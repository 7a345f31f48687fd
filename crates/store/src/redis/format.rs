//! What stands in Redis, byte by byte.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | version: 1 |
//! | 1 | 4 | the day whose key sealed it, days since 1970-01-01 |
//! | 5 | 32 | the purges that had been, four numbers of 64 bits |
//! | 37 | 2 | length n of the tags |
//! | 39 | n | the tags: team, feature, model, as JSON |
//! | 39 + n | | an envelope of crate `seal` |
//!
//! The envelope is bound to everything before it and to the entry's name, so that it opens nowhere else. Its key is a
//! child of the master key, one for each day: a busy cache does not wear out the master key. Inside: 4 bytes of
//! length, a head as JSON, the body.

use std::collections::HashMap;
use std::sync::Arc;

use bedplate_core::cache::{CacheKey, Entry, Epoch, Purge, Tags};
use bedplate_core::call::{CallId, Headers};
use bedplate_core::clock::Timestamp;
use bedplate_core::content::Content;
use bedplate_core::ids::Ids;
use bedplate_core::usage::Usage;
use bedplate_seal::MasterKey;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What names of entries begin with.
pub(super) const ENTRY: &str = "bedplate:cache:1:e:";
const MARK: &str = "bedplate:cache:1:p:";
const VERSION: u8 = 1;
const FIXED: usize = 39;
/// As much of an entry as is read to see its tags.
pub(super) const HEAD_MOST: usize = 8_192;
/// Days whose keys are kept at hand.
const DAYS: usize = 64;

/// Where the last purges of a place are noted, in the order of [`Epoch`].
pub(super) fn marks(tags: &Tags) -> [String; 4] {
    [
        format!("{MARK}all"),
        format!("{MARK}team:{}", tags.team),
        format!("{MARK}feature:{}", tags.feature),
        format!("{MARK}model:{}", tags.model),
    ]
}

pub(super) fn mark(what: &Purge) -> String {
    match what {
        Purge::All => format!("{MARK}all"),
        Purge::Team(team) => format!("{MARK}team:{team}"),
        Purge::Feature(feature) => format!("{MARK}feature:{feature}"),
        Purge::Model(model) => format!("{MARK}model:{model}"),
    }
}

/// The tags in the beginning of an entry; `None` when they cannot be read.
pub(super) fn tags(head: &[u8]) -> Option<Tags> {
    let len = usize::from(u16::from_be_bytes(head.get(37..FIXED)?.try_into().ok()?));
    serde_json::from_slice(head.get(FIXED..FIXED + len)?).ok()
}

/// Seals entries and opens them.
pub(super) struct Sealer {
    naming: MasterKey,
    of_days: MasterKey,
    days: Mutex<HashMap<u32, Arc<MasterKey>>>,
}

/// What of an entry is not its body.
#[derive(Serialize, Deserialize)]
struct Head {
    call: CallId,
    headers: Vec<(String, String)>,
    usage: Option<Usage>,
    target: Arc<str>,
    region: Arc<str>,
    tier: String,
    stop_reason: Option<String>,
    made_at: Timestamp,
    fresh_until: Timestamp,
    kept_until: Timestamp,
}

impl Sealer {
    pub(super) fn new(master: &MasterKey) -> Self {
        let (naming, of_days) = (master.child("cache names"), master.child("cache entries"));
        Self { naming, of_days, days: Mutex::default() }
    }

    /// The name of an entry: without the master key nobody can tell whether a question they guess has an answer.
    pub(super) fn name(&self, key: &CacheKey) -> String {
        format!("{ENTRY}{}", hex::encode(self.naming.name(key.bytes())))
    }

    pub(super) fn seal(
        &self,
        ids: &dyn Ids,
        name: &str,
        tags: &Tags,
        entry: &Entry,
        epoch: Epoch,
        now: Timestamp,
    ) -> Vec<u8> {
        let day = u32::try_from(now.secs().div_euclid(86_400)).unwrap_or(0);
        let tags = serde_json::to_vec(tags).unwrap_or_default();
        let mut out = Vec::with_capacity(FIXED + tags.len());
        out.push(VERSION);
        out.extend(day.to_be_bytes());
        epoch.0.iter().for_each(|mark| out.extend(mark.to_be_bytes()));
        out.extend(u16::try_from(tags.len()).unwrap_or(0).to_be_bytes());
        out.extend(tags);
        let sealed = self.of_day(day).seal(ids, &bound(&out, name), &plain(entry));
        out.extend(sealed);
        out
    }

    /// The entry, unless a purge has concerned it.
    ///
    /// # Errors
    /// Why what stands there is none of ours.
    pub(super) fn open(&self, name: &str, stored: &[u8], epoch: Epoch) -> Result<Option<Entry>, String> {
        let (head, sealed) = split(stored).ok_or("it has another form")?;
        if head[5..37] != *epoch.0.map(u64::to_be_bytes).as_flattened() {
            return Ok(None);
        }
        let day = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let plain = self.of_day(day).open(&bound(head, name), sealed).map_err(|e| e.to_string())?;
        entry(&plain).map(Some).ok_or_else(|| "its content has another form".to_owned())
    }

    fn of_day(&self, day: u32) -> Arc<MasterKey> {
        let mut days = self.days.lock();
        if let Some(key) = days.get(&day) {
            return Arc::clone(key);
        }
        if days.len() >= DAYS {
            days.clear();
        }
        let key = Arc::new(self.of_days.child(&format!("day {day}")));
        days.insert(day, Arc::clone(&key));
        key
    }
}

fn split(stored: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::from(u16::from_be_bytes(stored.get(37..FIXED)?.try_into().ok()?));
    (stored[0] == VERSION).then(|| stored.split_at_checked(FIXED + len)).flatten()
}

fn bound(head: &[u8], name: &str) -> Vec<u8> {
    [head, name.as_bytes()].concat()
}

fn plain(entry: &Entry) -> Vec<u8> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).ok();
    let head = Head {
        call: entry.call,
        headers: entry.headers.iter().filter_map(|(n, v)| Some((text(n)?, text(v)?))).collect(),
        usage: entry.usage.clone(),
        target: Arc::clone(&entry.target),
        region: Arc::clone(&entry.region),
        tier: entry.tier.clone(),
        stop_reason: entry.stop_reason.clone(),
        made_at: entry.made_at,
        fresh_until: entry.fresh_until,
        kept_until: entry.kept_until,
    };
    let head = serde_json::to_vec(&head).unwrap_or_default();
    let mut out = Vec::with_capacity(4 + head.len() + entry.body.len());
    out.extend(u32::try_from(head.len()).unwrap_or(0).to_be_bytes());
    out.extend(head);
    out.extend(entry.body.expose());
    out
}

fn entry(plain: &[u8]) -> Option<Entry> {
    let (len, rest) = plain.split_first_chunk::<4>()?;
    let (head, body) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let mut headers = Headers::with_capacity(head.headers.len());
    for (name, value) in head.headers {
        headers.push(name, value);
    }
    Some(Entry {
        call: head.call,
        headers,
        body: Content::new(Bytes::copy_from_slice(body)),
        usage: head.usage,
        target: head.target,
        region: head.region,
        tier: head.tier,
        stop_reason: head.stop_reason,
        made_at: head.made_at,
        fresh_until: head.fresh_until,
        kept_until: head.kept_until,
    })
}
