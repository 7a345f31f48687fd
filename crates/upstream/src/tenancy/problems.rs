//! What is wrong with sessions and tenants, before AWS is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use super::template::{Template, tag_character};
use super::{SessionsConfig, TenantConfig};
use crate::config::{Config, Kind};

type Problem = (String, String);

impl Config {
    /// What is wrong with `[provider.sessions]` and `[[provider.tenant]]`: the key, relative to the section, and why.
    pub fn tenancy_problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if let Some(sessions) = &self.sessions {
            self.of_sessions(sessions, &mut found);
        }
        for (n, tenant) in self.tenant.iter().enumerate() {
            self.of_tenant(n, tenant, &mut found);
        }
        found
    }

    fn of_sessions(&self, sessions: &SessionsConfig, found: &mut Vec<Problem>) {
        let mut add = |key: &str, said: String| found.push((format!("sessions{key}"), said));
        if let Some(why) = self.cannot_assume() {
            add("", format!("`[provider.sessions]` of `{}`: {why}", self.name));
        } else if self.role_arn.is_none() && self.tenant.iter().all(|tenant| tenant.role_arn.is_none()) {
            add(
                "",
                format!("`[provider.sessions]` of `{}`: sessions of which role? set `role_arn`", self.name),
            );
        }
        if let Err(said) = Template::read(&sessions.name) {
            add(".name", said);
        } else if sessions.name.is_empty() {
            add(".name", "a role session name cannot be empty".into());
        }
        let mut keys = BTreeSet::new();
        for (key, value) in &sessions.tags {
            if let Err(said) = tag(key).and_then(|()| Template::read(value).map(drop)) {
                add(".tags", format!("the session tag `{key}`: {said}"));
            }
            if !keys.insert(key.to_lowercase()) {
                add(
                    ".tags",
                    format!(
                        "the session tag `{key}`: AWS takes `{}` once, in whatever case",
                        key.to_lowercase()
                    ),
                );
            }
        }
        if sessions.tags.len() > 50 {
            add(".tags", format!("{} session tags: AWS takes 50", sessions.tags.len()));
        }
        for (n, key) in
            sessions.transitive.iter().enumerate().filter(|(_, key)| !sessions.tags.contains_key(*key))
        {
            add(&format!(".transitive.{n}"), format!("`{key}` is none of the session tags"));
        }
        if sessions.most == 0 {
            add(".most", "at least one session must be kept".into());
        }
        let lifetime = sessions.lifetime.0;
        if !(Duration::from_secs(900)..=Duration::from_secs(43_200)).contains(&lifetime) {
            add(".lifetime", format!("`{}` is not between `15m` and `12h`", sessions.lifetime));
        }
    }

    /// Why no role can be assumed here.
    fn cannot_assume(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Sim => Some("the simulator takes no credentials"),
            Kind::OpenAi => Some("only Bedrock has roles"),
            Kind::Bedrock if self.bearer.is_some() => {
                Some("a bearer key is sent as it is, and assumes no role")
            }
            Kind::Bedrock => None,
        }
    }

    fn of_tenant(&self, n: usize, tenant: &TenantConfig, found: &mut Vec<Problem>) {
        let mut add = |key: &str, said: String| {
            found.push((
                format!("tenant.{n}{key}"),
                format!("`[[provider.tenant]]` of `{}`: {said}", self.name),
            ));
        };
        if tenant.role_arn.is_none() && tenant.profiles.is_empty() {
            add("", "an entry names neither `role_arn` nor `profiles`".into());
        }
        for (key, name) in ["team", "feature", "environment", "key"].into_iter().zip(tenant.scope()) {
            if name == Some("") {
                add(
                    &format!(".{key}"),
                    format!("`{key}` is empty: leave it out, and the entry fits everybody"),
                );
            }
        }
        if let Some(role) = &tenant.role_arn {
            if let Some(why) = self.cannot_assume() {
                add(".role_arn", why.into());
            } else if let Err(said) = self.role(role) {
                add(".role_arn", said);
            }
        }
        for (model, arn) in &tenant.profiles {
            if let Err(said) = self.profile(model, arn) {
                add(".profiles", said);
            }
        }
        for hidden in self.hidden(n, tenant) {
            add(
                if hidden == "role_arn" { ".role_arn" } else { ".profiles" },
                format!(
                    "`{hidden}` is never used: an entry before it fits the same callers; put this one first"
                ),
            );
        }
    }

    fn role(&self, arn: &str) -> Result<(), String> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let (account, id) = match *parts {
            ["arn", _, "iam", "", account, role] => (account, role.strip_prefix("role/").unwrap_or_default()),
            _ => ("", ""),
        };
        if id.is_empty() || account.len() != 12 {
            return Err(format!("`{arn}` is not the ARN of a role: `arn:aws:iam::123456789012:role/NAME`"));
        }
        self.same_account(arn, account)
    }

    fn profile(&self, model: &str, arn: &str) -> Result<(), String> {
        if model.starts_with("arn:") || !model.contains('.') {
            return Err(format!("`{model}` is no model id: `us.amazon.nova-lite-v1:0`"));
        }
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let (region, account, id) = match *parts {
            ["arn", _, "bedrock", region, account, resource] => {
                (region, account, resource.strip_prefix("application-inference-profile/").unwrap_or_default())
            }
            _ => ("", "", ""),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if id.is_empty() || !id.bytes().all(plain) || account.len() != 12 {
            return Err(format!(
                "`{arn}` is not the ARN of an application inference profile: \
                 `arn:aws:bedrock:REGION:ACCOUNT:application-inference-profile/ID`"
            ));
        }
        if region != self.region {
            return Err(format!("`{arn}` is of `{region}`, and the provider of `{}`", self.region));
        }
        self.same_account(arn, account)
    }

    /// A provider is one account: records say which.
    fn same_account(&self, arn: &str, account: &str) -> Result<(), String> {
        if self.account.is_empty() || self.account == account {
            return Ok(());
        }
        Err(format!(
            "`{arn}` is of account {account}, and the provider of {}: make it a provider of its own",
            self.account
        ))
    }

    /// What of an entry an earlier one takes all callers of.
    fn hidden<'a>(&'a self, n: usize, tenant: &'a TenantConfig) -> Vec<&'a str> {
        let takes_all = |earlier: &TenantConfig| {
            earlier
                .scope()
                .into_iter()
                .zip(tenant.scope())
                .all(|(theirs, ours)| theirs.is_none() || theirs == ours)
        };
        let earlier: Vec<&TenantConfig> = self.tenant.iter().take(n).filter(|t| takes_all(t)).collect();
        let role = tenant.role_arn.is_some() && earlier.iter().any(|t| t.role_arn.is_some());
        let profiles = tenant.profiles.keys().map(String::as_str);
        let profiles = profiles.filter(|model| earlier.iter().any(|t| t.profiles.contains_key(*model)));
        role.then_some("role_arn").into_iter().chain(profiles).collect()
    }
}

