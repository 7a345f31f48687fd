//! A PostgreSQL of the test's own, that can be stopped.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) struct Server {
    pub(crate) url: String,
    shell: Child,
    say: Option<ChildStdin>,
    heard: BufReader<ChildStdout>,
}

/// Ends, and stops the server, when its input does.
const SCRIPT: &str = r#"
source "$1"
postgres_start || exit 1
echo "$BEDPLATE_TEST_POSTGRES"
while read -r command; do
  "postgres_$command" && echo done || echo failed
done
postgres_stop
"#;

impl Server {
    pub(crate) fn start() -> Self {
        let functions = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lib/postgres.sh");
        let mut shell = Command::new("bash")
            .args(["-c", SCRIPT, "server", functions])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let say = shell.stdin.take();
        let mut heard = BufReader::new(shell.stdout.take().unwrap());
        let mut url = String::new();
        heard.read_line(&mut url).unwrap();
        assert!(url.starts_with("postgres://"), "the server did not start: {url:?}");
        Self { url: url.trim().to_owned(), shell, say, heard }
    }

    pub(crate) fn halt(&mut self) {
        self.command("halt");
    }

    pub(crate) fn resume(&mut self) {
        self.command("resume");
    }

    fn command(&mut self, name: &str) {
        writeln!(self.say.as_mut().unwrap(), "{name}").unwrap();
        let mut answer = String::new();
        self.heard.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "done", "{name}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.say.take();
        let _ = self.shell.wait();
    }
}
