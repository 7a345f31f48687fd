//! Whether a quota's name and a model's id mean the same.
//!
//! AWS writes `Cross-region model inference tokens per minute for Anthropic Claude 3.5 Sonnet V2` where it means
//! `us.anthropic.claude-3-5-sonnet-20241022-v2:0`. Both are split into words and numbers; days and a first version say
//! nothing, and all the rest has to be the same, in order. Nothing is guessed: of a quota with a word more (`1M context
//! length`) or less no model is found.

/// What a model is called for, as AWS counts it: each has quotas of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    OnDemand,
    /// Profiles of a geography.
    CrossRegion,
    Global,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Requests,
    Tokens,
}

/// What a quota's name says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Quoted {
    scope: Scope,
    pub(super) kind: Kind,
    /// Of its model, the maker's name before it.
    words: Vec<String>,
}

/// What an id says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Model {
    scope: Scope,
    maker: String,
    words: Vec<String>,
}

/// What stands before the maker in the id of a profile of a geography.
const GEOGRAPHIES: [&str; 9] = ["us", "eu", "apac", "jp", "au", "in", "us-gov", "ca", "sa"];
/// What may stand behind the name of a maker: `Mistral AI`, `AI21 Labs`.
const FIRMS: [&str; 3] = ["", "ai", "labs"];

impl Quoted {
    /// `None` of what is no quota of a minute of a model.
    pub(super) fn read(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (what, model) = name.split_once(" per minute for ")?;
        let what = words(what);
        let (kind, what) = what.split_last()?;
        let kind = match kind.as_str() {
            "requests" => Kind::Requests,
            "tokens" => Kind::Tokens,
            _ => return None,
        };
        let scope = match what.join(" ").strip_suffix(" model inference")? {
            "on demand" => Scope::OnDemand,
            "cross region" => Scope::CrossRegion,
            "global cross region" => Scope::Global,
            _ => return None,
        };
        Some(Self { scope, kind, words: without_first_version(words(model)) })
    }

    pub(super) fn is_of(&self, model: &Model) -> bool {
        if self.scope != model.scope {
            return false;
        }
        // `Qwen3 32B`: the model is called as its maker is
        let own = model.words.concat().starts_with(&model.maker) && self.words == model.words;
        own || (1..self.words.len()).any(|n| {
            let (maker, rest) = self.words.split_at(n);
            let maker = maker.concat();
            rest == model.words && FIRMS.iter().any(|firm| maker.strip_suffix(firm) == Some(&model.maker))
        })
    }
}

impl Model {
    /// `None` of what is no id of a model or of a system-defined profile.
    pub(super) fn read(id: &str) -> Option<Self> {
        if id.starts_with("arn:") {
            return None;
        }
        let (first, rest) = id.split_once('.')?;
        let (scope, maker, rest) = match first {
            "global" => rest.split_once('.').map(|(maker, rest)| (Scope::Global, maker, rest))?,
            geo if GEOGRAPHIES.contains(&geo) => {
                rest.split_once('.').map(|(maker, rest)| (Scope::CrossRegion, maker, rest))?
            }
            maker => (Scope::OnDemand, maker, rest),
        };
        Some(Self { scope, maker: maker.to_ascii_lowercase(), words: model_words(rest)? })
    }
}

/// `nova-lite-v1:0`, `gpt-oss-120b-1:0`, `claude-v2:1`
fn model_words(name: &str) -> Option<Vec<String>> {
    let name = name.to_ascii_lowercase();
    let Some((name, minor)) = name.split_once(':') else { return Some(without_first_version(words(&name))) };
    // a first version that is not called one
    let bare = name.strip_suffix("-1").filter(|name| !name.ends_with(|c: char| c.is_ascii_digit()));
    let mut all = words(bare.unwrap_or(name));
    match minor {
        "0" => all = without_first_version(all),
        // `0:200k` has no quota of its own
        _ if !minor.bytes().all(|b| b.is_ascii_digit()) => return None,
        _ => all.push(minor.to_owned()),
    }
    Some(all)
}

