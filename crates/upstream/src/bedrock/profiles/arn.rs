//! ARNs: which do not say their model, and what the ARNs behind them say.

/// What an ARN names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// An application inference profile.
    Profile,
    Router,
    Provisioned,
}

/// An ARN that does not say its model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Opaque {
    pub(super) kind: Kind,
    pub(super) region: String,
    pub(super) arn: String,
}

impl Opaque {
    /// `arn:PARTITION:bedrock:REGION:ACCOUNT:application-inference-profile/ID` and its like.
    pub(super) fn read(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("arn:")?.splitn(5, ':');
        let (_partition, service) = (parts.next()?, parts.next()?);
        let (region, _account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let (kind, id) = resource.split_once('/')?;
        let kind = match kind {
            "application-inference-profile" => Kind::Profile,
            "prompt-router" | "default-prompt-router" => Kind::Router,
            "provisioned-model" => Kind::Provisioned,
            _ => return None,
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-' | b'_');
        let good = service == "bedrock" && name.len() <= 512 && !id.is_empty() && id.bytes().all(plain);
        good.then(|| Self { kind, region: region.to_owned(), arn: name.to_owned() })
    }
}

/// The id of a model or system-defined profile in an ARN.
pub(super) fn id(arn: &str) -> Option<&str> {
    let resource = arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    resource.strip_prefix("foundation-model/").or_else(|| resource.strip_prefix("inference-profile/"))
}

/// Where calls go, sorted: region (empty for any) and model.
pub(super) fn targets(arns: Vec<&str>) -> Vec<(&str, &str)> {
    let mut all: Vec<(&str, &str)> =
        arns.into_iter().filter_map(|arn| Some((arn.split(':').nth(3)?, id(arn)?))).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The ids from which a profile in region `home` may be copied, the likeliest last: the model's own when calls stay
/// where they are, else that of each geography in which all targets lie.
pub(super) fn sources(targets: &[(&str, &str)], home: &str) -> Vec<String> {
    let Some((region, id)) = targets.first() else { return Vec::new() };
    if targets.iter().any(|(_, other)| other != id) {
        return Vec::new();
    }
    let regions: Vec<&str> = targets.iter().map(|(region, _)| *region).collect();
    if regions.contains(&"") {
        return vec![format!("global.{id}")];
    }
    if regions.len() == 1 && *region == home {
        return vec![(*id).to_owned()];
    }
    geographies(&regions).into_iter().map(|geo| format!("{geo}.{id}")).collect()
}

/// Geographies that hold all of the regions, the widest last.
fn geographies(regions: &[&str]) -> Vec<&'static str> {
    const NARROW: [(&str, &[&str]); 3] = [
        ("jp", &["ap-northeast-1", "ap-northeast-3"]),
        ("au", &["ap-southeast-2", "ap-southeast-4"]),
        ("in", &["ap-south-1", "ap-south-2"]),
    ];
    let all = |fits: &dyn Fn(&str) -> bool| regions.iter().all(|region| fits(region));
    if all(&|r| r.starts_with("us-gov-")) {
        return vec!["us-gov"];
    }
    if all(&|r| r.starts_with("ca-")) {
        return vec!["ca", "us"];
    }
    // profiles of the US answer in Canada too
    if all(&|r| (r.starts_with("us-") && !r.starts_with("us-gov-")) || r.starts_with("ca-")) {
        return vec!["us"];
    }
    if all(&|r| r.starts_with("eu-")) {
        return vec!["eu"];
    }
    if all(&|r| r.starts_with("sa-")) {
        return vec!["sa"];
    }
    if all(&|r| r.starts_with("ap-")) {
        let narrow = NARROW.iter().filter(|(_, of)| all(&|r| of.contains(&r))).map(|(geo, _)| *geo);
        return narrow.chain(["apac"]).collect();
    }
    Vec::new()
}

/// Writes the path of a model operation, `/model/NAME/VERB`, with another model's name.
pub(in super::super) fn write_model(to: &mut String, path: &str, model: &str) {
    let verb = path.rsplit_once('/').map_or("", |(_, verb)| verb);
    to.push_str("/model/");
    to.push_str(&label(model));
    to.push('/');
    to.push_str(verb);
}

/// One label of a path.
pub(super) fn label(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len() + 16), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_arns_that_hide_their_model_are_looked_up() {
        let read = |name: &str| Opaque::read(name).map(|o| (o.kind, o.region));
        let of = |resource: &str| format!("arn:aws:bedrock:us-east-1:123456789012:{resource}");
        let here = || "us-east-1".to_owned();
        assert_eq!(read(&of("application-inference-profile/a1b2c3d4e5f6")), Some((Kind::Profile, here())));
        assert_eq!(read(&of("prompt-router/abc")), Some((Kind::Router, here())));
        assert_eq!(read(&of("default-prompt-router/anthropic.claude:1")), Some((Kind::Router, here())));
        assert_eq!(read(&of("provisioned-model/abc")), Some((Kind::Provisioned, here())));
        for other in [
            "us.amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-east-1",
            &of("inference-profile/us.amazon.nova-lite-v1:0"),
            &of("imported-model/abc"),
            &of("application-inference-profile/"),
            &of("application-inference-profile/a/../b"),
            &of("application-inference-profile/a?b"),
            "arn:aws:sagemaker:us-east-1:123456789012:provisioned-model/abc",
            &of(&format!("provisioned-model/{}", "a".repeat(500))),
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_profile_is_known_by_where_its_calls_go() {
        let sources = |regions: &[&str], home: &str| {
            let targets: Vec<(&str, &str)> = regions.iter().map(|r| (*r, "amazon.nova-lite-v1:0")).collect();
            let ids = super::sources(&targets, home);
            ids.iter().map(|id| id.trim_end_matches("amazon.nova-lite-v1:0").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(sources(&["us-east-1"], "us-east-1"), [""]);
        assert_eq!(sources(&["us-east-1", "us-east-2", "us-west-2"], "us-east-1"), ["us."]);
        assert_eq!(sources(&["ca-central-1", "us-east-1", "us-east-2"], "ca-central-1"), ["us."]);
        assert_eq!(sources(&["", "us-east-1"], "us-east-1"), ["global."]);
        assert_eq!(sources(&["us-gov-east-1", "us-gov-west-1"], "us-gov-west-1"), ["us-gov."]);
        assert_eq!(sources(&["eu-north-1"], "eu-central-1"), ["eu."]);
        assert_eq!(sources(&["ap-northeast-1", "ap-northeast-3"], "ap-northeast-1"), ["jp.", "apac."]);
        assert_eq!(sources(&["ap-northeast-1", "ap-south-1"], "ap-northeast-1"), ["apac."]);
        assert_eq!(sources(&["eu-north-1", "us-east-1"], "us-east-1"), [""; 0]);
        assert_eq!(sources(&[], "us-east-1"), [""; 0]);
        assert_eq!(super::sources(&[("us-east-1", "a.b"), ("us-east-1", "c.d")], "us-east-1"), [""; 0]);
    }

    #[test]
    fn labels_are_encoded_once() {
        assert_eq!(label("arn:aws:x/y-1.2_3"), "arn%3Aaws%3Ax%2Fy-1.2_3");
        let mut path = "/base".to_owned();
        write_model(&mut path, "/model/us.amazon.nova-lite-v1%3A0/converse-stream", "arn:x/y");
        assert_eq!(path, "/base/model/arn%3Ax%2Fy/converse-stream");
    }
}
