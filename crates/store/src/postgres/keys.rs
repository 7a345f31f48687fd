//! Keys in PostgreSQL.

use async_trait::async_trait;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::{KeyId, StoredKey};
use bedplate_core::ports::{Keys, StoreError};
use sqlx::Connection as _;

use super::Postgres;
use crate::fault::within;
use crate::keys::{self, Stored, list_text};
use crate::lease::Lease;

impl Postgres {
    async fn insert(&self, key: &StoredKey) -> Result<i64, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let mut tx = lease.begin().await?;
        let version: i64 = sqlx::query_scalar(keys::STEP).fetch_one(&mut *tx).await?;
        let insert = sqlx::query(keys::INSERT)
            .bind(&*key.id.0)
            .bind(&key.access_key_id)
            .bind(&key.sealed_secret)
            .bind(&key.bearer_sha256[..])
            .bind(&key.team)
            .bind(&key.feature)
            .bind(&key.environment)
            .bind(&key.risk_profile)
            .bind(list_text(&key.features)?)
            .bind(list_text(&key.models)?)
            .bind(key.created_at.0)
            .bind(key.expires_at.map(|at| at.0))
            .bind(key.disabled_at.map(|at| at.0))
            .bind(key.rotated_from.as_ref().map(|k| &*k.0))
            .bind(version);
        insert.execute(&mut *tx).await?;
        tx.commit().await?;
        lease.keep();
        Ok(version)
    }

    /// Sets one moment of a key; `false` when there is no such key. When nothing changes the
    /// transaction is dropped, and the counter with it stays.
    async fn change(&self, sql: &'static str, id: &KeyId, at: Timestamp) -> Result<bool, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let mut tx = lease.begin().await?;
        let version: i64 = sqlx::query_scalar(keys::STEP).fetch_one(&mut *tx).await?;
        let update = sqlx::query(sql).bind(&*id.0).bind(at.0).bind(version);
        if update.execute(&mut *tx).await?.rows_affected() > 0 {
            tx.commit().await?;
            lease.keep();
            return Ok(true);
        }
        let found: i64 = sqlx::query_scalar(keys::EXISTS).bind(&*id.0).fetch_one(&mut *tx).await?;
        tx.rollback().await?;
        lease.keep();
        Ok(found > 0)
    }

    async fn read(&self, sql: &'static str, after: Option<i64>) -> Result<Vec<StoredKey>, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let read = sqlx::query_as::<_, Stored>(sql);
        let read = if let Some(after) = after { read.bind(after) } else { read };
        let keys = read.fetch_all(&mut *lease).await?;
        lease.keep();
        Ok(keys.into_iter().map(|k| k.0).collect())
    }

    async fn one(&self, id: &KeyId) -> Result<Option<StoredKey>, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let read = sqlx::query_as::<_, Stored>(keys::ONE).bind(&*id.0);
        let key = read.fetch_optional(&mut *lease).await?;
        lease.keep();
        Ok(key.map(|k| k.0))
    }
}

#[async_trait]
impl Keys for Postgres {
    async fn insert_key(&self, key: &StoredKey) -> Result<i64, StoreError> {
        within(self.deadline, self.insert(key)).await
    }

    async fn list_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        within(self.deadline, self.read(keys::LIST, None)).await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        within(self.deadline, self.one(id)).await
    }

    async fn disable_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        within(self.deadline, self.change(keys::DISABLE, id, at)).await
    }

    async fn expire_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        within(self.deadline, self.change(keys::EXPIRE, id, at)).await
    }

    async fn keys_changed(&self, after: i64) -> Result<Vec<StoredKey>, StoreError> {
        within(self.deadline, self.read(keys::CHANGED, Some(after))).await
    }
}
