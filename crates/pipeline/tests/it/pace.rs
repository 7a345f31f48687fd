//! Pacing on the paused clock, against an upstream that enforces quotas by Bedrock's rule.

#![allow(clippy::disallowed_methods, reason = "tests wait for what they start")]

mod aws;
mod bursts;
mod goodput;
mod queue;
mod slots;
mod traffic;
