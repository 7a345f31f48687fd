//! Pacing on the paused clock, against an upstream that enforces quotas by Bedrock's rule.

mod aws;
mod goodput;
mod queue;
mod traffic;
