"""Rates: who is refused and when, what callers are told, and what many gateways share."""

import json
import shutil
import time

import pytest
from botocore.exceptions import ClientError

from gateway import NOVA, cli, recorder_config
from recorder import json_answer
from redis_server import Redis

FAST = "[sim]\nlatency = \"off\"\n"
LIMIT, REMAINING, RESET = (f"x-ratelimit-{what}-" for what in ("limit", "remaining", "reset"))


def throttle(name, scope="{}", **limits):
    lines = "".join(f"{kind} = {limit}\n" for kind, limit in limits.items())
    return f"[[throttle]]\nname = \"{name}\"\nscope = {scope}\n{lines}"


def converse(gateway, key=None, tokens=20, **config):
    said = [{"role": "user", "content": [{"text": "hello"}]}]
    return gateway.client(key=key, **config).converse(modelId=NOVA, messages=said, inferenceConfig={"maxTokens": tokens})


def headers(reply):
    return reply["ResponseMetadata"]["HTTPHeaders"]


def refused(gateway, **how):
    """What a call is told that must be refused."""
    with pytest.raises(ClientError) as error:
        converse(gateway, **how)
    return error.value.response


def known(gateway, *arguments, **who):
    """A key that the gateway knows: a list that names no such key is not one."""
    key = gateway.new_key(*arguments, **who)
    until = time.monotonic() + 10
    while True:
        try:
            gateway.client("bedrock", key=key).get_foundation_model(modelIdentifier="amazon.nova-lite-v1:0")
            return key
        except ClientError as e:
            assert e.response["Error"]["Code"] == "UnrecognizedClientException" and time.monotonic() < until
            time.sleep(0.05)


def count(gateway, name, **labels):
    return gateway.metrics().get((name, frozenset(labels.items())), 0.0)


# ---- one gateway ----


def test_operators_see_every_rate_what_is_used_of_it_and_who_was_refused(start):
    gateway = start(FAST + throttle("keys", "{ key = \"*\" }", rpm=2) + throttle("support", "{ team = \"support\" }", tpm=9000))
    nobody = gateway.cli_json("limits")["rates"]
    assert [(row["throttle"], row["of"], row["used"]) for row in nobody["counts"]] == [
        ("keys[each key]", "", 0), ("support[team support]", "", 0),
    ]
    for _ in range(2):
        converse(gateway)
    refused(gateway)
    rates = gateway.cli_json("limits")["rates"]
    row = rates["counts"][0]
    assert (row["throttle"], row["kind"], row["limit"]) == ("keys[each key]", "requests", 2)
    assert row["of"].startswith("key=key_")
    assert row["refused"] == {"full": 1, "too_large": 0} and row["used"] + row["left"] == 2 and row["full_in_ms"] > 0
    assert (rates["more"], rates["alone"], rates["refused_others"], "missing" in rates) == (0, False, 0, False)
    shown = gateway.cli("limits").stdout
    assert f"keys[each key] {row['of']}" in shown and "of 2 requests/min" in shown and "1 (full 1)" in shown


