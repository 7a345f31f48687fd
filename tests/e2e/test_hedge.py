"""A second request beside one that is slow: boto3 has the answer of whoever is first."""

import time

import pytest

from gateway import cli
from test_routes import (BASE, LITE, PRO, alias, called, converse, converse_stream, fault, header, metric, record,
                         said)

SLOW = BASE + fault("slow_first_byte", model=LITE, delay="20s")
HEDGED = """timeout = { total = "15s", first_token = "12s" }
hedge = { after = "300ms", most = "10%" }"""
TWO = alias(f"a/{LITE}", f"b/{PRO}", more=HEDGED).replace(f'"b/{PRO}"', f'{{ target = "b/{PRO}", weight = 0 }}')


def hedges(gateway):
    return {won: metric(gateway, "bedplate_hedges_total", alias="triage", won=won)
            for won in ("first", "second", "neither")}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_slow_target_costs_little_time_and_its_request_is_in_the_record(start, streamed):
    gateway = start(SLOW + TWO)
    began = time.monotonic()
    if streamed:
        reply, events = converse_stream(gateway)
        assert "metadata" in events[-1]
    else:
        reply = converse(gateway)
    assert 0.3 <= time.monotonic() - began < 8
    row = record(gateway, reply)
    assert called(row) == [("a", LITE, 0), ("b", PRO, 200)]
    lost, answered = row["attempts"]
    assert (lost["basis"], answered["basis"]) == ("estimated", "reported")
    assert row["call"]["ending"] == "answered" and row["call"]["usage"]["output"] == answered["usage"]["output"]
    assert 0 <= row["call"]["timings"]["overhead"] < row["call"]["timings"]["total"]
    assert hedges(gateway) == {"first": 0, "second": 1, "neither": 0}


def test_who_answers_in_time_is_asked_alone(start):
    gateway = start(BASE + TWO.replace("300ms", "8s"))
    rows = [record(gateway, converse(gateway)) for _ in range(3)]
    assert [called(row) for row in rows] == [[("a", LITE, 200)]] * 3
    assert hedges(gateway) == {"first": 0, "second": 0, "neither": 0}


def test_no_more_are_hedged_than_the_alias_allows(start):
    gateway = start(BASE + fault("slow_first_byte", model=LITE, delay="3s") + TWO)
    rows = [record(gateway, converse(gateway)) for _ in range(4)]
    # one is there from the start; four calls earn less than another
    assert [len(row["attempts"]) for row in rows] == [2, 1, 1, 1]
    assert hedges(gateway) == {"first": 0, "second": 1, "neither": 0}


@pytest.mark.parametrize("hedge, problem", [
    ('{ after = "12s", most = "5%" }', "does not come before `first_token`"),
    ('{ after = "1s", most = "0%" }', "within 1% and 50%"),
    ('{ after = "1s", most = "60%" }', "within 1% and 50%"),
])
def test_check_refuses_what_cannot_be(tmp_path, hedge, problem):
    (tmp_path / "bedplate.toml").write_text(BASE + TWO.replace('{ after = "300ms", most = "10%" }', hedge))
    found = cli("check", project=tmp_path, ok=2).stderr
    assert "bedplate.toml:" in found and problem in found


def test_the_answer_of_the_second_is_not_kept_for_the_first(start):
    kept = '[[cache.rule]]\nmodels = ["triage"]\nttl = "1h"\n'
    gateway = start(BASE + fault("slow_first_byte", model=LITE, delay="20s", first=1) + TWO + kept)
    hedged, asked, given = (converse(gateway) for _ in range(3))
    assert called(record(gateway, hedged)) == [("a", LITE, 0), ("b", PRO, 200)]
    assert called(record(gateway, asked)) == [("a", LITE, 200)]
    assert [header(reply, "x-bedplate-cache") for reply in (hedged, asked, given)] == ["miss", "miss", "hit"]
    assert said(given) == said(asked)
