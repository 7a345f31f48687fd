//! OpenAI's chat completions.

mod across;
mod answers;
mod generated;
mod hostile;
mod requests;
mod streams;
mod tools;
