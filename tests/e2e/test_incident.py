"""A region dies in the middle of a run: as long as the other one is well, no caller hears of it."""

import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from gateway import NOVA
from simulators import Simulator

CALLERS, EACH = 6, 6
ALIAS = """
[[provider]]
name = "east"
kind = "bedrock"
region = "us-east-1"
endpoints = {{ runtime = "{east}", control = "{east}" }}

[[provider]]
name = "west"
kind = "bedrock"
region = "us-west-2"
endpoints = {{ runtime = "{west}", control = "{west}" }}

[[model]]
name = "support"
targets = ["east/{model}", "west/{model}"]
timeout = {{ connect = "2s", first_token = "1s", idle = "1s", total = "20s" }}

[breaker]
open = "200ms"
returning = "100ms"
"""


@pytest.fixture
def regions(tmp_path):
    with Simulator(tmp_path, "east") as east, Simulator(tmp_path, "west") as west:
        yield east, west


def calls(gateway, streamed):
    """Calls by several callers at a time; what each of them heard."""
    heard, lock = [], threading.Lock()

    def caller():
        client = gateway.client(retries={"total_max_attempts": 1})
        for n in range(EACH):
            said = ask(client, streamed, n)
            with lock:
                heard.append(said)

    threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return heard


def ask(client, streamed, n):
    asked = {"modelId": "support", "messages": [{"role": "user", "content": [{"text": f"Say all is well, number {n}"}]}]}
    try:
        if not streamed:
            return client.converse(**asked)["output"]["message"]["content"][0]["text"]
        events = list(client.converse_stream(**asked)["stream"])
        return "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e)
    except (ClientError, BotoCoreError) as e:
        return f"failed: {e}"


def asked_of(gateway, provider):
    return sum(n for (name, labels), n in gateway.metrics().items()
               if name == "bedplate_upstream_attempts_total" and ("provider", provider) in labels)


def breaker(gateway, provider):
    return gateway.metrics().get(("bedplate_breaker_state", frozenset({"provider": provider, "model": NOVA}.items())))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_no_call_fails_while_a_region_is_well(start, regions, streamed):
    east, west = regions
    gateway = start(ALIAS.format(east=east.url, west=west.url, model=NOVA))
    expected = sorted(f"all is well, number {n}" for n in range(EACH)) * CALLERS
    for rules in ([], [{"kind": "reset"}], [], [{"kind": "throttle"}], [], [{"kind": "stall", "after": 0}], []):
        before = asked_of(gateway, "east")
        east.faults(rules)
        assert sorted(calls(gateway, streamed)) == sorted(expected), rules
        if rules:
            # it was there to be asked, and the calls came to it
            assert asked_of(gateway, "east") > before, rules
        if rules and rules[0]["kind"] != "throttle":
            assert breaker(gateway, "east") > 0, rules
        if not rules:
            returned(gateway, streamed)


def returned(gateway, streamed):
    """Calls until the region is closed again: one that is well comes back by itself."""
    client = gateway.client()
    for n in range(1_000):
        if breaker(gateway, "east") in (None, 0):
            return
        assert not ask(client, streamed, n).startswith("failed")
    raise AssertionError("never came back")


def test_when_both_are_ill_the_caller_hears_bedrocks_own_error(start, regions):
    east, west = regions
    gateway = start(ALIAS.format(east=east.url, west=west.url, model=NOVA))
    for region in regions:
        region.faults([{"kind": "unavailable"}])
    with pytest.raises(ClientError) as failed:
        gateway.client(retries={"total_max_attempts": 1}).converse(
            modelId="support", messages=[{"role": "user", "content": [{"text": "hello"}]}])
    assert failed.value.response["Error"]["Code"] == "ServiceUnavailableException"
