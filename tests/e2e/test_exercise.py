"""Lighter models of a fallback are tried with a share of real calls, so that they are known to work."""

import time

import pytest

from test_routes import BASE, LITE, MICRO, converse, converse_stream, fault, metric, record

EXERCISED = f"""
[[model]]
name = "triage"
exercise = 100
targets = ["a/{LITE}"]
fallback = [{{ target = "b/{MICRO}" }}]
"""


def exercised(gateway, seconds=5):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        (stand,) = gateway.cli_json("model", "list")
        last = stand["fallback"][0]["target"].get("exercised")
        if last:
            return last
        time.sleep(0.05)
    raise AssertionError("never exercised")


def calls(gateway, feature, seconds=5):
    """How calls of a feature ended, once there is one."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = {dict(labels)["ending"]: n for (name, labels), n in gateway.metrics().items()
                 if name == "bedplate_calls_total" and dict(labels)["feature"] == feature}
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no call of {feature}")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_lighter_model_is_tried_while_nothing_fails(start, streamed):
    gateway = start(BASE + EXERCISED)
    reply = converse_stream(gateway)[0] if streamed else converse(gateway)
    assert len(record(gateway, reply)["attempts"]) == 1, "the caller's call has none of it"
    assert calls(gateway, "bedplate:exercise") == {"answered": 1}
    last = exercised(gateway)
    assert last["well"] and last["said"] == "answered"
    assert "last exercised" in gateway.cli("model", "explain", "triage").stdout
    # it is paid for, by the same team
    spent = [n for (name, labels), n in gateway.metrics().items() if name == "bedplate_cost_usd_total"
             and dict(labels)["feature"] == "bedplate:exercise"]
    assert len(spent) == 1 and spent[0] > 0


def test_a_broken_one_is_known_before_it_is_needed(start):
    gateway = start(BASE + fault("unavailable", model=MICRO) + "[breaker]\nfailures = 1\n" + EXERCISED)
    assert converse(gateway)["ResponseMetadata"]["HTTPStatusCode"] == 200
    last = exercised(gateway)
    assert not last["well"] and last["said"].startswith("503")
    assert metric(gateway, "bedplate_breaker_state", provider="b", model=MICRO) == 3


def test_large_requests_are_not_sent_twice(start):
    gateway = start(BASE + EXERCISED)
    converse(gateway, "word " * 4_000)
    converse(gateway, inferenceConfig={"maxTokens": 2_000})
    time.sleep(0.5)
    assert not any("bedplate:exercise" in dict(labels).values() for _, labels in gateway.metrics())
