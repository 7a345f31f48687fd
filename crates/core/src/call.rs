//! A call and the names it carries.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::conversation::Told;
use crate::form::Form;
use crate::ids::Ids;

/// Identifies a call in the ledger, in logs and to the caller (`x-bedplate-call-id`). A UUID of
/// version 7, so that ids sort by time; AWS's own request ids are UUIDs too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub Uuid);

impl CallId {
    pub fn new(now: Timestamp, ids: &dyn Ids) -> Self {
        let mut random = [0u8; 10];
        ids.fill(&mut random);
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id of the call's own span in a trace: the random end of the call id.
    pub fn span(self) -> [u8; 8] {
        let mut span = [0; 8];
        span.copy_from_slice(&self.0.as_bytes()[8..]);
        span
    }

    /// When the call began, to the millisecond; part of the id.
    pub fn began(self) -> Timestamp {
        let (secs, nanos) = self.0.get_timestamp().map_or((0, 0), |t| t.to_unix());
        Timestamp(i64::try_from(secs).unwrap_or(0) * 1_000_000 + i64::from(nanos / 1_000))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;

    fn from_str(s: &str) -> Result<Self, uuid::Error> {
        Uuid::from_str(s).map(Self)
    }
}

/// The language a caller speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    #[default]
    Bedrock,
    #[serde(rename = "openai")]
    OpenAi,
    Anthropic,
}

/// In whose words a request came, and its answer goes.
#[derive(Clone, Debug, Default)]
pub struct Spoken {
    pub dialect: Dialect,
    /// How the body is written; `None` for what is only ever passed on as it is.
    pub form: Option<Form>,
    /// What an answer in these words says of itself; `None` where the upstream's own words do.
    pub told: Option<Arc<Told>>,
}

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bedrock => "bedrock",
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What a call asks for, by the name of the AWS API.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum Operation { $($(#[$doc])* $name),* }

        impl Operation {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The API's own name: `ConverseStream`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

operations! {
    Converse,
    ConverseStream,
    InvokeModel,
    InvokeModelWithResponseStream,
    /// Bidirectional: each input frame carries a chained signature, so it is always refused.
    InvokeModelWithBidirectionalStream,
    CountTokens,
    ApplyGuardrail,
    InvokeGuardrailChecks,
    ListFoundationModels,
    GetFoundationModel,
    ListInferenceProfiles,
    GetInferenceProfile,
    StartAsyncInvoke,
    GetAsyncInvoke,
    ListAsyncInvokes,
}

impl Operation {
    /// Whether the answer is an event stream.
    pub fn streams(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeModelWithResponseStream)
    }

    /// Whether the answer reports tokens or text units that cost money.
    pub fn metered(self) -> bool {
        matches!(
            self,
            Self::Converse
                | Self::ConverseStream
                | Self::InvokeModel
                | Self::InvokeModelWithResponseStream
                | Self::ApplyGuardrail
                | Self::InvokeGuardrailChecks
        )
    }

    /// Whether it is refused unless `[operations] allow` names it; it is then passed on unmetered.
    pub fn by_permission(self) -> bool {
        matches!(self, Self::StartAsyncInvoke | Self::GetAsyncInvoke | Self::ListAsyncInvokes)
    }

    /// Whether it only reads: it is a `GET`, and takes no body.
    pub fn reads(self) -> bool {
        self.is_catalogue() || matches!(self, Self::GetAsyncInvoke | Self::ListAsyncInvokes)
    }

    /// Whether it belongs to the service `bedrock` (catalogue) instead of `bedrock-runtime`.
    pub fn is_catalogue(self) -> bool {
        matches!(
            self,
            Self::ListFoundationModels
                | Self::GetFoundationModel
                | Self::ListInferenceProfiles
                | Self::GetInferenceProfile
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Operation {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|op| op.name() == s).ok_or(())
    }
}

/// Named values that travel beside a body. Names are lower case; order is kept; names may repeat.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(Bytes, Bytes)>);

impl Headers {
    pub fn with_capacity(n: usize) -> Self {
        Self(Vec::with_capacity(n))
    }

    pub fn push(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first value of `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, v)| v)
    }

    /// The first value of `name`, when it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// Replaces every value of `name` by one.
    pub fn set(&mut self, name: &'static str, value: impl Into<Bytes>) {
        self.0.retain(|(n, _)| n != name.as_bytes());
        self.push(name, value);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.0.iter().map(|(n, v)| (n, v))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Headers {
    type Item = (Bytes, Bytes);
    type IntoIter = std::vec::IntoIter<(Bytes, Bytes)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemIds;

    #[test]
    fn a_call_id_holds_its_time_and_reads_back() {
        let at = Timestamp::parse("2026-11-22T12:00:03.250Z").unwrap();
        let id = CallId::new(at, &*SystemIds::shared());
        assert_eq!(id.began(), at);
        assert_eq!(id.to_string().parse::<CallId>().unwrap(), id);
    }

    #[test]
    fn operations_read_back_by_name() {
        for op in Operation::ALL {
            assert_eq!(op.name().parse(), Ok(*op));
        }
    }
}
