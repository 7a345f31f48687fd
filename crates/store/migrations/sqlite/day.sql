-- One day of calls; DAY is replaced by its number. Rows lie in the order in which they come, so that a
-- call costs one tree and its attempt another; few other indexes, each of them on what is rare.
CREATE TABLE call_DAY (
    id             BLOB NOT NULL,
    admitted_at    INTEGER NOT NULL,
    team           TEXT NOT NULL,
    feature        TEXT NOT NULL,
    environment    TEXT NOT NULL,
    key_id         TEXT,
    chain          TEXT,
    code           INTEGER,
    ending         TEXT NOT NULL,
    model          TEXT NOT NULL,
    status         INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER,
    cost_nanos     INTEGER NOT NULL,
    cost_known     INTEGER NOT NULL,
    total_us       INTEGER NOT NULL,
    detail         TEXT NOT NULL,
    PRIMARY KEY (admitted_at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_DAY_chain   ON call_DAY (chain, admitted_at) WHERE chain IS NOT NULL;
CREATE INDEX call_DAY_code    ON call_DAY (code, admitted_at) WHERE code IS NOT NULL;
CREATE INDEX call_DAY_ending  ON call_DAY (ending, admitted_at) WHERE ending <> 'answered';

CREATE TABLE attempt_DAY (
    call_id             BLOB NOT NULL,
    n                   INTEGER NOT NULL,
    provider            TEXT NOT NULL,
    region              TEXT NOT NULL,
    target              TEXT NOT NULL,
    status              INTEGER NOT NULL,
    code                INTEGER,
    upstream_request_id TEXT,
    input               INTEGER NOT NULL,
    cache_read          INTEGER NOT NULL,
    cache_write_5m      INTEGER NOT NULL,
    cache_write_1h      INTEGER NOT NULL,
    output              INTEGER NOT NULL,
    reasoning           INTEGER,
    price_version       TEXT NOT NULL,
    cost_nanos          INTEGER NOT NULL,
    cost_known          INTEGER NOT NULL,
    total_us            INTEGER NOT NULL,
    detail              TEXT NOT NULL,
    PRIMARY KEY (call_id, n)
) STRICT, WITHOUT ROWID;
