"""Calls wait for room at a target: quotas, slots, classes, and what operators see of them."""

import threading
import time

import pytest
from botocore.exceptions import ClientError

from gateway import NOVA, cli

# the simulator's account, which both of its providers have
HOME, WEST = "000000000000/us-east-1", "000000000000/us-west-2"
ASK = {"messages": [{"role": "user", "content": [{"text": "hello"}]}], "inferenceConfig": {"maxTokens": 60}}


def sim(latency, quota, more=""):
    return f"""
[sim]
latency = "off"

[[sim.fault]]
kind = "slow_first_byte"
delay = "{latency}"

[[provider]]
name = "a"
kind = "sim"
quota = {quota}
{more}
"""


def converse(gateway, priority=None, tries=1, model=NOVA):
    client = gateway.client(retries={"total_max_attempts": tries})
    if priority:
        add = lambda params, **_: params["headers"].update({"x-bedplate-priority": priority})
        client.meta.events.register("before-call.bedrock-runtime.*", add)
    return client.converse(modelId=model, **ASK)


def lanes(gateway):
    return gateway.cli_json("limits")["lanes"]


def wait_until(fact, seconds=10):
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.02)


def known(gateway, **who):
    """A key that the gateway knows: a list that names no such key is not one."""
    key = gateway.new_key(**who)

    def answers():
        try:
            return gateway.client("bedrock", key=key).get_foundation_model(modelIdentifier="amazon.nova-lite-v1:0")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "UnrecognizedClientException"

    wait_until(answers)
    return key


class Calls:
    """Calls on threads of their own; what became of them, in the order they ended."""

    def __init__(self, gateway):
        self.gateway, self.ended, self.threads, self.ids = gateway, [], [], {}

    def start(self, name, **more):
        def call():
            try:
                reply = converse(self.gateway, **more)
                self.ids[name] = reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"]
                self.ended.append((name, 200))
            except ClientError as error:
                self.ended.append((name, error.response["ResponseMetadata"]["HTTPStatusCode"]))

        self.threads.append(threading.Thread(target=call, daemon=True))
        self.threads[-1].start()

    def join(self):
        for thread in self.threads:
            thread.join(timeout=20)
        return self.ended


def test_the_better_class_goes_first_and_operators_see_who_waits(start):
    gateway = start(sim("700ms", '{ from = "config", concurrency = 1 }'))
    calls = Calls(gateway)
    calls.start("first")
    wait_until(lambda: lanes(gateway) and lanes(gateway)[0]["under_way"] == 1)
    calls.start("background", priority="background")
    wait_until(lambda: lanes(gateway)[0]["waiting"] == [0, 0, 1])
    calls.start("interactive")
    wait_until(lambda: lanes(gateway)[0]["waiting"] == [1, 0, 1])
    assert "1 interactive, 1 background" in gateway.cli("limits").stdout
    assert calls.join() == [("first", 200), ("interactive", 200), ("background", 200)]
    [lane] = lanes(gateway)
    assert (lane["place"], lane["name"], lane["under_way"], lane["slots"]) == (HOME, NOVA, 0, 1)
    assert (lane["waiting"], lane["passed"]) == ([0, 0, 0], [2, 0, 1])
    metrics = gateway.metrics()
    assert metrics[("bedplate_queue_passed_total", frozenset({("place", HOME), ("name", NOVA), ("class", "background")}))] == 1
    timings = {name: gateway.record(call)["call"]["timings"] for name, call in calls.ids.items()}
    assert "queued" not in timings["first"] and timings["background"]["queued"] > timings["interactive"]["queued"] > 0


def test_what_comes_too_late_is_turned_away_with_a_hint_that_sdks_keep(start):
    quota = '{ from = "config", rpm = 2 }'
    gateway = start(sim("1ms", quota, "[pace]\ninteractive = \"0s\"\n"))
    converse(gateway)
    converse(gateway)
    with pytest.raises(ClientError) as refused:
        converse(gateway)
    answer = refused.value.response
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ThrottlingException", 429)
    assert headers["x-bedplate-code"] == "BP4009"
    assert 0 < int(headers["x-amz-retry-after"]) <= 30_000
    assert lanes(gateway)[0]["shed"][0] == [0, 1, 0, 0]


