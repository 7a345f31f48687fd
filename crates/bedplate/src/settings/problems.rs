//! What is wrong with settings although they could be parsed.

mod across;

use std::collections::BTreeSet;
use std::path::Path;

use bedplate_gateway::tls;
use bedplate_pipeline::{Named, OperationsConfig, QuotaConfig, RungConfig};
use bedplate_upstream::Kind;

use super::Settings;

/// A problem, and the keys it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    /// `provider.0.account`; the first gives the place.
    pub(super) keys: Vec<String>,
    pub(super) said: String,
}

impl Settings {
    /// Everything that can be found without starting.
    pub(crate) fn problems(&self, project: &Path) -> Vec<Problem> {
        let mut found = Found { project, problems: Vec::new() };
        self.listen_problems(&mut found);
        self.provider_problems(&mut found);
        self.model_problems(&mut found);
        self.door_problems(&mut found);
        for (n, name) in self.operations.allow.iter().enumerate() {
            if let Err(said) = (OperationsConfig { allow: vec![name.clone()] }).build() {
                found.add(&[&format!("operations.allow.{n}")], said);
            }
        }
        for (key, said) in self.cloudwatch.problems() {
            found.add(&[&format!("cloudwatch.{key}")], said);
        }
        for (n, bad) in bedplate_cost::budget::all(&self.budget).err().unwrap_or_default() {
            found.add(
                &[&format!("budget.{n}.{}", bad.member)],
                format!("`[[budget]]` `{}`: {}", bad.name, bad.said),
            );
        }
        for (n, bad) in bedplate_pipeline::throttles(&self.throttle).err().unwrap_or_default() {
            let one = [bad.member];
            let members: &[&str] =
                if bad.member.is_empty() { &["rpm", "tpm", "concurrency", "priority"] } else { &one };
            found.add_any(&format!("throttle.{n}"), members, bad.said);
        }
        self.scope_problems(&mut found);
        if let Err((member, said)) = self.budgets.build(self.store.deadline.0) {
            found.add(&[&format!("budgets.{member}")], said);
        }
        for (key, said) in self.cache.problems() {
            found.add(&[&format!("cache.{key}")], said);
        }
        self.notify_problems(&mut found);
        if let Err(said) = self.prices.book(project) {
            found.add(&["prices.overrides"], format!("`[prices] overrides`: {said}"));
        }
        found.problems
    }

    fn listen_problems(&self, found: &mut Found<'_>) {
        let listen = &self.listen;
        if listen.data == listen.control && listen.data.port() != 0 {
            found.add(
                &["listen.data", "listen.control"],
                format!("`[listen]`: data and control cannot share {}", listen.data),
            );
        }
        if listen.tls.mode != tls::Mode::Files {
            return;
        }
        for (name, file) in [("certificate", &listen.tls.certificate), ("key", &listen.tls.key)] {
            let key = format!("listen.tls.{name}");
            match file {
                None => found.add(&[&key], format!("`[listen.tls]` with mode `files` needs `{name}`")),
                Some(file) => found.file_must_exist(&key, &format!("`[listen.tls] {name}`"), file),
            }
        }
    }

    fn notify_problems(&self, found: &mut Found<'_>) {
        let mut names = BTreeSet::new();
        for (n, target) in self.notify.iter().enumerate() {
            for (key, said) in target.problems() {
                found.add(&[&format!("notify.{n}.{key}")], said);
            }
            if !names.insert(&target.name) {
                let said = format!("`[[notify]]`: two are named `{}`", target.name);
                found.add(&[&format!("notify.{n}.name")], said);
            }
        }
    }

    fn door_problems(&self, found: &mut Found<'_>) {
        for (name, said) in self.doors.problems() {
            found.add(&["doors.names"], format!("`[doors] names`: `{name}`: {said}"));
        }
        for (name, to) in &self.doors.names {
            if let Some(said) = self.no_alias(to).filter(|_| !to.is_empty() && !to.ends_with('*')) {
                found.add(&["doors.names"], format!("`[doors] names`: `{name}`: {said}"));
            }
        }
    }

