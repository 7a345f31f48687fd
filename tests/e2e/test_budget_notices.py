"""What operators are told of budgets: rungs and blocks, in the status, in metrics."""

import json

import pytest

from gateway import NOVA, cli
from test_budgets import DOLLAR, FAST, HELLO, budget, metric, refused, status
from test_reload import replace, wait_until


def test_a_rung_and_a_block_are_told_once_also_over_a_restart(start):
    config = FAST + budget(limit="0.0005 USD", ladder='[{ at = "1%", do = "warn" }, { at = "100%", do = "block" }]')
    gateway = start(config)
    client = gateway.client()
    with pytest.raises(client.exceptions.ServiceQuotaExceededException):
        while client.converse(modelId=NOVA, messages=HELLO, inferenceConfig={"maxTokens": 100}):
            pass
    wait_until(lambda: "budget `b` has reached 1%" in gateway.log() and "budget `b` blocks calls" in gateway.log())
    gateway.stop()
    again = start(config, project=gateway.project)
    assert refused(again, tokens=100)
    wait_until(lambda: metric(again, "bedplate_notices_repeated_total") >= 2)
    assert again.log().count("has reached 1%") == 1 and again.log().count("blocks calls") == 1


def test_a_rung_and_a_block_are_told_again_when_the_limit_was_raised(start):
    def config(limit):
        return FAST + budget(limit=limit, ladder='[{ at = "1%", do = "warn" }, { at = "100%", do = "block" }]')

    def told():
        return gateway.log().count("budget `b` has reached 1%"), gateway.log().count("budget `b` blocks calls")

    def spend():
        with pytest.raises(client.exceptions.ServiceQuotaExceededException):
            while client.converse(modelId=NOVA, messages=HELLO, inferenceConfig={"maxTokens": 100}):
                pass

    gateway = start(config("0.0005 USD"))
    client = gateway.client()
    spend()
    wait_until(lambda: told() == (1, 1))
    replace(gateway.project / "bedplate.toml", config("0.001 USD"))
    wait_until(lambda: status(gateway)["left"] > 0 and not refused(gateway, tokens=100), 20)
    spend()
    wait_until(lambda: told() == (2, 2))
    spend()
    gateway.stop()
    assert told() == (2, 2)


def test_status_says_where_a_budget_stops_and_that_one_only_tells(tmp_path):
    (tmp_path / "bedplate.toml").write_text(
        budget("early", "200 USD", ladder='[{ at = "90%", do = "cache-only" }]')
        + budget("tells", "9000 tokens", scope='{ team = "a" }', ladder='[{ at = "50%", do = "warn" }]') + budget("whole", "3 USD", scope='{ team = "b" }'))
    lines = {line.split()[0]: line for line in cli("budget", "status", project=tmp_path).stdout.splitlines() if line.strip()}
    assert "$200.00 a month (hard, stops at $180.00)" in lines["early"]
    assert "9000 tokens a month (hard, only tells)" in lines["tells"]
    assert "$3.00 a month (hard)" in lines["whole"]
    said = [json.loads(line) for line in cli("budget", "list", "--format", "json", project=tmp_path).stdout.splitlines()]
    assert {one["name"]: one["blocks_at"] for one in said} == {
        "early": 180 * DOLLAR, "tells": None, "whole": 3 * DOLLAR}


def test_metrics_say_where_budgets_stand(start):
    gateway = start(FAST + budget(limit="2 USD") + budget("each", "9000 tokens", scope='{ team = "*" }'))
    key = gateway.new_key(team="demo")
    wait_until(lambda: not refused(gateway, key=key))
    wait_until(lambda: metric(gateway, "bedplate_budget_settled", budget="each", account="team=demo", unit="tokens") > 0)
    assert metric(gateway, "bedplate_budget_limit", budget="b", unit="usd") == 2
    assert 0 < metric(gateway, "bedplate_budget_settled", budget="b", account="all", unit="usd") < 1
    assert 0 < metric(gateway, "bedplate_budget_used_ratio", budget="b") < 1
