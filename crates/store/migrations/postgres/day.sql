-- One day of calls; DAY is replaced by its number, FROM_US and TO_US by its ends.
-- Made beside the parents and then attached: attaching does not stop those who read and write
-- other days, as `CREATE TABLE ... PARTITION OF` would.
CREATE TABLE call_DAY (LIKE call INCLUDING ALL);
ALTER TABLE call ATTACH PARTITION call_DAY FOR VALUES FROM (FROM_US) TO (TO_US);
