"""The table of calls worked out by hand: its arithmetic comes out, and its prices stand in the list."""

import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from pricing import GUARDRAIL, PIECES, TOKENS, Book

TABLE = Path(__file__).with_name("golden.md")
SHORT = {"in": "input", "out": "output", "read": "cache_read", "w5m": "cache_write_5m", "w1h": "cache_write_1h"}


def rows():
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[0].isdigit():
            yield pytest.param(*cells[1:], id=cells[0])


def test_there_are_enough_rows_and_each_has_its_number():
    numbers = [int(row.id) for row in rows()]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 60


@pytest.mark.parametrize("model, region, tier, used, arithmetic, cost", list(rows()))
def test_the_arithmetic_comes_out(model, region, tier, used, arithmetic, cost):
    products = re.findall(r"(\d+)\*([\d.]+)", arithmetic)
    micros = sum((Decimal(n) * Decimal(price) for n, price in products), Decimal(0))
    for step in re.split(r"[=,]", re.sub(r", [a-z].*?(?= =|$)", "", arithmetic))[1:]:
        if re.fullmatch(r"[\d. +]+", step.strip()):
            assert sum(map(Decimal, step.split("+"))) == micros, step
    nanos = int((micros * 1000).quantize(Decimal(1), ROUND_HALF_UP))
    assert nanos == int(cost.removeprefix("unknown + "))


@pytest.mark.parametrize("model, region, tier, used, arithmetic, cost", list(rows()))
def test_a_second_reading_of_the_list_agrees(model, region, tier, used, arithmetic, cost):
    usage = {}
    for part in used.split(", "):
        name, n = part.split()
        name = SHORT.get(name, name)
        assert name in TOKENS or name in PIECES or name in GUARDRAIL
        usage[name] = int(n)
    known, nanos = Book().cost(model, region, tier, usage, "2026-11-30")
    assert (known, nanos) == (not cost.startswith("unknown"), int(cost.removeprefix("unknown + ")))
