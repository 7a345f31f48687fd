"""What is written down: the ledger, the call log, the invocation log, metrics, traces."""

import gzip
import http.server
import json
import threading
import time

import pytest
from botocore.exceptions import ClientError

from frames import event
from gateway import HAIKU, NOVA, recorder_config
from recorder import json_answer, stream_answer

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


def call_id(reply):
    return reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"]


def converse_answer(usage, **more):
    return json_answer(json.dumps({
        "output": {"message": {"role": "assistant", "content": [{"text": "recorded"}]}}, "stopReason": "end_turn",
        "usage": usage, "metrics": {"latencyMs": 5}, **more}))


def test_a_call_is_recorded_whole(recorded):
    gateway, _ = recorded
    reply = gateway.client().converse(modelId=NOVA, messages=HELLO)
    record = gateway.record(call_id(reply))
    call, (attempt,) = record["call"], record["attempts"]
    assert (call["operation"], call["model"], call["ending"], call["status"]) == ("Converse", NOVA, "answered", 200)
    assert (call["usage"]["input"], call["usage"]["output"], call["basis"]) == (11, 7, "reported")
    assert call["stop_reason"] == "end_turn" and call["code"] is None
    assert 0 < call["timings"]["overhead"] <= call["timings"]["total"]
    assert (attempt["n"], attempt["provider"], attempt["region"], attempt["account"]) == (
        1, "recorder", "us-east-1", "123456789012")
    assert attempt["upstream_request_id"] == reply["ResponseMetadata"]["RequestId"]
    assert attempt["timings"]["upstream_latency_ms"] == 5
    assert attempt["price_version"]


def nanos(cost):
    """A known cost in nano-dollars, in whatever member it stands."""
    found = [v for v in (cost.values() if isinstance(cost, dict) else [cost]) if isinstance(v, int)]
    assert len(found) == 1, cost
    return found[0]


def price(model, counter):
    """USD per million tokens by the price list that bedplate was built with."""
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    books = [p for p in root.glob("crates/cost/**/*.json") if p.stat().st_size > 10_000]
    assert books, "the price book is embedded in crates/cost"
    rows = json.loads(books[0].read_text())
    rows = rows if isinstance(rows, list) else rows.get("models") or next(v for v in rows.values() if isinstance(v, list))
    return next(r for r in rows if r["id"] == model)["price"][counter]


