"""Aliases: boto3 names one, and the simulator's faults force what is called for it."""

import time

import pytest
from botocore.exceptions import ClientError, EventStreamError

from gateway import NOVA, cli

LITE, PRO, MICRO = NOVA, "us.amazon.nova-pro-v1:0", "us.amazon.nova-micro-v1:0"
ZERO = {"temperature": 0.0, "maxTokens": 60}
SORRY = "We are busy; please try again."
BASE = """
[sim]
latency = "off"

[[provider]]
name = "a"
kind = "sim"

[[provider]]
name = "b"
kind = "sim"
"""
CHAIN = f"""
[[model]]
name = "triage"
targets = ["a/{LITE}", {{ target = "b/{PRO}", weight = 0 }}]
fallback = [{{ target = "a/{MICRO}" }}, {{ cache = "stale" }}, {{ answer = "{SORRY}" }}]
timeout = {{ total = "20s" }}

[[cache.rule]]
models = ["triage"]
ttl = "1s"
stale_if_error = "1h"
"""


def alias(*targets, more=""):
    quoted = ", ".join(f'"{target}"' for target in targets)
    return f'[[model]]\nname = "triage"\ntargets = [{quoted}]\n{more}\n'


def fault(kind, **more):
    lines = "".join(f"{key} = {value if isinstance(value, (int, float)) else chr(34) + value + chr(34)}\n"
                    for key, value in more.items())
    return f'[[sim.fault]]\nkind = "{kind}"\n{lines}\n'


def converse(gateway, text="hello", key=None, model="triage", **more):
    asked = {"modelId": model, "messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": ZERO}
    # boto3 would hide what bedplate does by asking again itself
    return gateway.client(key=key, retries={"total_max_attempts": 1}).converse(**(asked | more))


def converse_stream(gateway, text="hello", **more):
    asked = {"modelId": "triage", "messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": ZERO}
    reply = gateway.client(retries={"total_max_attempts": 1}).converse_stream(**(asked | more))
    return reply, list(reply["stream"])


def header(reply, name):
    return reply["ResponseMetadata"]["HTTPHeaders"].get(name)


def record(gateway, reply):
    return gateway.record(header(reply, "x-bedplate-call-id"))


def called(row):
    return [(a["provider"], a["target"], a["status"]) for a in row["attempts"]]


def said(reply):
    return reply["output"]["message"]["content"][0]["text"]


def metric(gateway, name, **labels):
    return gateway.metrics().get((name, frozenset(labels.items())), 0)


def test_an_alias_is_called_by_its_target_and_counted_by_its_name(start):
    gateway = start(BASE + alias(f"b/{LITE}"))
    reply = converse(gateway)
    row = record(gateway, reply)
    assert row["call"]["model"] == "triage" and called(row) == [("b", LITE, 200)]
    direct = converse(gateway, model=LITE)
    assert said(direct) == said(reply) and header(reply, "x-bedplate-degraded") is None
    assert row["call"]["cost"] == record(gateway, direct)["call"]["cost"]


def test_native_bodies_are_read_by_the_family_of_the_target(start):
    gateway = start(BASE + alias(f"a/{LITE}"))
    body = '{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":40}}'
    reply = gateway.client().invoke_model(modelId="triage", body=body)
    row = record(gateway, reply)
    assert called(row) == [("a", LITE, 200)] and row["call"]["usage"]["output"] <= 40
    assert b"output" in reply["body"].read()


def test_an_unknown_alias_gets_bedrocks_own_answer(start):
    gateway = start(BASE + alias(f"a/{LITE}"))
    with pytest.raises(ClientError) as failed:
        converse(gateway, model="triagee")
    assert failed.value.response["Error"]["Code"] == "ValidationException"


def test_a_key_may_use_an_alias_by_its_name_or_by_all_of_its_targets(start):
    gateway = start(BASE + alias(f"a/{LITE}", f"b/{PRO}"))
    by_name, by_targets, by_one = (
        gateway.new_key("--model", "triage"), gateway.new_key("--model", LITE, "--model", PRO),
        gateway.new_key("--model", LITE))
    time.sleep(0.5)
    for key in (by_name, by_targets):
        assert called(record(gateway, converse(gateway, key=key)))
    for key, model in ((by_name, LITE), (by_one, "triage")):
        with pytest.raises(ClientError) as failed:
            converse(gateway, key=key, model=model)
        assert failed.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_tier_of_a_target_is_asked_for(start):
    tier = f'[[model]]\nname = "triage"\ntargets = [{{ target = "a/{LITE}", tier = "flex" }}]\n'
    gateway = start(BASE + tier)
    row = record(gateway, converse(gateway))
    assert row["attempts"][0]["tier"] == "flex" and "service tier flex" in row["call"]["edits"]
    row = record(gateway, converse(gateway, serviceTier={"type": "priority"}))
    assert row["attempts"][0]["tier"] == "priority"


