//! A bedplate that runs for the length of a test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_bedplate");

#[derive(Deserialize)]
pub(crate) struct Ready {
    pub(crate) data: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

pub(crate) struct Running {
    pub(crate) ready: Ready,
    pub(crate) project: TempDir,
    child: Child,
}

impl Running {
    pub(crate) fn start(config: &str) -> Self {
        let project = tempfile::tempdir().unwrap();
        std::fs::write(project.path().join("bedplate.toml"), config).unwrap();
        let mut child = Command::new(BINARY)
            .args([
                "up",
                "--format",
                "json",
                "--data",
                "127.0.0.1:0",
                "--control",
                "127.0.0.1:0",
                "--project",
            ])
            .arg(project.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).expect("up says where it listens");
        Self { ready, project, child }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command in a project; gives exit code, standard output and standard error.
pub(crate) fn run(project: &std::path::Path, args: &[&str]) -> (i32, String, String) {
    let out = Command::new(BINARY).args(args).current_dir(project).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}
