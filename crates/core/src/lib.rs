//! The vocabulary of bedplate and its storage ports.
//!
//! Everything here is plain data and small traits. This crate knows no I/O, no HTTP, no SQL and no
//! AWS; every other crate may use it, and it uses none of them.
//!
//! | module | what it names |
//! |---|---|
//! | [`call`] | a call, its operation, dialect and names |
//! | [`attribution`] | whom and what a call is counted on, as AWS is told |
//! | [`conversation`] | the normal form: what a request means, whatever its dialect |
//! | [`form`] | in which form a body is written |
//! | [`content`] | bytes that people wrote: cannot be formatted or logged |
//! | [`principal`], [`key`] | who calls, and the keys they hold |
//! | [`usage`], [`money`] | what was used, and what it cost |
//! | [`spend`] | what calls came to, summed by what they have in common |
//! | [`budget`] | money over a period: windows, slices, charges |
//! | [`rate`] | requests and tokens a minute: counts, and the port of what counts them |
//! | [`cache`] | kept answers, and what they are found by |
//! | [`notice`] | what operators are told of |
//! | [`refusal`] | the one currency of failure: code, stage, fault, retry |
//! | [`record`] | what is written down about a call and its attempts |
//! | [`view`] | how a stage reads and edits a native body |
//! | [`ports`] | storage ports |
//! | [`clock`], [`ids`] | time and chance, as parameters |
//! | [`setting`] | leaf types of configuration: durations, sizes, secrets by reference |

pub mod attribution;
pub mod budget;
pub mod cache;
pub mod call;
pub mod clock;
pub mod content;
pub mod conversation;
pub mod form;
pub mod ids;
pub mod key;
pub mod money;
pub mod notice;
pub mod pace;
pub mod ports;
pub mod principal;
pub mod rate;
pub mod record;
pub mod refusal;
pub mod route;
pub mod secret;
pub mod setting;
pub mod spend;
pub mod usage;
pub mod view;

/// A boxed future, for the few places where a trait object answers later.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