@pytest.mark.parametrize("kind, status", [("throttle", 429), ("internal", 500), ("unavailable", 503), ("reset", 0)])
def test_what_fails_once_is_asked_again(start, kind, status):
    gateway = start(BASE + fault(kind, first=1) + alias(f"a/{LITE}"))
    reply = converse(gateway)
    row = record(gateway, reply)
    assert [s for _, _, s in called(row)] == [status, 200]
    assert row["call"]["ending"] == "answered" and header(reply, "x-bedplate-degraded") is None


@pytest.mark.parametrize("kind, error", [("access_denied", "AccessDeniedException"), ("end_of_life", "ResourceNotFoundException")])
def test_what_is_wrong_with_the_call_is_not_asked_again(start, kind, error):
    gateway = start(BASE + fault(kind) + alias(f"a/{LITE}", f"b/{PRO}"))
    with pytest.raises(ClientError) as failed:
        converse(gateway)
    assert failed.value.response["Error"]["Code"] == error
    assert len(record(gateway, failed.value.response)["attempts"]) == 1


def test_a_bare_id_is_asked_once_unless_the_configuration_says_otherwise(start):
    gateway = start(BASE + fault("internal", first=1))
    with pytest.raises(ClientError) as failed:
        converse(gateway, model=LITE)
    assert len(record(gateway, failed.value.response)["attempts"]) == 1
    gateway = start(BASE + fault("internal", first=1) + "[retry]\nattempts = 2\n")
    assert [s for _, _, s in called(record(gateway, converse(gateway, model=LITE)))] == [500, 200]


def test_the_upstreams_hint_is_kept_to(start):
    gateway = start(BASE + fault("throttle", first=1, retry_after="700ms") + alias(f"a/{LITE}"))
    began = time.monotonic()
    row = record(gateway, converse(gateway))
    assert time.monotonic() - began >= 0.7 and len(row["attempts"]) == 2
    # waiting for an upstream is not what bedplate adds
    assert row["call"]["timings"]["overhead"] < 600_000


def test_an_exception_before_content_is_invisible(start):
    gateway = start(BASE + fault("exception_before_content", first=1) + alias(f"a/{LITE}"))
    reply, events = converse_stream(gateway)
    assert "messageStop" in {name for event in events for name in event}
    statuses = [s for _, _, s in called(record(gateway, reply))]
    assert len(statuses) == 2 and statuses[0] >= 400 and statuses[1] == 200


def test_nothing_is_asked_again_after_the_first_event(start):
    gateway = start(BASE + fault("exception_after_content") + alias(f"a/{LITE}", f"b/{PRO}"))
    reply = gateway.client().converse_stream(modelId="triage", messages=[{"role": "user", "content": [{"text": "hi"}]}])
    with pytest.raises(EventStreamError):
        list(reply["stream"])
    row = record(gateway, reply)
    assert len(row["attempts"]) == 1 and row["call"]["ending"] == "cut"


