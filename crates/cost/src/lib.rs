//! The price book: what tokens, images, queries and guardrail text units cost on Bedrock.
//!
//! Prices are whole pico-dollars (10⁻¹² USD) per unit, read exactly from the text of the list: 122
//! of its 2,522 prices are not whole nano-dollars per token. A sum is rounded half up to
//! nano-dollars once per attempt.
//!
//! **Which price applies** ([`PriceBook::price`]):
//!
//! 1. *Model.* The exact name, or the id inside a `foundation-model` or `inference-profile` ARN; rows of
//!    the endpoint bedrock-runtime only. Nothing is guessed from a prefix: an application inference
//!    profile says nothing of its model, so whoever resolved it passes the resolved id.
//! 2. *Day*, where an operator's file announces prices: [`PriceBook::on`].
//! 3. *Tier*, as the upstream echoed it: empty, `default` and `standard` are the standard price; any
//!    other needs a row of that name; `optimized` is latency-optimised inference.
//! 4. *Region*, the one that was called. A row of that region, else the default-region price where it
//!    applies: in us-east-1, us-east-2 and us-west-2 always; in other commercial regions when the list
//!    shows nowhere that the model's price varies: neither by a row of another commercial region nor by
//!    profiles of geographies that cost differently; never in other partitions (`us-gov-`, `cn-`, `eusc-`). Geography profiles (`eu.…`) are models
//!    with rows of their own and go by the same rules.
//! 5. *Long context.* When prompt tokens (cached ones too) exceed a threshold, the whole request has
//!    the rate of the highest threshold exceeded.
//!
//! Tier and long-context rows are known for default-region prices only; where another region's own
//! row applies they are unknown. A counter above zero without a price makes the cost
//! [`Cost::Unknown`](bedplate_core::money::Cost::Unknown), which keeps the priced part; a price that
//! is written as 0 is 0. One exception, said by the source: Amazon's own models list no cache-write
//! price because writes are charged as plain input.
//!
//! The list knows nothing of `performanceConfig.latency = optimized`, of provisioned throughput and
//! of negotiated prices: an operator's file says those ([`PriceBook::with_overrides`]).

mod book;
pub mod budget;
mod dated;
mod differences;
mod entry;
pub mod explain;
mod life;
mod price;
mod read;
pub mod slots;
mod tree;
mod worst;

pub use book::{PriceBook, named};
pub use dated::{day, day_of};
pub use differences::{Difference, differences};
pub use entry::{Counter, Entry, LongContext, Rates};
pub use life::Life;
pub use price::{Applied, Ask, Basis, Missing, Priced, Quote, Reason};
pub use read::{BadPrices, Problem};
pub use worst::{Ahead, Worst};
