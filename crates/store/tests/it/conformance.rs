//! What every ledger must do. Each test runs on each database.

mod budgets;
mod calls;
mod charges;
mod claims;
mod crowd;
mod faults;
mod keys;
mod model;
mod retention;
mod schema;
mod slices;
mod spend;
mod totals;

const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);

/// Runs each function, which takes a [`crate::bed::Bed`], on each database.
macro_rules! on_every_ledger {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = crate::bed::Bed::sqlite().await;
                tokio::time::timeout(super::super::LONGEST, super::$name(&bed)).await.unwrap();
                bed.end().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = crate::bed::Bed::postgres().await;
                tokio::time::timeout(super::super::LONGEST, super::$name(&bed)).await.unwrap();
                bed.end().await;
            })*
        }
    };
}
use on_every_ledger;

/// The same on the ledger in memory, for those that do not look behind it.
macro_rules! on_memory {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = crate::bed::Bed::memory();
                tokio::time::timeout(super::super::LONGEST, super::$name(&bed)).await.unwrap();
                bed.end().await;
            })*
        }
    };
}
use on_memory;