#: What is broken, and who answers then.
FORCED = [
    ([], [("a", LITE, 200)], None),
    ([LITE], [("a", LITE, 503), ("b", PRO, 200)], None),
    ([LITE, PRO], [("a", LITE, 503), ("b", PRO, 503), ("a", MICRO, 200)], "lighter-model"),
    ([LITE, PRO, MICRO], [("a", LITE, 503), ("b", PRO, 503), ("a", MICRO, 503)], "static"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("broken, attempts, degraded", FORCED)
def test_the_chain_is_walked_in_order(start, broken, attempts, degraded, streamed):
    gateway = start(BASE + "".join(fault("unavailable", model=model) for model in broken) + CHAIN)
    if streamed:
        reply, events = converse_stream(gateway)
        text = "".join(e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e)
        assert "metadata" in events[-1] and any("messageStop" in e for e in events)
    else:
        reply = converse(gateway)
        text = said(reply)
    assert header(reply, "x-bedplate-degraded") == degraded
    row = record(gateway, reply)
    assert called(row) == attempts and row["call"].get("degraded") == degraded
    assert (text == SORRY) == (degraded == "static")
    assert row["call"]["ending"] == "answered" and row["call"]["status"] == 200
    if degraded:
        assert metric(gateway, "bedplate_degraded_total", model="triage", by=degraded) == 1
    if degraded == "static":
        assert header(reply, "x-amzn-requestid") == header(reply, "x-bedplate-call-id")
        assert row["call"]["cost"] == {"state": "known", "nanos": 0} and row["call"]["usage"]["output"] == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_a_stale_answer_is_that_of_an_earlier_call_of_the_same_team(start, streamed):
    gateway = start(BASE + CHAIN)
    ask = converse_stream if streamed else converse
    # request metadata is no part of the question
    down = {"requestMetadata": {"sim-fault": "unavailable"}}
    reply = lambda answer: answer[0] if streamed else answer
    first = reply(ask(gateway))
    time.sleep(1.1)
    stale = ask(gateway, **down)
    assert header(reply(stale), "x-bedplate-degraded") == header(reply(stale), "x-bedplate-cache") == "stale"
    row = record(gateway, reply(stale))
    assert row["call"]["cache"]["avoided"]["call"] == header(first, "x-bedplate-call-id")
    assert called(row) == [("a", LITE, 503), ("b", PRO, 503), ("a", MICRO, 503)]
    if streamed:
        assert any("messageStop" in event for event in stale[1])
    else:
        assert said(stale) == said(first)
    # another question, and another team, have no earlier answer
    assert header(reply(ask(gateway, "another", **down)), "x-bedplate-degraded") == "static"
    if not streamed:
        other = gateway.new_key(team="team-b")
        time.sleep(0.5)
        assert header(converse(gateway, key=other, **down), "x-bedplate-degraded") == "static"


def test_an_open_breaker_is_not_asked_and_shown(start):
    config = BASE + fault("unavailable", model=LITE) + "[breaker]\nfailures = 2\nopen = \"60s\"\n" + alias(
        f"a/{LITE}", more=f'fallback = [{{ answer = "{SORRY}" }}]\nattempts = 2')
    gateway = start(config)
    assert len(record(gateway, converse(gateway))["attempts"]) == 2
    assert metric(gateway, "bedplate_breaker_state", provider="a", model=LITE) == 3
    row = record(gateway, converse(gateway))
    assert row["attempts"] == [] and row["call"]["degraded"] == "static"
    (stand,) = gateway.cli_json("model", "list")
    (target,) = stand["targets"]
    assert (target["breaker"], target["share"]) == ("open", 0)
    explained = gateway.cli("model", "explain", "triage").stdout
    assert "its breaker is open" in explained and SORRY in explained
    gateway.cli("model", "explain", "triagee", ok=1)


def test_what_failed_without_an_answer_and_what_followed_are_both_counted(start):
    budget = '[[budget]]\nname = "b"\nlimit = "1 USD"\n'
    gateway = start(BASE + fault("reset", first=1) + alias(f"a/{LITE}") + budget)
    row = record(gateway, converse(gateway))
    assert [s for _, _, s in called(row)] == [0, 200]
    (charge,) = row["call"]["charges"]
    answered = row["attempts"][1]["cost"]["nanos"]
    # the lost one may have been billed, so it counts at its worst; the other at what it cost
    (alone,) = record(gateway, converse(gateway))["call"]["charges"]
    assert alone["amount"] == answered and charge["amount"] > 2 * answered


def test_bad_aliases_are_refused_with_their_place(tmp_path):
    (tmp_path / "bedplate.toml").write_text(
        BASE + '[[model]]\nname = "a.b"\ntargets = ["c/x.y"]\n[[model]]\nname = "t"\n'
        'targets = ["a/other"]\nfallback = [{ cache = "stale" }]\n')
    ended = cli("check", project=tmp_path, ok=2)
    lines = (ended.stdout + ended.stderr).splitlines()
    for what in ("is no alias", "there is no `[[provider]]` `c`", "not to aliases", "stale_if_error"):
        assert any(what in line and "bedplate.toml:" in line for line in lines), (what, lines)
