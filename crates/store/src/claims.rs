//! What is done once by all nodes. The statements are the same for every database.

/// How long a claim stands, in microseconds.
pub(crate) const STANDS: i64 = 400 * 86_400 * 1_000_000;

pub(crate) const FORGET: &str = "DELETE FROM claim WHERE claimed_at < $1";

/// Gives the owner, whoever came first.
pub(crate) const CLAIM: &str = "INSERT INTO claim (key, owner, claimed_at) VALUES ($1, $2, $3) \
     ON CONFLICT (key) DO UPDATE SET owner = claim.owner RETURNING owner";
