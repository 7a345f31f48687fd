//! Anthropic's API beside its conversations, which are [`Form::Messages`](bedplate_core::form::Form::Messages): errors,
//! lists of models, the counting of tokens; and the way from its bodies to native ones.

pub mod count_tokens;
pub mod models;
pub mod refuse;
pub mod stream;

pub use crate::messages::splice::to_native;
/// What keeps a stream alive and says nothing.
pub const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";
