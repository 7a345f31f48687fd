//! The things we call.
//!
//! A provider is built from one `[[provider]]` section by [`Config::build`] and its neighbours. To add a kind: a module
//! that implements `pipeline::Provider`, a variant of [`Kind`], one arm in the composition root.
//!
//! | module | it is |
//! |---|---|
//! | [`bedrock`] | Amazon Bedrock in one region and account |
//! | [`openai`] | a server that speaks OpenAI's chat completions |
//! | `compatible` | asking those who speak as OpenAI or Anthropic do |
//! | `attempt`, `host` | one request and its answer, whoever is asked |
//! | `interpret` | asking in the target's words, answering in the caller's |
//! | `connect` | TCP, proxy and TLS, within a deadline |
//! | `tenancy` | roles, sessions and inference profiles of tenants, as configured |
//! | `pool` | kept HTTP/1.1 connections, per thread |
//! | `quotas` | AWS Service Quotas, asked what an account may do |

mod attempt;
mod bedrock;
mod compatible;
mod config;
mod connect;
mod host;
mod interpret;
mod metered;
mod openai;
mod pool;
mod quotas;
mod roots;
mod tenancy;

pub use bedrock::credentials::{Credentials, CredentialsState};
pub use bedrock::sessions::{SessionCounts, Sessions};
pub use bedrock::{Bedrock, Logging, Probe, Trial};
pub use config::{Api, Config, Endpoints, Kind};
pub use connect::{Connector, Proxy};
pub use openai::{Models, OpenAi};
pub use quotas::Quotas;
pub use roots::{RootsError, roots};
pub use tenancy::{SessionsConfig, TenantConfig};
