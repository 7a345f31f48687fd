"""Kept answers: given again exactly, to nobody else, and never in a call's way."""

import concurrent.futures
import json
import shutil
import threading
import time

import pytest
from botocore.exceptions import ClientError

from gateway import HAIKU, NOVA, recorder_config
from recorder import json_answer, shred, stream_answer
from redis_server import Redis
from test_streams import SAMPLES, stream

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
ZERO = {"temperature": 0.0, "maxTokens": 400}
RULES = """
[[cache.rule]]
models = ["us.amazon.*", "global.anthropic.*"]
ttl = "1h"
"""
MARK = "x-bedplate-cache"


@pytest.fixture
def cached(start, recorder):
    """A gateway that keeps answers, on a recorder."""
    return start(recorder_config(recorder, extra=RULES)), recorder


def converse(gateway, text="hello", key=None, model=NOVA, **more):
    asked = {"modelId": model, "messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": ZERO}
    return gateway.client(key=key).converse(**(asked | more))


def new_key(gateway, *arguments, **who):
    """A key that the gateway knows already. The call that tries it passes the cache by."""
    key = gateway.new_key(*arguments, **who)
    until = time.monotonic() + 10
    while True:
        try:
            converse(gateway, "known?", key=key, inferenceConfig={})
            return key
        except ClientError as e:
            assert e.response["Error"]["Code"] == "UnrecognizedClientException" and time.monotonic() < until
            time.sleep(0.05)


def mark(reply):
    return reply["ResponseMetadata"]["HTTPHeaders"].get(MARK)


def without_metadata(reply):
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


# ---- given again exactly ----


def test_replayed_answers_decode_identically_in_boto3(start):
    gateway = start(RULES + "[sim]\nlatency = \"off\"\n")
    client = gateway.client()
    native = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 400, "temperature": 0,
                         "messages": [{"role": "user", "content": "tell me a story of the sea"}]})
    story = [{"role": "user", "content": [{"text": "tell me a story of the sea"}]}]

    def converse_stream():
        reply = client.converse_stream(modelId=NOVA, messages=story, inferenceConfig=ZERO)
        return reply, list(reply["stream"])

    def invoke_stream():
        reply = client.invoke_model_with_response_stream(modelId=HAIKU, body=native)
        return reply, list(reply["body"])

    def whole():
        reply = client.converse(modelId=NOVA, messages=story, inferenceConfig=ZERO)
        return reply, without_metadata(reply)

    def invoke():
        reply = client.invoke_model(modelId=HAIKU, body=native)
        return reply, json.loads(reply["body"].read())

    for ask in (converse_stream, invoke_stream, whole, invoke):
        first, said = ask()
        again, repeated = ask()
        assert (mark(first), mark(again)) == ("miss", "hit"), ask.__name__
        assert repeated == said, ask.__name__
        headers = again["ResponseMetadata"]["HTTPHeaders"]
        assert again["ResponseMetadata"]["RequestId"] == headers["x-bedplate-call-id"], "nobody upstream knows this call"
        assert headers["content-type"] == first["ResponseMetadata"]["HTTPHeaders"]["content-type"]
    events = converse_stream()[1]
    names = [next(iter(event)) for event in events]
    assert names[0] == "messageStart" and names[-2:] == ["messageStop", "metadata"]
    assert names.count("contentBlockDelta") > 3, "deltas of the size that the model gave"
    assert events[-1]["metadata"]["usage"]["outputTokens"] > 0, "usage is part of the answer"


@pytest.mark.parametrize("name", ["converse-text", "converse-reasoning", "converse-unknown-event", "invoke-anthropic", "invoke-nova"])
def test_every_sample_stream_is_replayed_byte_for_byte(cached, name):
    gateway, recorder = cached
    data = (SAMPLES / f"{name}.bin").read_bytes()
    recorder.will(stream_answer(*shred(data, 3)))
    model, kind = (NOVA, "converse-stream") if name.startswith("converse") else (HAIKU, "invoke-with-response-stream")
    body = json.dumps({"inferenceConfig": ZERO} | ({} if model == NOVA else {"temperature": 0})).encode()
    ask = lambda: stream(gateway, f"/model/{model.replace(':', '%3A')}/{kind}", body)
    first, again = ask(), ask()
    assert (first[1][MARK], again[1][MARK]) == ("miss", "hit")
    assert first[2] == again[2] == data
    assert first[1]["content-type"] == again[1]["content-type"]
    recorder.only()


