-- One day of calls; DAY is replaced by its number. Rows lie in the order in which they come, each with its
-- attempts, so that a call costs one tree; few other indexes, each of them on what is rare.
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
    attempts       TEXT NOT NULL,
    PRIMARY KEY (admitted_at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_DAY_chain   ON call_DAY (chain, admitted_at) WHERE chain IS NOT NULL;
CREATE INDEX call_DAY_code    ON call_DAY (code, admitted_at) WHERE code IS NOT NULL;
CREATE INDEX call_DAY_ending  ON call_DAY (ending, admitted_at) WHERE ending <> 'answered';

CREATE VIEW attempt_DAY AS
SELECT c.id AS call_id, c.admitted_at, a.value ->> 'n' AS n, a.value ->> 'provider' AS provider,
       a.value ->> 'region' AS region, a.value ->> 'account' AS account, a.value ->> 'target' AS target,
       a.value ->> 'tier' AS tier, a.value ->> 'status' AS status, a.value ->> 'code' AS code,
       a.value ->> 'error' AS error, a.value ->> 'upstream_request_id' AS upstream_request_id,
       a.value -> 'usage' AS usage, a.value ->> 'price_version' AS price_version,
       a.value ->> '$.cost.nanos' AS cost_nanos, a.value ->> '$.cost.state' AS cost_state,
       a.value -> 'timings' AS timings
FROM call_DAY AS c, json_each(c.attempts) AS a;