    fn model_problems(&self, found: &mut Found<'_>) {
        for (member, said) in self.timeout.problems() {
            found.add(&[&format!("timeout.{member}")], said);
        }
        if let Some(said) = self.retry.problem() {
            found.add(&["retry.attempts"], said);
        }
        for (member, said) in self.pace.problems() {
            found.add(&[&format!("pace.{member}")], said);
        }
        for (member, said) in self.breaker.problems() {
            found.add(&[&format!("breaker.{member}")], said);
        }
        let providers: Vec<Named<'_>> = self
            .provider
            .iter()
            .map(|one| Named { name: &one.name, bedrocks: one.names_as_bedrock() })
            .collect();
        let mut names = BTreeSet::new();
        for (n, model) in self.model.iter().enumerate() {
            let name = &model.name;
            if !names.insert(name) {
                found.add(&[&format!("model.{n}.name")], format!("`[[model]]`: two are named `{name}`"));
            }
            for wrong in model.problems(&providers, self.timeout.build()) {
                let said = format!("`[[model]]` `{name}`: {}", wrong.said);
                found.add(&[&format!("model.{n}.{}", wrong.member)], said);
            }
            let stale = |rung: &RungConfig| matches!(rung, RungConfig::Cache(_));
            if let Some(at) = model.fallback.iter().position(stale).filter(|_| !self.cache.keeps_stale(name))
            {
                let said = format!(
                    "`[[model]]` `{name}`: no `[[cache.rule]]` keeps answers of `{name}` beyond their time: set `stale_if_error`"
                );
                found.add(&[&format!("model.{n}.fallback.{at}")], said);
            }
        }
    }

    fn provider_problems(&self, found: &mut Found<'_>) {
        let mut names = BTreeSet::new();
        for (n, provider) in self.provider.iter().enumerate() {
            let key = |key: &str| format!("provider.{n}.{key}");
            let name = &provider.name;
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if name.is_empty() || !plain {
                let said = format!("`[[provider]] name`: `{name}` is not letters, digits, `-` and `_`");
                found.add(&[&key("name")], said);
            }
            if !names.insert(name) {
                found.add(&[&key("name")], format!("`[[provider]]`: two are named `{name}`"));
            }
            let account = &provider.account;
            if !account.is_empty() && (account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit())) {
                let said = format!("`[[provider]] account` of `{name}`: `{account}` is not twelve digits");
                found.add(&[&key("account")], said);
            }
            for (member, said) in provider.quota.iter().flat_map(QuotaConfig::problems) {
                let said = format!("`[[provider]] quota` of `{name}`: {said}");
                // that it has no number is no second mistake where one cannot be read
                let members = [&*member, "rpm", "tpm", "concurrency"];
                let members = if member == "from" { &members[..] } else { &members[..1] };
                found.add_any(&key("quota"), members, said);
            }
            for (inner, said) in provider.kind_problems() {
                found.add(&[&key(inner)], format!("`[[provider]]` `{name}`: {said}"));
            }
            if let Some(said) = provider.quota_problem() {
                found.add(&[&key("quota.from")], format!("`[[provider]] quota` of `{name}`: {said}"));
            }
            if provider.proxy.as_ref().is_some_and(|url| url.contains('@')) {
                let said = format!(
                    "`[[provider]] proxy` of `{name}`: a login has no place in this file; set `proxy_login = {{ env = \"PROXY_LOGIN\" }}`"
                );
                found.add(&[&key("proxy")], said);
            }
            for (inner, said) in provider.tenancy_problems() {
                found.add(&[&key(&inner)], said);
            }
            if provider.kind == Kind::Sim && (provider.bearer.is_some() || provider.role_arn.is_some()) {
                let wrong = if provider.bearer.is_some() { "bearer" } else { "role_arn" };
                let said = format!("`[[provider]]` `{name}`: the simulator takes no credentials");
                found.add(&[&key(wrong)], said);
            }
        }
        self.place_problems(found);
    }
}

struct Found<'a> {
    project: &'a Path,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn add(&mut self, keys: &[&str], said: String) {
        self.problems.push(Problem { keys: keys.iter().map(|&key| key.to_owned()).collect(), said });
    }

    /// Of a section, with all its members that it may be about.
    fn add_any(&mut self, section: &str, members: &[&str], said: String) {
        let keys = members.iter().map(|member| format!("{section}.{member}")).collect();
        self.problems.push(Problem { keys, said });
    }

    fn file_must_exist(&mut self, key: &str, label: &str, file: &Path) {
        if !self.project.join(file).exists() {
            self.add(&[key], format!("{label}: there is no file `{}`", file.display()));
        }
    }
}