def test_requests_by_key_are_refused_and_callers_are_told(start):
    gateway = start(FAST + throttle("keys", "{ key = \"*\" }", rpm=2))
    told = [headers(converse(gateway)) for _ in range(2)]
    assert [h[LIMIT + "requests"] for h in told] == ["2", "2"]
    assert [h[REMAINING + "requests"] for h in told] == ["1", "0"]
    assert all(h[RESET + "requests"].endswith("s") for h in told)
    assert REMAINING + "tokens" not in told[0], "nobody counts them"
    response = refused(gateway)
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == ("ThrottlingException", 429)
    assert response["Error"]["Message"] == "The throttle `keys` allows 2 requests a minute."
    said = headers(response)
    assert said["x-bedplate-code"] == "BP1501" and said[REMAINING + "requests"] == "0"
    wait = int(said["x-amz-retry-after"])
    assert 0 < wait <= 30_000 and int(said["retry-after"]) == -(-wait // 1000)
    call = gateway.record(said["x-bedplate-call-id"])["call"]
    throttled = call["throttled"]
    assert (throttled["throttle"], throttled["of"], throttled["kind"]) == ("keys", f"key={call['key']}", "requests")
    assert (throttled["limit"], throttled["need"], call["code"]) == (2, 1, "BP1501")
    assert count(gateway, "bedplate_throttled_total", throttle="keys", kind="requests") == 1
    # another key has a count of its own; nothing else was concerned
    other = gateway.new_key()
    until = time.monotonic() + 10
    while True:
        try:
            assert headers(converse(gateway, key=other))[REMAINING + "requests"] == "1"
            break
        except ClientError as e:
            assert e.response["Error"]["Code"] == "UnrecognizedClientException" and time.monotonic() < until
            time.sleep(0.05)


def test_tokens_by_team_are_settled_to_what_was_used(start, recorder):
    gateway = start(recorder_config(recorder, extra=throttle("teams", "{ team = \"*\" }", tpm=10_000)))
    used = json.loads(recorder.CONVERSE)["usage"]
    used = used["inputTokens"] + used["outputTokens"]
    first = headers(converse(gateway, tokens=9_000))
    assert first[LIMIT + "tokens"] == "10000" and int(first[REMAINING + "tokens"]) <= 1_000
    # the call has ended and gave back what it did not use: another as long fits at once
    second = headers(converse(gateway, tokens=9_000))
    assert int(second[REMAINING + "tokens"]) <= 1_000 and used < 500
    response = refused(gateway, tokens=10_000)
    assert (response["Error"]["Code"], headers(response)["x-bedplate-code"]) == ("ServiceQuotaExceededException", "BP1503")
    assert "x-amz-retry-after" not in headers(response)
    # an answer that used far more than was taken for it: a debt
    recorder.will(json_answer(recorder.CONVERSE.replace(b'"outputTokens":', b'"outputTokens":20000')))
    assert converse(gateway)["usage"]["outputTokens"] >= 200_000
    response = refused(gateway)
    assert (response["Error"]["Code"], headers(response)["x-bedplate-code"]) == ("ThrottlingException", "BP1502")
    assert headers(response)["x-amz-retry-after"] == "60000", "SDKs are not sent away for longer"
    assert count(gateway, "bedplate_throttled_total", throttle="teams", kind="tokens") == 2


def test_nothing_is_taken_by_calls_that_a_rate_refuses(start):
    gateway = start(FAST + throttle("triage", "{ feature = \"triage\" }", rpm=1) + throttle("all", rpm=1000, tpm=1_000_000))
    key = known(gateway, "--may-name", "triage", feature="other")

    def ask(feature):
        client = gateway.client(key=key)
        client.meta.events.register("before-sign.*", lambda request, **_: request.headers.add_header("x-bedplate-feature", feature))
        said = [{"role": "user", "content": [{"text": "hello"}]}]
        return headers(client.converse(modelId=NOVA, messages=said, inferenceConfig={"maxTokens": 20}))

    assert ask("triage")[REMAINING + "requests"] == "0"
    before = int(ask("other")[REMAINING + "requests"])
    for _ in range(20):
        with pytest.raises(ClientError, match="throttle `triage` allows 1"):
            ask("triage")
    after = int(ask("other")[REMAINING + "requests"])
    # of a thousand a minute some come back, and one was asked for
    assert after >= before - 1


def test_boto3_waits_as_long_as_it_is_told(start):
    gateway = start(FAST + throttle("all", rpm=120))
    while True:
        try:
            converse(gateway)
        except ClientError as e:
            wait = int(headers(e.response)["x-amz-retry-after"])
            break
    assert 0 < wait <= 500
    began = time.monotonic()
    reply = converse(gateway, retries={"total_max_attempts": 4, "mode": "standard"})
    assert time.monotonic() - began < 20 and reply["ResponseMetadata"]["RetryAttempts"] <= 3


def test_a_reload_keeps_what_was_counted_and_a_bad_one_changes_nothing(start):
    keys = lambda rpm: FAST + throttle("all", rpm=rpm)
    gateway = start(keys(3))
    for _ in range(3):
        converse(gateway)
    assert headers(refused(gateway))["x-bedplate-code"] == "BP1501"

    (gateway.project / "bedplate.toml").write_text(keys(4))
    until, told = time.monotonic() + 20, {}
    while told.get(LIMIT + "requests") != "4":
        assert time.monotonic() < until, "the reload is not taken up"
        try:
            told = headers(converse(gateway))
        except ClientError as e:
            told = headers(e.response)
        time.sleep(0.05)
    # three were counted before: nobody begins anew with four
    assert int(told[REMAINING + "requests"]) <= 1
    (gateway.project / "bedplate.toml").write_text(keys(0))
    failures = "bedplate_config_reload_failures_total"
    wait_for(lambda: count(gateway, failures) == 1, "a bad file is refused")
    assert count(gateway, "bedplate_config_last_reload_successful") == 0


def test_check_says_what_is_wrong_and_where(tmp_path):
    text = throttle("a", rpm=0) + throttle("a", tpm=5) + throttle("b", "{ team = \"a b\" }", rpm=1) + throttle("c")
    (tmp_path / "bedplate.toml").write_text(text)
    said = cli("check", project=tmp_path, ok=None)
    assert said.returncode == 2
    for line in ("bedplate.toml:4:", "lets no call through", "bedplate.toml:6:", "two are named `a`", "no team is called `a b`", "it limits nothing"):
        assert line in said.stdout + said.stderr, line


# ---- many gateways ----


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.end()


def nodes(start, redis, tmp_path, config, n=2):
    """Gateways that share counts, ledgers of their own, and one key."""
    running = []
    for at in range(n):
        project = tmp_path / f"node{at}"
        if running:
            state = project / ".bedplate"
            state.mkdir(parents=True, mode=0o700)
            shutil.copy(running[0].project / ".bedplate/master.key", state / "master.key")
        hot = "[store]\nhot = { redis = { env = \"REDIS_URL\" } }\n"
        running.append(start(FAST + hot + config, project=project, REDIS_URL=redis.url))
    for gateway in running:
        wait_for(lambda: (up(gateway), count(gateway, "bedplate_nodes")) == (1.0, float(n)), f"{n} nodes")
    return running


def up(gateway):
    return count(gateway, "bedplate_rates_up")


def wait_for(there, what):
    until = time.monotonic() + 40
    while not there():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.05)