def test_a_call_goes_to_the_target_that_has_room(start):
    more = f"""
[[provider]]
name = "b"
kind = "sim"
region = "us-west-2"
quota = {{ from = "config", concurrency = 1 }}

[[model]]
name = "triage"
targets = ["a/{NOVA}", {{ target = "b/{NOVA}", weight = 1 }}]
"""
    gateway = start(sim("700ms", '{ from = "config", concurrency = 1 }', more))
    calls = Calls(gateway)
    for n in range(3):
        calls.start(n, model="triage")
    assert sorted(status for _, status in calls.join()) == [200, 200, 200]
    by = {lane["place"]: lane for lane in lanes(gateway)}
    assert by[HOME]["passed"][0] + by[WEST]["passed"][0] == 3
    assert min(lane["passed"][0] for lane in by.values()) >= 1


def test_a_reload_changes_the_bound_and_forgets_nobody(start):
    gateway = start(sim("1s", '{ from = "config", concurrency = 1 }'))
    calls = Calls(gateway)
    calls.start("first")
    wait_until(lambda: lanes(gateway) and lanes(gateway)[0]["under_way"] == 1)
    calls.start("second")
    wait_until(lambda: lanes(gateway)[0]["waiting"][0] == 1)
    (gateway.project / "bedplate.toml").write_text(sim("1s", '{ from = "config", concurrency = 2 }'))
    wait_until(lambda: lanes(gateway)[0]["slots"] == 2)
    wait_until(lambda: lanes(gateway)[0]["waiting"][0] == 0)
    assert sorted(calls.join()) == [("first", 200), ("second", 200)]
    assert lanes(gateway)[0]["under_way"] == 0


@pytest.mark.parametrize("wrong, line", [
    ('quota = { from = "config", rpm = 0 }', 4),
    ('[[provider.quota.model]]\nid = ""', 5),
    ('[pace]\nkeep = 95', 5),
])
def test_check_names_the_place(tmp_path, wrong, line):
    quota = '\n[provider.quota]\nfrom = "config"\n' if "quota.model" in wrong else ""
    line += quota.count("\n")
    (tmp_path / "bedplate.toml").write_text(f'[[provider]]\nname = "a"\nkind = "sim"\n{quota}{wrong}\n')
    assert f"bedplate.toml:{line}" in cli("check", project=tmp_path, ok=2).stderr


def test_answers_are_bounded_to_what_those_of_their_alias_are(start):
    more = f'[[model]]\nname = "triage"\ntargets = ["a/{NOVA}"]\nmax_tokens = "measured"\n'
    gateway = start(f'[sim]\nlatency = "off"\n[[provider]]\nname = "a"\nkind = "sim"\n'
                    f'quota = {{ from = "config", tpm = 100000000 }}\n{more}')
    client = gateway.client()
    ask = lambda n: client.converse(modelId="triage", messages=[{"role": "user", "content": [{"text": f"hello {n}"}]}])
    for n in range(200):
        reply = ask(n)
    before = gateway.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["call"]["edits"]
    assert not any("maxTokens" in edit for edit in before)
    after = gateway.record(ask(200)["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["call"]["edits"]
    [said] = [edit for edit in after if edit.startswith("maxTokens ")]
    assert said.endswith("hardly any answer of the alias is longer")
    sizes = gateway.cli_json("model", "explain", "triage")["right_sizing"]
    ceiling = int(said.split()[1].rstrip(":"))
    assert (sizes["ceiling"], sizes["bounded"]) == (ceiling, 1) and 256 <= ceiling < 2_000
    assert sizes["regained"] > 1_000
    assert f"bounded to {ceiling}" in gateway.cli("model", "explain", "triage").stdout


def test_a_team_has_so_many_slots_and_a_feature_its_class(start):
    more = """
[[throttle]]
name = "each-team"
scope = { team = "*" }
concurrency = 1

[[throttle]]
name = "reports"
scope = { feature = "reports" }
priority = "background"

[pace]
background = "0s"
"""
    gateway = start(sim("700ms", '{ from = "config", rpm = 100000 }', more))
    reports, other, first = known(gateway, feature="reports"), known(gateway, team="team-b"), known(gateway)
    ask = lambda key: gateway.client(key=key, retries={"total_max_attempts": 1}).converse(modelId=NOVA, **ASK)
    held = threading.Thread(target=ask, args=[first], daemon=True)
    held.start()
    wait_until(lambda: any(lane["under_way"] for lane in lanes(gateway)))
    [slots] = [lane for lane in lanes(gateway) if lane["place"].startswith("each-team")]
    assert (slots["under_way"], slots["slots"]) == (1, 1) and "team-a" in slots["name"]
    with pytest.raises(ClientError) as refused:
        ask(reports)
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-code"] == "BP1504"
    assert answer["Error"]["Code"] == "ThrottlingException"
    ask(other)
    held.join(timeout=10)
    # what was refused took nothing, and the slot came back
    ask(reports)
