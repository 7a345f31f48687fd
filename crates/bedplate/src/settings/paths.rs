//! The files that the configuration names. Paths are relative to the project, wherever bedplate was
//! started.

use std::path::{Path, PathBuf};

use bedplate_core::setting::SecretRef;
use bedplate_store::{HotConfig, LedgerConfig};

use super::Settings;

/// A file whose content is part of the configuration, and the section that names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    pub(crate) section: &'static str,
    pub(crate) path: PathBuf,
}

impl Settings {
    /// Makes the paths absolute that their readers open as they stand: files of authorities and of
    /// secrets. The other readers are given the project.
    pub(super) fn resolve(&mut self, project: &Path) {
        self.each_file(&mut |_, file| *file = project.join(&*file));
    }

    /// Every file that is read for what it says, but those of `[listen.tls]`, which are looked after by
    /// themselves.
    pub(crate) fn files(&self, project: &Path) -> Vec<Named> {
        let mut files = Vec::new();
        let mut add = |section, path: &mut PathBuf| files.push(Named { section, path: project.join(path) });
        let mut settings = self.clone();
        settings.each_file(&mut add);
        settings.prices.overrides.iter_mut().for_each(|file| add("prices", file));
        files
    }

    fn each_file(&mut self, f: &mut impl FnMut(&'static str, &mut PathBuf)) {
        for provider in &mut self.provider {
            provider.ca_file.iter_mut().for_each(|file| f("provider", file));
            let secrets = provider.bearer.iter_mut().chain(&mut provider.proxy_login);
            secrets.filter_map(file_of).for_each(|file| f("provider", file));
        }
        if let LedgerConfig::Postgres(url) = &mut self.store.ledger {
            file_of(url).into_iter().for_each(|file| f("store", file));
        }
        if let HotConfig::Redis(url) = &mut self.store.hot {
            file_of(url).into_iter().for_each(|file| f("store", file));
        }
        self.traces.ca_file.iter_mut().for_each(|file| f("traces", file));
        self.traces.headers.values_mut().filter_map(file_of).for_each(|file| f("traces", file));
        for target in &mut self.notify {
            target.ca_file.iter_mut().for_each(|file| f("notify", file));
            target.secrets_mut().filter_map(file_of).for_each(|file| f("notify", file));
        }
        let secrets = self.sim.credentials.iter_mut().map(|pair| &mut pair.secret_access_key);
        secrets.chain(&mut self.sim.bearer_tokens).filter_map(file_of).for_each(|file| f("sim", file));
    }
}

fn file_of(secret: &mut SecretRef) -> Option<&mut PathBuf> {
    match secret {
        SecretRef::File(file) => Some(file),
        SecretRef::Env(_) => None,
    }
}
