//! `--name value` and `--name` on the command line.

use std::str::FromStr;

pub struct Args(Vec<String>);

impl Args {
    /// The process's arguments.
    pub fn of_process() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// # Errors
    /// When the value is missing or cannot be read.
    pub fn get<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let Some(at) = self.0.iter().position(|a| a == name) else { return Ok(None) };
        let text = self.0.get(at + 1).ok_or_else(|| format!("`{name}` needs a value"))?;
        text.parse().map(Some).map_err(|_| format!("`{name} {text}` cannot be read"))
    }

    /// # Errors
    /// When the value cannot be read.
    pub fn or<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        Ok(self.get(name)?.unwrap_or(default))
    }

    /// # Errors
    /// When it is missing or cannot be read.
    pub fn need<T: FromStr>(&self, name: &str) -> Result<T, String> {
        self.get(name)?.ok_or_else(|| format!("`{name}` is needed"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|a| a == name)
    }
}