@pytest.mark.parametrize("name", ["converse-tool-use", "converse-guardrail-blocked", "converse-throttled-midstream", "converse-model-error-midstream"])
def test_streams_that_ended_otherwise_are_not_kept(cached, name):
    gateway, recorder = cached
    data = (SAMPLES / f"{name}.bin").read_bytes()
    recorder.will(stream_answer(data), stream_answer(data))
    body = json.dumps({"inferenceConfig": ZERO}).encode()
    target = f"/model/{NOVA.replace(':', '%3A')}/converse-stream"
    assert [stream(gateway, target, body)[1][MARK] for _ in range(2)] == ["miss", "miss"]
    recorder.wait_for(2)


def test_the_same_request_in_other_words_is_the_same_request(cached):
    gateway, recorder = cached
    target = f"/model/{NOVA.replace(':', '%3A')}/converse"
    bodies = [
        b'{"messages":[{"role":"user","content":[{"text":"caf\\u00e9"}]}],"inferenceConfig":{"temperature":0}}',
        '{ "inferenceConfig" : {"temperature":0},\n "messages":[{"content":[{"text":"café"}],"role":"user"}]}'.encode(),
        '{"requestMetadata":{"run":"7"},"inferenceConfig":{"temperature":0},"messages":[{"content":[{"text":"café"}],"role":"user"}]}'.encode(),
    ]
    assert [stream(gateway, target, body)[1][MARK] for body in bodies] == ["miss", "hit", "hit"]
    recorder.only()


# ---- to nobody else ----


def test_no_answer_crosses_from_one_caller_to_another(cached):
    gateway, recorder = cached
    keys = [
        new_key(gateway, team="a"),
        new_key(gateway, team="b"),
        new_key(gateway, team="a", env="prod"),
        new_key(gateway, team="a", feature="other"),
        new_key(gateway, "--model", "us.amazon.*", team="a"),
        new_key(gateway, "--may-name", "other", team="a"),
        new_key(gateway, team="a", risk="public-chat"),
    ]
    recorder.clear()
    answer = lambda n: json_answer(recorder.CONVERSE.replace(b"recorded", f"for caller {n}".encode()))
    recorder.will(*[answer(n) for n in range(len(keys))])
    said = lambda reply: reply["output"]["message"]["content"][0]["text"]
    for n, key in enumerate(keys):
        assert said(converse(gateway, key=key)) == f"for caller {n}"
    for n, key in enumerate(keys):
        reply = converse(gateway, key=key)
        assert (mark(reply), said(reply)) == ("hit", f"for caller {n}")
    # a second key of the same team with the same rights shares
    assert said(converse(gateway, key=new_key(gateway, team="a"))) == "for caller 0"


def test_a_disabled_key_gets_nothing_from_the_cache(cached):
    gateway, _ = cached
    key = new_key(gateway)
    assert mark(converse(gateway, key=key)) == "miss"
    gateway.cli("key", "disable", key["key_id"])
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            converse(gateway, key=key)
        except ClientError as e:
            assert e.response["Error"]["Code"] == "UnrecognizedClientException"
            return
    raise AssertionError("the key still works")


# ---- what is kept, and what is not ----