/// `claude-3-5-haiku-20241022-v1`: `claude`, `3`, `5`, `haiku`, `v`, `1`.
fn words(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for part in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut last = None;
        for c in part.chars() {
            let digit = c.is_ascii_digit();
            match all.last_mut() {
                Some(word) if last == Some(digit) => word.push(c),
                _ => all.push(c.into()),
            }
            last = Some(digit);
        }
    }
    all.retain(|word| !is_day(word));
    all
}

fn is_day(word: &str) -> bool {
    word.len() == 8 && word.starts_with("20") && word.bytes().all(|b| b.is_ascii_digit())
}

fn without_first_version(mut words: Vec<String>) -> Vec<String> {
    if words.len() > 2 && words.ends_with(&["v".to_owned(), "1".to_owned()]) {
        words.truncate(words.len() - 2);
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use bedplate_cost::PriceBook;

    use super::*;

    fn fits(name: &str, id: &str) -> bool {
        let quoted =
            Quoted::read(&format!("On-demand model inference tokens per minute for {name}")).unwrap();
        Model::read(id).is_some_and(|model| quoted.is_of(&model))
    }

    /// Ids of the list, without geographies.
    fn ids() -> BTreeSet<String> {
        let book = PriceBook::embedded();
        let bare = |id: &str| {
            let (first, rest) = id.split_once('.').unwrap();
            let geo = first == "global" || GEOGRAPHIES.contains(&first);
            if geo { rest.to_owned() } else { id.to_owned() }
        };
        let ids: BTreeSet<String> = book.entries().iter().map(|entry| bare(&entry.id)).collect();
        assert!(ids.len() > 150, "{}", ids.len());
        ids
    }

    #[test]
    fn names_of_aws_find_their_model_and_no_other() {
        let ids = ids();
        for (name, of) in [
            ("Anthropic Claude 3 Haiku", None),
            ("Anthropic Claude 3.5 Haiku", Some("anthropic.claude-3-5-haiku-20241022-v1:0")),
            ("Anthropic Claude 3.5 Sonnet", Some("anthropic.claude-3-5-sonnet-20240620-v1:0")),
            ("Anthropic Claude 3.5 Sonnet V2", Some("anthropic.claude-3-5-sonnet-20241022-v2:0")),
            ("Anthropic Claude Opus 4 V1", Some("anthropic.claude-opus-4-20250514-v1:0")),
            ("Anthropic Claude Opus 4.1", Some("anthropic.claude-opus-4-1-20250805-v1:0")),
            ("Anthropic Claude Sonnet 4 V1", Some("anthropic.claude-sonnet-4-20250514-v1:0")),
            ("Anthropic Claude Sonnet 4 V1 1M Context Length", None),
            ("Anthropic Claude Sonnet 4.5 V1", Some("anthropic.claude-sonnet-4-5-20250929-v1:0")),
            ("Anthropic Claude Sonnet 5", Some("anthropic.claude-sonnet-5")),
            ("Anthropic Claude Sonnet 5.5", Some("anthropic.claude-sonnet-5-5")),
            ("Anthropic Claude V2", None),
            ("Anthropic Claude V2.1", Some("anthropic.claude-v2:1")),
            ("Anthropic Claude Instant", Some("anthropic.claude-instant-v1")),
            ("Amazon Nova Lite", Some("amazon.nova-lite-v1:0")),
            ("Amazon Nova 2 Lite", Some("amazon.nova-2-lite-v1:0")),
            ("Amazon Nova Pro", Some("amazon.nova-pro-v1:0")),
            ("Meta Llama 3 70B Instruct", Some("meta.llama3-70b-instruct-v1:0")),
            ("Meta Llama 3.1 70B Instruct", Some("meta.llama3-1-70b-instruct-v1:0")),
            ("Meta Llama 3.3 70B Instruct", Some("meta.llama3-3-70b-instruct-v1:0")),
            ("Mistral AI Mistral Large 2407", Some("mistral.mistral-large-2407-v1:0")),
            ("Mistral Large 2402", Some("mistral.mistral-large-2402-v1:0")),
            ("Mistral Large", None),
            ("AI21 Labs Jamba 1.5 Large", Some("ai21.jamba-1-5-large-v1:0")),
            ("Cohere Embed V4", Some("cohere.embed-v4:0")),
            ("DeepSeek R1 V1", Some("deepseek.r1-v1:0")),
            ("DeepSeek V3.2", Some("deepseek.v3.2")),
            ("Qwen3 32B V1", Some("qwen.qwen3-32b-v1:0")),
            ("Qwen Qwen3 32B", Some("qwen.qwen3-32b-v1:0")),
            ("Stability.ai Stable Image Core", Some("stability.stable-image-core-v1:0")),
            ("TwelveLabs Marengo Embed 2.7", Some("twelvelabs.marengo-embed-2-7-v1:0")),
            ("Writer AI Palmyra X4 V1", Some("writer.palmyra-x4-v1:0")),
            ("Z.ai GLM 4.7 Flash", Some("zai.glm-4.7-flash")),
            ("GLM 4.7", None),
        ] {
            let found: Vec<&str> = ids.iter().filter(|id| fits(name, id)).map(String::as_str).collect();
            assert_eq!(found, of.into_iter().collect::<Vec<_>>(), "{name}");
        }
    }

    /// Each id, written as a name, finds itself; and no other but those that are one model.
    #[test]
    fn no_model_of_the_list_has_the_quota_of_another() {
        let ids = ids();
        let mut shared: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for id in &ids {
            let short = id.strip_suffix(":0").unwrap_or(id);
            let short =
                if short.len() < id.len() { short.strip_suffix("-1").unwrap_or(short) } else { short };
            let name = short.replacen('.', " ", 1).replace([':', '-'], " ");
            assert!(fits(&name, id), "{name} is {id}");
            let others: BTreeSet<&str> =
                ids.iter().filter(|other| fits(&name, other) && *other != id).map(String::as_str).collect();
            if !others.is_empty() {
                shared.insert(id, others);
            }
        }
        let one: BTreeMap<&str, BTreeSet<&str>> = [
            // one model that the list has under two days
            ("anthropic.claude-3-7-sonnet-20240620-v1:0", "anthropic.claude-3-7-sonnet-20250219-v1:0"),
            ("amazon.titan-image-generator-v2", "amazon.titan-image-generator-v2:0"),
        ]
        .into_iter()
        .flat_map(|(a, b)| [(a, BTreeSet::from([b])), (b, BTreeSet::from([a]))])
        // one model under two names of its maker, one of which is the other's with AI behind it
        .chain([("moonshotai.kimi-k2-thinking", BTreeSet::from(["moonshot.kimi-k2-thinking"]))])
        .collect();
        assert_eq!(shared, one);
    }

    #[test]
    fn other_quotas_and_other_ids_are_not_read() {
        for name in [
            "On-demand, latency-optimized model inference tokens per minute for Anthropic Claude 3.5 Haiku",
            "Model invocation max tokens per day for Amazon Nova Lite",
            "Cross-region model inference tokens per day for Amazon Nova Lite",
            "Batch inference input file size (in GB) for Amazon Nova Lite",
            "On-demand model inference concurrent requests for Amazon Nova Reel",
            "On-demand ApplyGuardrail requests per second",
            "Cross-region inference tokens per minute for Amazon Nova Lite",
            "per minute for ",
            "",
        ] {
            assert_eq!(Quoted::read(name), None, "{name}");
        }
        for id in [
            "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3d4e5f6",
            "anthropic.claude-3-sonnet-20240229-v1:0:200k",
            "nova",
            "",
            "us.x",
        ] {
            assert_eq!(Model::read(id), None, "{id}");
        }
    }

    #[test]
    fn geographies_are_cross_region_and_global_is_its_own() {
        let scope = |id: &str| Model::read(id).unwrap().scope;
        assert_eq!(scope("amazon.nova-lite-v1:0"), Scope::OnDemand);
        assert_eq!(scope("global.amazon.nova-2-lite-v1:0"), Scope::Global);
        for geo in GEOGRAPHIES {
            assert_eq!(scope(&format!("{geo}.amazon.nova-lite-v1:0")), Scope::CrossRegion);
        }
    }
}