def let_through(gateways, tries):
    """How many of so many calls each are let through, one after the other in turn."""
    through = [0] * len(gateways)
    for _ in range(tries):
        for at, gateway in enumerate(gateways):
            try:
                converse(gateway)
                through[at] += 1
            except ClientError as e:
                assert e.response["Error"]["Code"] == "ThrottlingException", e
    return through


def test_gateways_share_a_count(start, redis, tmp_path):
    gateways = nodes(start, redis, tmp_path, throttle("all", rpm=6, tpm=100_000))
    began = time.monotonic()
    through = sum(let_through(gateways, 6))
    refilled = (time.monotonic() - began) / 10
    assert 6 <= through <= 6 + refilled + 1
    names = redis.ask("KEYS", "bedplate:rate:*").decode().split("\n")
    assert "bedplate:rate:1:requests:all[everything]:" in names
    assert all(0 < int(redis.ask("PTTL", name)) <= 61_000 for name in names)
    assert sum(count(gateway, "bedplate_rates_alone_total") for gateway in gateways) == 0


def test_without_redis_each_goes_on_with_its_part(start, redis, tmp_path):
    gateways = nodes(start, redis, tmp_path, throttle("all", rpm=9))
    redis.halt()
    for gateway in gateways:
        wait_for(lambda: up(gateway) == 0.0, "redis is gone")
    began = time.monotonic()
    through = let_through(gateways, 8)
    # half of nine, rounded up, and what refills of five a minute
    most = 5 + (time.monotonic() - began) / 12 + 1
    assert all(5 <= n <= most for n in through), through
    for gateway in gateways:
        assert count(gateway, "bedplate_rates_alone_total") >= 8
        assert gateway.log().count("this node goes on alone with its part of each limit") == 1
        assert gateway.get_control("/readyz")[0] == 200
    redis.resume()
    for gateway in gateways:
        wait_for(lambda: up(gateway) == 1.0, "redis is back")
    began = time.monotonic()
    through = sum(let_through(gateways, 8))
    assert 9 <= through <= 9 + (time.monotonic() - began) * 9 / 60 + 1, "it is empty, and shared again"


def test_a_redis_that_stands_still_holds_nobody_up(start, redis, tmp_path):
    (gateway,) = nodes(start, redis, tmp_path, throttle("all", rpm=10_000), n=1)
    converse(gateway)
    redis.ask("CLIENT", "PAUSE", "600000", "ALL")
    began = time.monotonic()
    for _ in range(20):
        converse(gateway)
    # three deadlines of 50 ms at most, and not twenty of ten minutes
    assert time.monotonic() - began < 20
    wait_for(lambda: up(gateway) == 0.0, "it is given up")


def test_it_starts_without_redis_and_finds_it(start, redis, tmp_path):
    redis.halt()
    hot = "[store]\nhot = { redis = { env = \"REDIS_URL\" } }\n"
    gateway = start(FAST + hot + throttle("all", rpm=5), REDIS_URL=redis.url)
    assert headers(converse(gateway))[LIMIT + "requests"] == "5"
    redis.resume()
    wait_for(lambda: up(gateway) == 1.0, "redis came")
    assert headers(converse(gateway))[LIMIT + "requests"] == "5"
