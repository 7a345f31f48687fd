//! What the load client, the bare proxy and the streaming upstream share.

pub mod args;
pub mod client;
pub mod cpu;
pub mod frames;
pub mod http1;
pub mod request;
pub mod sign;
