-- oldest: 1
-- What is done once by all nodes, and by whom: notices that each of them would send.
CREATE TABLE claim (
    key        TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    claimed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_claimed_at ON claim (claimed_at);
