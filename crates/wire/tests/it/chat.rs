//! OpenAI's chat completions.

mod answers;
mod hostile;
mod requests;
mod streams;
