//! Paths in the configuration are relative to the project, wherever bedplate was started.

use std::path::{Path, PathBuf};

use bedplate_core::setting::SecretRef;
use bedplate_store::LedgerConfig;

use super::Settings;

impl Settings {
    /// Makes the paths absolute that their readers open as they stand: files of authorities and of
    /// secrets. The other readers are given the project.
    pub(super) fn resolve(&mut self, project: &Path) {
        for provider in &mut self.provider {
            provider.ca_file.iter_mut().for_each(|file| resolve(file, project));
            provider.bearer.iter_mut().for_each(|secret| resolve_secret(secret, project));
        }
        if let LedgerConfig::Postgres(url) = &mut self.store.ledger {
            resolve_secret(url, project);
        }
        self.traces.ca_file.iter_mut().for_each(|file| resolve(file, project));
        self.traces.headers.values_mut().for_each(|secret| resolve_secret(secret, project));
        let sim = &mut self.sim;
        sim.credentials.iter_mut().for_each(|pair| resolve_secret(&mut pair.secret_access_key, project));
        sim.bearer_tokens.iter_mut().for_each(|secret| resolve_secret(secret, project));
    }
}

fn resolve(file: &mut PathBuf, project: &Path) {
    *file = project.join(&*file);
}

fn resolve_secret(secret: &mut SecretRef, project: &Path) {
    if let SecretRef::File(file) = secret {
        resolve(file, project);
    }
}
