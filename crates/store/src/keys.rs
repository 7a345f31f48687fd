//! Keys as rows. The statements are the same for every database.

use bedplate_core::clock::Timestamp;
use bedplate_core::key::{KeyId, StoredKey};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

/// Every change of a key begins with this. On PostgreSQL it locks the counter until the commit, on
/// SQLite there is only one writer: so versions are committed in order, and nobody who asks for keys
/// after a version misses one that commits late.
pub(crate) const STEP: &str = "UPDATE change_counter SET value = value + 1 WHERE one = 1 RETURNING value";

pub(crate) const INSERT: &str = "INSERT INTO issued_key (id, access_key_id, sealed_secret, bearer_sha256, team, \
     feature, environment, risk_profile, features, models, created_at, expires_at, disabled_at, rotated_from, \
     version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

pub(crate) const LIST: &str = "SELECT * FROM issued_key ORDER BY created_at, id";
pub(crate) const ONE: &str = "SELECT * FROM issued_key WHERE id = $1";
pub(crate) const EXISTS: &str = "SELECT COUNT(*) FROM issued_key WHERE id = $1";
pub(crate) const CHANGED: &str = "SELECT * FROM issued_key WHERE version > $1 ORDER BY version LIMIT 10000";

pub(crate) const DISABLE: &str = "UPDATE issued_key SET disabled_at = $2, version = $3 \
     WHERE id = $1 AND (disabled_at IS NULL OR disabled_at > $2)";
pub(crate) const EXPIRE: &str = "UPDATE issued_key SET expires_at = $2, version = $3 \
     WHERE id = $1 AND (expires_at IS NULL OR expires_at > $2)";

pub(crate) fn list_text(names: &[String]) -> Result<String, sqlx::Error> {
    serde_json::to_string(names).map_err(|e| sqlx::Error::Encode(e.into()))
}

/// A key read back.
pub(crate) struct Stored(pub(crate) StoredKey);

impl<'r, R: Row> FromRow<'r, R> for Stored
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let names = |column: &str| {
            let text: String = row.try_get(column)?;
            serde_json::from_str::<Vec<String>>(&text).map_err(|e| sqlx::Error::Decode(e.into()))
        };
        let hash: Vec<u8> = row.try_get("bearer_sha256")?;
        let hash = <[u8; 32]>::try_from(hash)
            .map_err(|_| sqlx::Error::Decode("the hash of a bearer token has not 32 bytes".into()))?;
        Ok(Self(StoredKey {
            id: KeyId(row.try_get::<String, _>("id")?.into()),
            access_key_id: row.try_get("access_key_id")?,
            sealed_secret: row.try_get("sealed_secret")?,
            bearer_sha256: hash,
            team: row.try_get("team")?,
            feature: row.try_get("feature")?,
            environment: row.try_get("environment")?,
            risk_profile: row.try_get("risk_profile")?,
            features: names("features")?,
            models: names("models")?,
            created_at: Timestamp(row.try_get("created_at")?),
            expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(Timestamp),
            disabled_at: row.try_get::<Option<i64>, _>("disabled_at")?.map(Timestamp),
            rotated_from: row.try_get::<Option<String>, _>("rotated_from")?.map(|k| KeyId(k.into())),
            version: row.try_get("version")?,
        }))
    }
}
