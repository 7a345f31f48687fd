//! A test that runs again as a process of its own, in which things may go wrong.

use std::path::PathBuf;
use std::process::{Command, Stdio};

const FOLDER: &str = "BEDPLATE_TEST_CHILD";

/// The folder the parent gave, when this process is the child.
#[expect(clippy::disallowed_methods, reason = "how a test tells its child what to do")]
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var(FOLDER).ok().map(PathBuf::from)
}

/// This binary, to run only the test `name` with `folder`; `setup` is a line of shell that is run first.
pub(crate) fn command(name: &str, folder: &std::path::Path, setup: &str) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("{setup}; exec \"$@\""), "child"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdin(Stdio::null());
    command
}
