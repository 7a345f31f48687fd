//! Scripts that run at the server, known there by their hash.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use redis::Cmd;

/// A script in Lua.
pub(super) struct Script {
    pub(super) text: &'static str,
    /// What the server knows it by, in hexadecimal.
    pub(super) sha1: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, sha1: hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes())) }
    }
}

/// What a script runs on.
#[derive(Default)]
pub(super) struct Run {
    pub(super) keys: Vec<String>,
    pub(super) numbers: Vec<i64>,
    pub(super) texts: Vec<String>,
}

impl Run {
    pub(super) fn cmd(&self, name: &str, script: &str) -> Cmd {
        let mut cmd = redis::cmd(name);
        cmd.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.numbers).arg(&self.texts);
        cmd
    }
}