fn tag(key: &str) -> Result<(), String> {
    match key {
        "" => Err("a tag needs a name".into()),
        _ if key.len() > 128 => Err("AWS takes names of 128 characters".into()),
        _ if key.to_lowercase().starts_with("aws:") => {
            Err("AWS keeps names that begin with `aws:` to itself".into())
        }
        _ if !key.chars().all(tag_character) => {
            Err("AWS takes letters, digits, spaces and `_.:/=+-@`".into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let start = "name = \"p\"\nkind = \"bedrock\"\naccount = \"123456789012\"\n";
        toml::from_str(&format!("{start}{more}")).unwrap()
    }

    fn keys(more: &str) -> Vec<String> {
        config(more).tenancy_problems().into_iter().map(|(key, _)| key).collect()
    }

    const ROLE: &str = "role_arn = \"arn:aws:iam::123456789012:role/gateway\"\n";

    #[test]
    fn what_is_good_has_no_problems() {
        let good = format!(
            "{ROLE}[sessions]\ntags = {{ team = \"{{team}}\", Gateway = \"bedplate\" }}\ntransitive = [\"team\"]\n\
             [[tenant]]\nteam = \"a\"\nenvironment = \"prod\"\nrole_arn = \"arn:aws:iam::123456789012:role/x/y\"\n\
             [[tenant]]\nteam = \"a\"\n\
             profiles = {{ \"us.amazon.nova-lite-v1:0\" = \"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2\" }}\n"
        );
        assert_eq!(config(&good).tenancy_problems(), []);
    }

    #[test]
    fn every_problem_has_its_place() {
        assert_eq!(keys("[sessions]\n"), ["sessions"]);
        assert_eq!(keys(&format!("{ROLE}bearer = {{ env = \"B\" }}\n[sessions]\n")), ["sessions"]);
        let bad = "[sessions]\nname = \"{user}\"\nmost = 0\nlifetime = \"5m\"\ntransitive = [\"x\"]\n\
                   tags = { \"aws:x\" = \"1\", team = \"{tem}\", Team = \"a\" }\n";
        assert_eq!(
            keys(&format!("{ROLE}{bad}")),
            [".name", ".tags", ".tags", ".tags", ".transitive.0", ".most", ".lifetime"]
                .map(|k| format!("sessions{k}"))
        );
        let arn = |region: &str, account: &str, id: &str| {
            format!(
                "[[tenant]]\nprofiles = {{ \"amazon.nova-lite-v1:0\" = \"arn:aws:bedrock:{region}:{account}:application-inference-profile/{id}\" }}\n"
            )
        };
        assert_eq!(keys(&arn("us-east-1", "123456789012", "abc")), [""; 0]);
        for bad in [
            arn("eu-west-1", "123456789012", "abc"),
            arn("us-east-1", "210987654321", "abc"),
            arn("us-east-1", "123456789012", "a/b"),
        ] {
            assert_eq!(keys(&bad), ["tenant.0.profiles"], "{bad}");
        }
        assert_eq!(keys("[[tenant]]\nteam = \"a\"\n"), ["tenant.0"]);
        assert_eq!(
            keys("[[tenant]]\nteam = \"\"\nrole_arn = \"arn:aws:iam::123456789012:user/x\"\n"),
            ["tenant.0.team", "tenant.0.role_arn"]
        );
        assert_eq!(
            keys("[[tenant]]\nrole_arn = \"arn:aws:iam::210987654321:role/x\"\n"),
            ["tenant.0.role_arn"]
        );
    }

    #[test]
    fn an_entry_that_is_never_used_is_found() {
        let role = "role_arn = \"arn:aws:iam::123456789012:role/x\"\n";
        let wide_first = format!(
            "[[tenant]]\nteam = \"a\"\n{role}[[tenant]]\nteam = \"a\"\nenvironment = \"prod\"\n{role}"
        );
        assert_eq!(keys(&wide_first), ["tenant.1.role_arn"]);
        let narrow_first = format!(
            "[[tenant]]\nteam = \"a\"\nenvironment = \"prod\"\n{role}[[tenant]]\nteam = \"a\"\n{role}"
        );
        assert_eq!(keys(&narrow_first), [""; 0]);
    }
}