def test_a_call_costs_what_its_tokens_cost(recorded):
    gateway, recorder = recorded
    recorder.will(converse_answer({"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500}))
    call = gateway.record(call_id(gateway.client().converse(modelId=NOVA, messages=HELLO)))["call"]
    expected = 1000 * price(NOVA, "input") * 1000 + 500 * price(NOVA, "output") * 1000
    assert nanos(call["cost"]) == round(expected)


def test_the_tier_that_served_sets_the_price(recorded):
    gateway, recorder = recorded
    usage = {"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500}
    client = gateway.client()
    costs = {}
    for tier in ("default", "flex"):
        recorder.will(converse_answer(usage, serviceTier={"type": tier}))
        record = gateway.record(call_id(client.converse(
            modelId="us.amazon.nova-pro-v1:0", messages=HELLO, serviceTier={"type": "priority"})))
        assert record["attempts"][0]["tier"] == tier
        costs[tier] = nanos(record["call"]["cost"])
    assert costs["flex"] * 2 == costs["default"]


def test_cache_reads_and_writes_are_apart(recorded):
    gateway, recorder = recorded
    recorder.will(converse_answer({
        "inputTokens": 10, "outputTokens": 5, "totalTokens": 1815, "cacheReadInputTokens": 1000,
        "cacheWriteInputTokens": 800, "cacheDetails": [{"ttl": "1h", "inputTokens": 300}, {"ttl": "5m", "inputTokens": 500}]}))
    usage = gateway.record(call_id(gateway.client().converse(modelId=HAIKU, messages=HELLO)))["call"]["usage"]
    assert (usage["input"], usage["cache_read"], usage["cache_write_5m"], usage["cache_write_1h"], usage["output"]) == (
        10, 1000, 500, 300, 5)


def test_a_chain_groups_its_calls(recorded):
    gateway, _ = recorded
    client = gateway.client()

    def tag(request, **_):
        request.headers["x-bedplate-chain"] = "run-42"
        request.headers["x-bedplate-user"] = "ada"

    client.meta.events.register("before-sign", tag)
    ids = {call_id(client.converse(modelId=NOVA, messages=HELLO)) for _ in range(3)}
    for one in ids:
        call = gateway.record(one)["call"]
        assert (call["chain"], call["user"]) == ("run-42", "ada")
    listed = gateway.cli("calls", "tail", "--no-follow", "-n", "3", "--format", "json").stdout
    assert all(one in listed for one in ids)


def test_calls_show_is_one_page_for_people(recorded):
    gateway, _ = recorded
    one = call_id(gateway.client().converse(modelId=NOVA, messages=HELLO))
    gateway.record(one)
    page = gateway.cli("calls", "show", one).stdout
    for word in (one, NOVA, "Converse", "recorder", "us-east-1", "11", "7"):
        assert word in page, f"`{word}` is not on the page:\n{page}"
    assert len(page.splitlines()) < 60


def test_no_content_is_written_down(start, recorder):
    gateway = start(recorder_config(recorder, extra='[log.invocation]\nfolder = "invocations"\n'))
    secret_in, secret_out = "the-password-is-opensesame", "and-the-answer-is-fortytwo"
    recorder.will(json_answer(recorder.CONVERSE.replace(b"recorded", secret_out.encode())))
    client = gateway.client()
    reply = client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": secret_in}]}])
    gateway.record(call_id(reply))
    recorder.will(json_answer(b'{"message":"bad prompt: ' + secret_in.encode() + b'"}', 400,
                              [("x-amzn-errortype", "ValidationException")]))
    with pytest.raises(ClientError):
        client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": secret_in}]}])
    gateway.stop()
    for path in gateway.project.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            if path.suffix == ".gz":
                held = gzip.decompress(held)
            assert secret_in.encode() not in held and secret_out.encode() not in held, path


def test_one_line_a_call_in_the_call_log(start, recorder):
    gateway = start(recorder_config(recorder))
    ids = [call_id(gateway.client().converse(modelId=NOVA, messages=HELLO)) for _ in range(3)]
    for one in ids:
        gateway.record(one)
    gateway.stop()
    lines = [line for line in gateway.log().splitlines() if any(one in line for one in ids)]
    assert len(lines) == 3, gateway.log()[-3000:]
    for line in lines:
        assert NOVA in line and "Converse" in line


def test_the_invocation_log_is_bedrocks_own(start, recorder):
    gateway = start(recorder_config(recorder, metadata=True, extra='[log.invocation]\nfolder = "invocations"\n'))
    client = gateway.client()
    reply = client.converse(modelId=NOVA, messages=HELLO, requestMetadata={"cost-centre": "cc-1"})
    recorder.will(json_answer(b'{"message":"slow down"}', 429, [("x-amzn-errortype", "ThrottlingException")]))
    with pytest.raises(ClientError):
        client.converse(modelId=NOVA, messages=HELLO)
    gateway.stop()
    files = [p for p in (gateway.project / "invocations").rglob("*.json.gz")]
    assert files, list((gateway.project / "invocations").rglob("*"))
    for path in files:
        parts = path.relative_to(gateway.project / "invocations").parts
        at = parts.index("AWSLogs")
        assert parts[at + 1:at + 4] == ("123456789012", "BedrockModelInvocationLogs", "us-east-1")
        year, month, day, hour = parts[at + 4:at + 8]
        assert time.strptime(f"{year}-{month}-{day} {hour}", "%Y-%m-%d %H")
    records = [json.loads(line) for p in files for line in gzip.decompress(p.read_bytes()).splitlines()]
    assert len(records) == 2
    good = next(r for r in records if "errorCode" not in r)
    bad = next(r for r in records if "errorCode" in r)
    assert (good["schemaType"], good["schemaVersion"], good["operation"], good["modelId"]) == (
        "ModelInvocationLog", "1.0", "Converse", NOVA)
    assert good["requestId"] == reply["ResponseMetadata"]["RequestId"]
    assert (good["input"]["inputTokenCount"], good["output"]["outputTokenCount"]) == (11, 7)
    assert good["requestMetadata"]["cost-centre"] == "cc-1" and good["requestMetadata"]["bedplate:call"] == call_id(reply)
    assert good["identity"]["arn"].startswith("arn:aws:iam::123456789012:user/bedplate/")
    assert bad["errorCode"] == "ThrottlingException" and "output" not in bad


def test_metrics_count_calls_tokens_and_cost(recorded):
    gateway, _ = recorded

    def total(part):
        return sum(v for (name, labels), v in gateway.metrics().items() if part in name and not name.endswith("_bucket"))

    before = {part: total(part) for part in ("calls_total", "bedplate_tokens_total", "cost")}
    gateway.record(call_id(gateway.client().converse(modelId=NOVA, messages=HELLO)))
    assert total("calls_total") == before["calls_total"] + 1
    assert total("bedplate_tokens_total") == before["bedplate_tokens_total"] + 18
    assert total("cost") > before["cost"]


def test_metrics_hold_latency_distributions(recorded):
    gateway, recorder = recorded
    recorder.will(stream_answer(
        event("messageStart", {"role": "assistant"}), event("contentBlockDelta", {"delta": {"text": "w"}}), 0.05,
        event("contentBlockDelta", {"delta": {"text": "w"}}), event("messageStop", {"stopReason": "end_turn"}),
        event("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}})))
    reply = gateway.client().converse_stream(modelId=NOVA, messages=HELLO)
    list(reply["stream"])
    gateway.record(call_id(reply))
    buckets = {name for (name, _) in gateway.metrics() if name.endswith("_bucket")}
    for what in ("duration", "first_token", "output_token", "overhead"):
        assert any(what in name for name in buckets), (what, buckets)


def test_labels_are_bounded(start, recorder):
    gateway = start(recorder_config(recorder))
    client = gateway.client()
    for n in range(300):
        client.converse(modelId=f"amazon.made-up-{n}-v1:0", messages=HELLO)
    models = {dict(labels).get("model") for (_, labels) in gateway.metrics()} - {None}
    assert len(models) < 250, f"{len(models)} values of the label `model`"


def test_metrics_hold_no_secret_and_no_content(recorded):
    gateway, _ = recorded
    _, _, body = gateway.get_control("/metrics")
    assert gateway.ready["secret_access_key"].encode() not in body and gateway.ready["bearer_token"].encode() not in body


@pytest.fixture
def collector():
    """An OTLP/HTTP collector that keeps what it is sent."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def traced_client(gateway):
    client = gateway.client()
    client.meta.events.register(
        "before-sign", lambda request, **_: request.headers.add_header("traceparent", f"00-{TRACE}-{PARENT}-01"))
    return client


def test_traces_join_the_callers_and_speak_genai(start, recorder, collector):
    url, received = collector
    gateway = start(recorder_config(recorder, extra=f'[traces]\nendpoint = "{url}"\n'))
    one = call_id(traced_client(gateway).converse(modelId=NOVA, messages=HELLO))
    assert gateway.record(one)["call"]["trace"] == TRACE
    gateway.stop()
    spans = b"".join(body for path, body in received if path.endswith("/v1/traces"))
    assert bytes.fromhex(TRACE) in spans and bytes.fromhex(PARENT) in spans
    for word in (b"gen_ai.request.model", b"gen_ai.operation.name", b"gen_ai.usage.input_tokens",
                 b"gen_ai.usage.output_tokens", NOVA.encode(), b"aws.bedrock", one.encode()):
        assert word in spans, word
    assert b"hello" not in spans and b"recorded" not in spans.replace(b"recorder", b"")


def test_traceparent_goes_on_to_the_upstream(recorded):
    gateway, recorder = recorded
    traced_client(gateway).converse(modelId=NOVA, messages=HELLO)
    version, trace, span, _ = recorder.only().header("traceparent").split("-")
    assert (version, trace) == ("00", TRACE) and span != PARENT


def test_retries_of_one_call_by_the_sdk_are_separate_calls(recorded):
    gateway, recorder = recorded
    recorder.will(json_answer(b'{"message":"again"}', 503, [("x-amzn-errortype", "ServiceUnavailableException")]))
    client = gateway.client(retries={"total_max_attempts": 2, "mode": "standard"})
    seen = []
    client.meta.events.register("response-received", lambda response_dict, **_: seen.append(
        response_dict["headers"]["x-bedplate-call-id"]) and None)
    client.converse(modelId=NOVA, messages=HELLO)
    assert len(set(seen)) == 2
    assert [gateway.record(one)["call"]["ending"] for one in seen] == ["failed", "answered"]
