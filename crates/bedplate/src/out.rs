//! What commands print: tables and sentences for people, JSON for programs. Results go to standard
//! output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::{Clock, SystemClock, Tick};
use serde::Serialize;

/// `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// `--format` of commands whose result is a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub(crate) enum Tabular {
    #[default]
    Human,
    /// One JSON object a line.
    Json,
    /// Comma-separated values with a line of names, as RFC 4180 has them.
    Csv,
}

/// Prints lines of text.
pub(crate) fn say(text: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints one JSON object on a line of its own.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints one line of comma-separated values.
pub(crate) fn csv<'a>(cells: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    say(csv_line(cells))
}

/// One line of comma-separated values.
pub(crate) fn csv_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = |cell: &str| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    };
    cells.into_iter().map(quoted).collect::<Vec<_>>().join(",")
}

/// How far something long has come, for whoever sits before the terminal; says nothing for the first second.
pub(crate) struct Progress {
    what: &'static str,
    clock: Arc<dyn Clock>,
    began: Tick,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        let clock = SystemClock::shared();
        Self { what, began: clock.tick(), clock, terminal: io::stderr().is_terminal() }
    }

    pub(crate) fn tell(&self, done: usize, of: usize) {
        if self.speaks() {
            let _ = write!(io::stderr().lock(), "\r{}: {done} of {of} ", self.what);
        }
    }

    /// Takes the line away.
    pub(crate) fn done(&self) {
        if self.speaks() {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }

    fn speaks(&self) -> bool {
        self.terminal && self.clock.tick().since(self.began) > Duration::from_secs(1)
    }
}

/// Says something beside the result.
pub(crate) fn note(text: impl AsRef<str>) {
    let mut err = io::stderr().lock();
    // nothing can be done when standard error is gone
    let _ = writeln!(err, "{}", text.as_ref());
}

/// A table without frames, as `ps` and `docker` print them.
pub(crate) fn table(head: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(head.iter().copied());
    table
}
