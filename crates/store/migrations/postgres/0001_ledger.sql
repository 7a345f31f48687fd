-- oldest: 1
-- Timestamps are microseconds since 1970 (UTC), days are numbers such as 20261122, money is nano-dollars.

-- Takes one step with every change of a key; whoever changes a key updates it first.
CREATE TABLE change_counter (
    one   BIGINT PRIMARY KEY CHECK (one = 1),
    value BIGINT NOT NULL
);
INSERT INTO change_counter VALUES (1, 0);

CREATE TABLE issued_key (
    id            TEXT COLLATE "C" PRIMARY KEY,
    access_key_id TEXT NOT NULL UNIQUE,
    sealed_secret BYTEA NOT NULL,
    bearer_sha256 BYTEA NOT NULL UNIQUE,
    team          TEXT COLLATE "C" NOT NULL,
    feature       TEXT COLLATE "C" NOT NULL,
    environment   TEXT COLLATE "C" NOT NULL,
    risk_profile  TEXT NOT NULL,
    features      TEXT NOT NULL,
    models        TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    disabled_at   BIGINT,
    rotated_from  TEXT,
    version       BIGINT NOT NULL UNIQUE
);

-- The days that have partitions: `call_DAY`, made from day.sql.
CREATE TABLE ledger_day (
    day BIGINT PRIMARY KEY
);

CREATE TABLE usage_day (
    day            BIGINT NOT NULL,
    team           TEXT COLLATE "C" NOT NULL,
    feature        TEXT COLLATE "C" NOT NULL,
    environment    TEXT COLLATE "C" NOT NULL,
    model          TEXT COLLATE "C" NOT NULL,
    calls          BIGINT NOT NULL,
    refused        BIGINT NOT NULL,
    input          BIGINT NOT NULL,
    cache_read     BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    output         BIGINT NOT NULL,
    reasoning      BIGINT,
    cost_nanos     BIGINT NOT NULL,
    unpriced       BIGINT NOT NULL,
    PRIMARY KEY (day, team, feature, environment, model)
);

-- What is not counted in tokens.
CREATE TABLE usage_day_unit (
    day         BIGINT NOT NULL,
    team        TEXT COLLATE "C" NOT NULL,
    feature     TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    model       TEXT COLLATE "C" NOT NULL,
    unit        TEXT COLLATE "C" NOT NULL,
    quantity    BIGINT NOT NULL,
    PRIMARY KEY (day, team, feature, environment, model, unit)
);

-- Partitioned by day of admission; `id` is unique within its day. `attempts` is an array, in order.
CREATE TABLE call (
    id             UUID NOT NULL,
    admitted_at    BIGINT NOT NULL,
    team           TEXT NOT NULL,
    feature        TEXT NOT NULL,
    environment    TEXT NOT NULL,
    key_id         TEXT,
    chain          TEXT,
    code           BIGINT,
    ending         TEXT NOT NULL,
    model          TEXT NOT NULL,
    status         BIGINT NOT NULL,
    input          BIGINT NOT NULL,
    cache_read     BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    output         BIGINT NOT NULL,
    reasoning      BIGINT,
    cost_nanos     BIGINT NOT NULL,
    cost_known     BOOLEAN NOT NULL,
    total_us       BIGINT NOT NULL,
    detail         JSON NOT NULL,
    attempts       JSON NOT NULL,
    PRIMARY KEY (id, admitted_at)
) PARTITION BY RANGE (admitted_at);
CREATE INDEX call_time    ON call (admitted_at);
CREATE INDEX call_team    ON call (team, admitted_at);
CREATE INDEX call_feature ON call (feature, admitted_at);
CREATE INDEX call_key     ON call (key_id, admitted_at) WHERE key_id IS NOT NULL;
CREATE INDEX call_chain   ON call (chain, admitted_at) WHERE chain IS NOT NULL;
CREATE INDEX call_code    ON call (code, admitted_at) WHERE code IS NOT NULL;
CREATE INDEX call_ending  ON call (ending, admitted_at) WHERE ending <> 'answered';

-- A row for each attempt.
CREATE VIEW attempt AS
SELECT c.id AS call_id, c.admitted_at, a.n, a.provider, a.region, a.account, a.target, a.tier, a.status, a.code,
       a.error, a.upstream_request_id, a.usage, a.price_version, (a.cost ->> 'nanos')::bigint AS cost_nanos,
       a.cost ->> 'state' AS cost_state, a.timings
FROM call AS c, json_to_recordset(c.attempts) AS a(
    n BIGINT, provider TEXT, region TEXT, account TEXT, target TEXT, tier TEXT, status BIGINT, code TEXT, error TEXT,
    upstream_request_id TEXT, usage JSON, price_version TEXT, cost JSON, timings JSON
);
