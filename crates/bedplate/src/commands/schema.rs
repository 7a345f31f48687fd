//! `bedplate config schema`.

use std::process::ExitCode;

use crate::exit::Failure;
use crate::out::say;
use crate::settings::Settings;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let schema = schemars::schema_for!(Settings);
    say(serde_json::to_string_pretty(&schema).map_err(Failure::bug)?)?;
    Ok(ExitCode::SUCCESS)
}
