-- oldest: 1
-- Amounts are nano-dollars or tokens. `change_counter` also takes a step with every change of a budget.

-- Budgets made at run time. One that was removed stays, so that nodes hear of it.
CREATE TABLE budget (
    id         TEXT COLLATE "C" PRIMARY KEY,
    spec       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT,
    version    BIGINT NOT NULL UNIQUE
);

-- What each node was granted of a window. `starts` is when the window begins, `whose` is empty when the budget has
-- one account. The four sums only grow; `returned` is never more than `granted`. Rows are changed all the time,
-- and none of what changes is in an index: with room on their pages that leaves no work behind.
CREATE TABLE budget_slice (
    budget      TEXT COLLATE "C" NOT NULL,
    whose       TEXT COLLATE "C" NOT NULL,
    starts      BIGINT NOT NULL,
    node        TEXT COLLATE "C" NOT NULL,
    granted     BIGINT NOT NULL,
    returned    BIGINT NOT NULL,
    settled     BIGINT NOT NULL,
    reconciled  BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (budget, whose, starts, node)
) WITH (fillfactor = 50);
CREATE INDEX budget_slice_node ON budget_slice (node);
