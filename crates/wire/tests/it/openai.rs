//! OpenAI's API beside conversations.

mod embeddings;
mod refusals;
