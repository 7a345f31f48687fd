//! What database errors mean to those who asked.

use std::time::Duration;

use bedplate_core::ports::StoreError;

/// Runs a piece of work under a deadline. A database that stands still must not stop its callers.
pub(crate) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, work).await {
        Ok(result) => result.map_err(|e| meaning(&e)),
        Err(_) => Err(StoreError::Unavailable(format!("no answer in {} ms", deadline.as_millis()))),
    }
}

pub(crate) fn meaning(error: &sqlx::Error) -> StoreError {
    use sqlx::Error as E;
    let said = error.to_string();
    match error {
        E::Database(e) => match e.code() {
            Some(code) if code.len() == 5 => postgres(&code, said),
            Some(code) => sqlite(code.parse().unwrap_or(0), said),
            None => StoreError::Unavailable(said),
        },
        E::Io(e) if e.kind() == std::io::ErrorKind::StorageFull => StoreError::ReadOnly(said),
        E::PoolTimedOut => StoreError::Unavailable("no connection in time".into()),
        E::PoolClosed => StoreError::Unavailable("the ledger is closed".into()),
        E::ColumnDecode { .. }
        | E::Decode(_)
        | E::Encode(_)
        | E::ColumnNotFound(_)
        | E::ColumnIndexOutOfBounds { .. }
        | E::TypeNotFound { .. } => StoreError::Corrupt(said),
        _ => StoreError::Unavailable(said),
    }
}

/// By result code, <https://sqlite.org/rescode.html>; the low byte is the primary one.
fn sqlite(code: i32, said: String) -> StoreError {
    const IO_READS: [i32; 2] = [266, 522];
    match (code & 0xff, code) {
        // constraint: unique, primary key
        (_, 2067 | 1555) => StoreError::Conflict(said),
        (10, code) if IO_READS.contains(&code) => StoreError::Unavailable(said),
        // perm, readonly, ioerr (a write that fails for another reason than a full disk), full
        (3 | 8 | 10 | 13, _) => StoreError::ReadOnly(said),
        // error, corrupt, schema, toobig, constraint, mismatch, misuse, range, notadb
        (1 | 11 | 17 | 18 | 19 | 20 | 21 | 25 | 26, _) => StoreError::Corrupt(said),
        // busy, locked, nomem, interrupt, cantopen and the like
        _ => StoreError::Unavailable(said),
    }
}

/// By SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres(state: &str, said: String) -> StoreError {
    match (&state[..2], state) {
        (_, "23505") => StoreError::Conflict(said),
        // disk full, read-only transaction (a standby), no right to write
        (_, "53100" | "25006" | "42501") => StoreError::ReadOnly(said),
        // connection, resources, operator intervention, rollback, locks, logins, system
        ("08" | "53" | "57" | "40" | "55" | "28" | "58" | "3D" | "25", _) => StoreError::Unavailable(said),
        _ => StoreError::Corrupt(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_manuals_say() {
        let name = |e: StoreError| e.to_string().split(':').next().unwrap_or_default().to_owned();
        let (unavailable, read_only, corrupt) =
            ("the ledger is unavailable", "the ledger cannot write", "the ledger cannot be read");
        for (code, meaning) in [
            (5, unavailable),
            (13, read_only),
            (8, read_only),
            (1032, read_only),
            (778, read_only),
            (266, unavailable),
            (11, corrupt),
            (26, corrupt),
            (275, corrupt),
            (14, unavailable),
        ] {
            assert_eq!(name(sqlite(code, String::new())), meaning, "{code}");
        }
        for (state, meaning) in [
            ("53100", read_only),
            ("25006", read_only),
            ("57P01", unavailable),
            ("57014", unavailable),
            ("40P01", unavailable),
            ("08006", unavailable),
            ("22021", corrupt),
            ("42P01", corrupt),
        ] {
            assert_eq!(name(postgres(state, String::new())), meaning, "{state}");
        }
    }
}
