//! Anthropic's API beside its conversations, which are [`Form::Messages`](bedplate_core::form::Form::Messages): errors,
//! lists of models.

pub mod models;
pub mod refuse;
