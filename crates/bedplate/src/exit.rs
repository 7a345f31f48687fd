//! Exit codes, which are part of the interface.

use std::fmt;
use std::process::ExitCode;

/// Why a command ends with something else than 0.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) said: String,
    /// A separate sentence that says what to do.
    pub(crate) hint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The command worked and found a problem.
    Problem = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The upstream, or a server that was asked, failed.
    Upstream = 4,
    /// A fault of bedplate.
    Bug = 70,
}

impl Failure {
    pub(crate) fn new(kind: Kind, said: impl fmt::Display) -> Self {
        Self { kind, said: said.to_string(), hint: None }
    }

    pub(crate) fn problem(said: impl fmt::Display) -> Self {
        Self::new(Kind::Problem, said)
    }

    pub(crate) fn usage(said: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, said)
    }

    pub(crate) fn upstream(said: impl fmt::Display) -> Self {
        Self::new(Kind::Upstream, said)
    }

    pub(crate) fn bug(said: impl fmt::Display) -> Self {
        Self::new(Kind::Bug, said)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl From<bedplate_core::ports::StoreError> for Failure {
    fn from(e: bedplate_core::ports::StoreError) -> Self {
        Self::upstream(e)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        // a closed pipe is how `| head` says that it has had enough
        if e.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Kind::Problem, "");
        }
        Self::bug(e)
    }
}
