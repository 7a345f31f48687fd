//! What AWS Service Quotas says an account may do in a minute, model by model.
//!
//! It says so in words for people, and nothing else in its answers names a model. So a quota counts for a model only
//! where its words are surely that model's ([`names`]); what may be of two models is of none, and a quota that two
//! entries state differently is none.

mod names;

use self::names::{Kind, Model, Quoted};

/// A quota, as Service Quotas lists it.
#[derive(Clone, PartialEq, Debug)]
pub struct AwsQuota {
    /// `On-demand model inference tokens per minute for Amazon Nova Lite`
    pub name: String,
    pub value: f64,
}

/// The quotas of a minute of an account in a region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allowed(Vec<(Quoted, u64)>);

impl Allowed {
    /// Reads what names a quota of a minute of a model. A quota of nothing is left out: AWS itself is to say so.
    pub fn read(quotas: impl IntoIterator<Item = AwsQuota>) -> Self {
        let read = |quota: AwsQuota| Some((Quoted::read(&quota.name)?, whole(quota.value)?));
        Self(quotas.into_iter().filter_map(read).collect())
    }

    /// Requests and tokens a minute of a model or a system-defined inference profile, where they are surely its.
    pub fn of(&self, id: &str) -> (Option<u64>, Option<u64>) {
        let Some(model) = Model::read(id) else { return (None, None) };
        (self.one(&model, Kind::Requests), self.one(&model, Kind::Tokens))
    }

    /// How many quotas of models it holds.
    pub fn named(&self) -> usize {
        self.0.len()
    }

    fn one(&self, model: &Model, kind: Kind) -> Option<u64> {
        let mut all = self.0.iter().filter(|(quoted, _)| quoted.kind == kind && quoted.is_of(model));
        let (_, first) = all.next()?;
        all.all(|(_, value)| value == first).then_some(*first)
    }
}

fn whole(value: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 1; the cast saturates"
    )]
    (value >= 1.0).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(of: &[(&str, f64)]) -> Allowed {
        Allowed::read(of.iter().map(|(name, value)| AwsQuota { name: (*name).to_owned(), value: *value }))
    }

    #[test]
    fn each_scope_has_its_own() {
        let allowed = allowed(&[
            ("On-demand model inference requests per minute for Anthropic Claude Sonnet 4.5 V1", 10.0),
            ("Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1", 200_000.0),
            ("Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1", 200.0),
            ("Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1", 5e6),
            ("Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1", 1e9),
        ]);
        assert_eq!(allowed.of("anthropic.claude-sonnet-4-5-20250929-v1:0"), (Some(10), None));
        assert_eq!(allowed.of("eu.anthropic.claude-sonnet-4-5-20250929-v1:0"), (Some(200), Some(200_000)));
        assert_eq!(allowed.of("global.anthropic.claude-sonnet-4-5-20250929-v1:0"), (None, Some(5_000_000)));
        assert_eq!(allowed.of("global.anthropic.claude-sonnet-4-20250514-v1:0"), (None, None));
        assert_eq!(allowed.named(), 4);
    }

    #[test]
    fn what_is_stated_twice_holds_only_when_it_is_the_same() {
        let twice = |other: f64| {
            allowed(&[
                ("Cross-region model inference requests per minute for Amazon Nova Lite", 400.0),
                ("Cross-region model inference requests per minute for Amazon Nova Lite V1", other),
            ])
        };
        assert_eq!(twice(400.0).of("us.amazon.nova-lite-v1:0").0, Some(400));
        assert_eq!(twice(500.0).of("us.amazon.nova-lite-v1:0").0, None);
    }

    #[test]
    fn a_quota_of_nothing_is_left_to_aws() {
        let name = "On-demand model inference requests per minute for Amazon Nova Lite";
        for value in [0.0, -1.0, 0.5, f64::NAN] {
            assert_eq!(allowed(&[(name, value)]).named(), 0, "{value}");
        }
        assert_eq!(allowed(&[(name, 1.0)]).of("amazon.nova-lite-v1:0").0, Some(1));
    }
}