@pytest.mark.parametrize(("more", "skip"), [
    ({"inferenceConfig": {}}, "sampled"),
    ({"inferenceConfig": {"temperature": 0.7}}, "sampled"),
    ({"toolConfig": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]}}, "tools"),
    ({"guardrailConfig": {"guardrailIdentifier": "gr0", "guardrailVersion": "1"}}, "guarded"),
])
def test_calls_whose_answer_may_differ_next_time_pass_by(cached, more, skip):
    gateway, recorder = cached
    first, second = converse(gateway, **more), converse(gateway, **more)
    assert (mark(first), mark(second)) == ("bypass", "bypass")
    assert len(recorder.seen) == 2
    record = gateway.record(second["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])
    assert record["call"]["cache"] == {"mark": "bypass", "skip": skip}


def test_truncated_answers_and_errors_are_not_kept(cached):
    gateway, recorder = cached
    short = json_answer(recorder.CONVERSE.replace(b"end_turn", b"max_tokens"))
    error = json_answer(b'{"message":"slow down"}', 429, [("x-amzn-errortype", "ThrottlingException")])
    recorder.will(short, error)
    assert mark(converse(gateway)) == "miss"
    with pytest.raises(ClientError, match="ThrottlingException"):
        converse(gateway)
    assert (mark(converse(gateway)), mark(converse(gateway))) == ("miss", "hit")


def test_callers_may_pass_by_and_ask_anew_and_say_it_right(cached):
    gateway, recorder = cached
    target, body = f"/model/{NOVA.replace(':', '%3A')}/converse", json.dumps({"messages": HELLO, "inferenceConfig": ZERO}).encode()
    ask = lambda **wish: stream(gateway, target, body, {name.replace("_", "-"): value for name, value in wish.items()})
    marks = [ask()[1][MARK], ask(x_bedplate_cache="bypass")[1][MARK], ask(x_bedplate_cache="refresh")[1][MARK], ask()[1][MARK]]
    assert marks == ["miss", "bypass", "miss", "hit"]
    assert all(seen.header(MARK) is None for seen in recorder.seen)
    status, headers, _ = ask(x_bedplate_cache="no-store")
    assert (status, headers["x-bedplate-code"]) == (400, "BP1205")


def test_what_was_spared_is_shown_apart_from_what_was_spent(cached):
    gateway, _ = cached
    miss, hit = converse(gateway), converse(gateway)
    ids = [reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"] for reply in (miss, hit)]
    paid, spared = gateway.record(ids[0]), gateway.record(ids[1])
    assert paid["call"]["cache"] == {"mark": "miss"} and paid["call"]["cost"]["nanos"] > 0
    assert spared["call"]["cost"] == {"state": "known", "nanos": 0} and spared["attempts"] == []
    avoided = spared["call"]["cache"]["avoided"]
    assert (avoided["cost"], avoided["call"]) == (paid["call"]["cost"], ids[0])
    assert avoided["usage"]["input"] == 11 and spared["call"]["usage"]["input"] == 0
    page = gateway.cli("calls", "show", ids[1]).stdout
    assert "cache        hit, an answer of 0 s" in page and f"to call {ids[0]}" in page
    stats = gateway.cli_json("cache", "stats")
    assert (stats["hits"], stats["misses"], stats["entries"], stats["up"]) == (1, 1, 1, True)
    assert stats["avoided_nanos"] == paid["call"]["cost"]["nanos"]
    metrics = gateway.metrics()
    total = lambda name, **labels: sum(v for (n, of), v in metrics.items() if n == name and set(labels.items()) <= of)
    assert total("bedplate_cache_calls_total", result="hit", model=NOVA) == 1
    assert total("bedplate_cache_avoided_usd_total") == pytest.approx(stats["avoided_nanos"] / 1e9)
    assert total("bedplate_cost_usd_total") == pytest.approx(paid["call"]["cost"]["nanos"] / 1e9)
    assert total("bedplate_cache_avoided_tokens_total", kind="output") == 7
    assert total("bedplate_cache_entries") == 1
    lines = [json.loads(line) for line in gateway.log().splitlines() if line.startswith('{"time"')]
    assert [line.get("cache") for line in lines] == ["miss", "hit"]
    assert lines[1]["avoided_cost_nanos"] == paid["call"]["cost"]["nanos"] and lines[1]["cost_nanos"] == 0


def test_operators_purge_by_team_feature_and_model(start, recorder):
    rules = RULES.replace('"us.amazon.*"', '"us.amazon.*", "arn:*"')
    gateway = start(recorder_config(recorder, extra=rules))
    key = new_key(gateway, team="support", feature="triage")
    arn = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{NOVA}"
    for name, *what in (
        (NOVA, "--team", "support"), (NOVA, "--feature", "triage"), (NOVA, "--model", NOVA), (NOVA, "--model", arn),
        (arn, "--model", NOVA), (arn, "--model", arn), (NOVA, "--all"),
    ):
        assert mark(converse(gateway, key=key, model=name)) == "miss"
        assert mark(converse(gateway, key=key, model=name)) == "hit"
        for other in (["--team", "triage"], ["--feature", "support"], ["--model", "us.amazon"], ["--model", f"{arn}x"]):
            assert gateway.cli_json("cache", "purge", *other) == {"purged": 0}
        assert mark(converse(gateway, key=key, model=name)) == "hit"
        assert gateway.cli_json("cache", "purge", *what) == {"purged": 1}, (name, what)
    assert "cannot be used with" in gateway.cli("cache", "purge", "--all", "--team", "a", ok=2).stderr
    gateway.cli("cache", "purge", ok=2)
    assert gateway.get_control("/admin/v1/cache")[0] == 401


def test_rules_are_reloaded_and_bad_ones_are_said(start, recorder):
    gateway = start(recorder_config(recorder, extra=RULES))
    assert (mark(converse(gateway)), mark(converse(gateway))) == ("miss", "hit")
    bad = RULES.replace('"1h"', '"0s"') + "tolls = true\n"
    (gateway.project / "bedplate.toml").write_text(recorder_config(recorder, extra=bad))
    said = gateway.cli("check", ok=2).stderr
    assert "tools" in said and "bedplate.toml:" in said
    (gateway.project / "bedplate.toml").write_text(recorder_config(recorder, extra=RULES.replace('"1h"', '"0s"')))
    assert "from 1s to 30d" in gateway.cli("check", ok=2).stderr
    (gateway.project / "bedplate.toml").write_text(recorder_config(recorder))
    until = time.monotonic() + 15
    while mark(converse(gateway)) is not None:
        assert time.monotonic() < until, "the rule is still in force"
        time.sleep(0.1)


# ---- many at once ----


def test_a_stampede_makes_one_upstream_call(start, recorder):
    gateway = start(recorder_config(recorder, extra=RULES))
    callers, release = 150, threading.Event()
    held = json_answer(recorder.CONVERSE)
    held.pieces.insert(0, lambda: release.wait(60) and b"")
    recorder.answer = lambda seen: held
    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        client = gateway.client(max_pool_connections=callers, read_timeout=120)
        ask = lambda: client.converse(modelId=NOVA, messages=HELLO, inferenceConfig=ZERO)
        asked = [pool.submit(ask) for _ in range(callers)]
        until = time.monotonic() + 60
        while gateway.metrics()[("bedplate_in_flight", frozenset())] < callers:
            assert time.monotonic() < until, "not all callers arrived"
            time.sleep(0.05)
        release.set()
        replies = [reply.result(60) for reply in asked]
    recorder.only()
    assert sorted(map(mark, replies)) == ["hit"] * (callers - 1) + ["miss"]
    assert {reply["output"]["message"]["content"][0]["text"] for reply in replies} == {"recorded"}


# ---- Redis ----


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.end()


def nodes(start, recorder, redis, tmp_path, count=2, **more):
    """Gateways that share a cache and a master key."""
    config = recorder_config(recorder, extra=RULES + f"[store]\nhot = {{ redis = {{ env = \"REDIS_URL\" }} }}\n")
    running = []
    for n in range(count):
        project = tmp_path / f"node{n}"
        if running:
            state = project / ".bedplate"
            state.mkdir(parents=True, mode=0o700)
            shutil.copy(running[0].project / ".bedplate/master.key", state / "master.key")
        running.append(start(config, project=project, REDIS_URL=redis.url, **more))
    for gateway in running:
        wait_for_the_cache(gateway, True)
    return running


def wait_for_the_cache(gateway, up):
    until = time.monotonic() + 30
    while gateway.metrics()[("bedplate_cache_up", frozenset())] != float(up):
        assert time.monotonic() < until, f"the cache is not {'there' if up else 'gone'}"
        time.sleep(0.05)


def test_nodes_share_answers_and_purges(start, recorder, redis, tmp_path):
    one, two = nodes(start, recorder, redis, tmp_path)
    assert (mark(converse(one)), mark(converse(one))) == ("miss", "hit")
    until = time.monotonic() + 10
    while redis.ask("DBSIZE") == b"0":
        assert time.monotonic() < until
    assert mark(converse(two)) == "hit"
    recorder.only()
    doctor = two.cli("doctor", ok=None, REDIS_URL=redis.url, AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="b").stdout
    assert f"redis {redis.url.removeprefix('redis://')}, 1 answers" in doctor
    stats = two.cli_json("cache", "stats")
    assert (stats["entries"], stats["hits"]) == (1, 1) and stats["store"].startswith("redis 127.0.0.1:")
    for name in redis.ask("KEYS", "*").split(b"\n"):
        stored = redis.ask("GET", name.decode())
        assert b"recorded" not in stored and b"end_turn" not in stored
    assert two.cli_json("cache", "purge", "--all") == {"purged": 1}
    assert mark(converse(one)) == "miss"


def test_calls_go_on_without_redis_and_with_one_that_comes_back(start, recorder, redis, tmp_path):
    (gateway,) = nodes(start, recorder, redis, tmp_path, count=1)
    assert (mark(converse(gateway)), mark(converse(gateway))) == ("miss", "hit")
    redis.halt()
    assert [mark(converse(gateway)) for _ in range(5)] == ["miss"] * 5
    wait_for_the_cache(gateway, False)
    assert gateway.get_control("/readyz")[0] == 200, "a cache that is gone is no reason to be taken out"
    assert "cannot be reached" in gateway.cli("cache", "purge", "--all", ok=4).stderr
    redis.resume()
    wait_for_the_cache(gateway, True)
    assert (mark(converse(gateway)), mark(converse(gateway))) == ("miss", "hit")


def test_it_starts_without_redis(start, recorder):
    config = recorder_config(recorder, extra=RULES + "[store]\nhot = { redis = { env = \"REDIS_URL\" } }\n")
    gateway = start(config, REDIS_URL="redis://127.0.0.1:1/0")
    assert [mark(converse(gateway)) for _ in range(2)] == ["miss", "miss"]
    assert "hunter2" not in gateway.log()


def test_a_bad_redis_url_is_said_without_its_password(start, recorder, tmp_path):
    config = recorder_config(recorder, extra=RULES + "[store]\nhot = { redis = { env = \"REDIS_URL\" } }\n")
    with pytest.raises(AssertionError, match="not a URL of Redis") as failed:
        start(config, project=tmp_path / "bad", REDIS_URL="http://user:hunter2@example")
    assert "hunter2" not in str(failed.value)
