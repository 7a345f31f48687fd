"""Compares every crate's Cargo.toml with the table of allowed edges in ARCHITECTURE.md.

The table has the rows `| crate | may use |` and may have a third column, `tests may also use`; names
of crates stand in backticks. `testkit` is for tests only, and for everyone's.
"""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CRATES = sorted(p.parent.name for p in (ROOT / "crates").glob("*/Cargo.toml"))


def allowed():
    """{crate: (names it may use, names its tests may use besides)}."""
    table, inside = {}, False
    for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("|") and [c.lower() for c in cells[:2]] == ["crate", "may use"]:
            inside = True
        elif inside and not line.startswith("|"):
            break
        elif inside and (name := re.fullmatch(r"`([a-z]+)`", cells[0])):
            in_ticks = [set(re.findall(r"`([a-z]+)`", c)) for c in cells[1:3]]
            table[name[1]] = (in_ticks[0], in_ticks[1] if len(in_ticks) > 1 else set())
    return table


def ours(dependencies):
    return {name.removeprefix("bedplate-") for name in dependencies if name.startswith("bedplate-")}


def manifest(crate):
    return tomllib.loads((ROOT / "crates" / crate / "Cargo.toml").read_text())


def test_the_table_lists_the_crates_that_exist():
    assert sorted(allowed()) == CRATES


@pytest.mark.parametrize("crate", CRATES)
def test_a_crate_uses_only_what_the_table_allows(crate):
    may, tests_may = allowed().get(crate, (set(), set()))
    found = manifest(crate)
    used = ours(found.get("dependencies", {})) | ours(found.get("build-dependencies", {}))
    assert used - may == set(), f"`{crate}` uses what ARCHITECTURE.md does not allow"
    tests_use = ours(found.get("dev-dependencies", {}))
    # A crate may name itself to switch its own test features on.
    assert tests_use - may - tests_may - {"testkit", crate} == set()


def test_edges_point_down_only():
    table, placed = allowed(), set()
    while ready := {c for c, (may, _) in table.items() if c not in placed and may <= placed}:
        placed |= ready
    assert set(table) - placed == set(), "the table allows a circle"


def test_only_tests_use_the_testkit():
    users = [c for c in CRATES if "testkit" in ours(manifest(c).get("dependencies", {}))]
    assert users == []


def test_every_crate_obeys_the_workspace_lints():
    strays = [c for c in CRATES if manifest(c).get("lints") != {"workspace": True}]
    assert strays == []
