//! Converse, ConverseStream and the Converse form of CountTokens.

mod check;
pub(crate) mod read;
mod shapes;
mod stream;
mod whole;

use serde_json::Value;

use crate::catalogue::Target;
use crate::errors::AwsError;
use crate::prompt::Prompt;
use crate::shape;

pub(crate) use stream::events;
pub(crate) use whole::{answer, stop_reason};

/// Checks a request and reads its prompt.
pub(crate) fn prompt(body: &Value, target: &Target) -> Result<Prompt, AwsError> {
    shape::check(body, &shapes::REQUEST)?;
    check::rules(body, target)?;
    let prompt = read::prompt(body)?;
    crate::cache::check(&prompt, target)?;
    Ok(prompt)
}

/// The same for CountTokens, whose `converse` member is a part of a request.
pub(crate) fn countable(body: &Value) -> Result<Prompt, AwsError> {
    shape::check(body, &shapes::REQUEST)?;
    read::prompt(body)
}
