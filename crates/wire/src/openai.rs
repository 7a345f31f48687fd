//! OpenAI's API beside its conversations, which are [`Form::Chat`](bedplate_core::form::Form::Chat): errors both ways, lists
//! of models, embeddings.

pub mod embeddings;
pub mod failure;
pub mod models;
pub mod refuse;
