-- oldest: 1
-- Timestamps are microseconds since 1970 (UTC), days are numbers such as 20261122, money is nano-dollars.

-- Takes one step with every change of a key; whoever changes a key updates it first.
CREATE TABLE change_counter (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO change_counter VALUES (1, 0);

CREATE TABLE issued_key (
    id            TEXT PRIMARY KEY,
    access_key_id TEXT NOT NULL UNIQUE,
    sealed_secret BLOB NOT NULL,
    bearer_sha256 BLOB NOT NULL UNIQUE,
    team          TEXT NOT NULL,
    feature       TEXT NOT NULL,
    environment   TEXT NOT NULL,
    risk_profile  TEXT NOT NULL,
    features      TEXT NOT NULL,
    models        TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    disabled_at   INTEGER,
    rotated_from  TEXT,
    version       INTEGER NOT NULL UNIQUE
) STRICT;

-- The days that have tables: `call_DAY`, and a view `attempt_DAY` of them, made from day.sql.
CREATE TABLE ledger_day (
    day INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE usage_day (
    day            INTEGER NOT NULL,
    team           TEXT NOT NULL,
    feature        TEXT NOT NULL,
    environment    TEXT NOT NULL,
    model          TEXT NOT NULL,
    calls          INTEGER NOT NULL,
    refused        INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER,
    cost_nanos     INTEGER NOT NULL,
    unpriced       INTEGER NOT NULL,
    PRIMARY KEY (day, team, feature, environment, model)
) STRICT, WITHOUT ROWID;

-- What is not counted in tokens.
CREATE TABLE usage_day_unit (
    day         INTEGER NOT NULL,
    team        TEXT NOT NULL,
    feature     TEXT NOT NULL,
    environment TEXT NOT NULL,
    model       TEXT NOT NULL,
    unit        TEXT NOT NULL,
    quantity    INTEGER NOT NULL,
    PRIMARY KEY (day, team, feature, environment, model, unit)
) STRICT, WITHOUT ROWID;
