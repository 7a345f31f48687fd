"""What the SDK sent is what the upstream receives, and what the upstream sent is what the SDK reads."""

import hashlib
import json
import random
import string
import time
from pathlib import Path

import pytest

from gateway import HAIKU, NOVA, UPSTREAM_KEY, UPSTREAM_SECRET
from recorder import Answer, json_answer
from signing import signed

SAMPLES = Path(__file__).parent / "samples"
#: Operations refused unless configuration allows them by name.
BY_PERMISSION = {"StartAsyncInvoke", "GetAsyncInvoke", "ListAsyncInvokes"}
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


def samples(folder, *services):
    found = [(p.stem, json.loads(p.read_text())) for p in sorted((SAMPLES / folder).glob("*.json"))]
    return [pytest.param(s, id=name) for name, s in found if s["service"] in services]


def unwrapped(value):
    """{"$bytes": base64} stands for a blob."""
    import base64

    if isinstance(value, dict):
        return base64.b64decode(value["$bytes"]) if set(value) == {"$bytes"} else {
            k: unwrapped(v) for k, v in value.items()}
    return [unwrapped(v) for v in value] if isinstance(value, list) else value


def method_of(client, operation):
    from botocore import xform_name

    return getattr(client, xform_name(operation))


def sent_by(client):
    """Records what botocore put on the wire: a list of prepared requests."""
    requests = []
    client.meta.events.register("before-send", lambda request, **_: requests.append(request) and None)
    return requests


@pytest.mark.parametrize("sample", samples("requests", "bedrock-runtime", "bedrock"))
def test_every_sample_request_arrives_as_it_was_sent(recorded, sample):
    gateway, recorder = recorded
    operation = sample["operation"]
    client = gateway.client(sample["service"], parameter_validation=False)
    sent = sent_by(client)
    carried = sample["service"] == "bedrock-runtime" and operation not in BY_PERMISSION or operation in (
        "ListFoundationModels", "GetFoundationModel", "ListInferenceProfiles", "GetInferenceProfile")
    recorder.will(_any_answer(sample))
    try:
        reply = method_of(client, operation)(**unwrapped(sample["params"]))
        list(reply.get("stream") or ())
    except client.exceptions.ClientError as e:
        assert not carried, e
        assert e.response["Error"]["Code"] in ("UnknownOperationException", "AccessDeniedException")
        assert recorder.seen == []
        return
    assert carried
    seen = recorder.only()
    assert seen.method == sample["wire"]["method"]
    assert seen.target.split("?")[0] == sample["wire"]["path"]
    assert seen.target.partition("?")[2] == sent[0].url.partition("?")[2]
    assert seen.sha256 == hashlib.sha256(sent[0].body or b"").hexdigest()
    for name, value in sample["wire"]["headers"].items():
        assert seen.header(name) == value, name
    seen.signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)


def _any_answer(sample):
    from frames import event
    from recorder import stream_answer

    if sample["operation"].endswith("Stream"):
        return stream_answer(
            event("messageStart", {"role": "assistant"}), event("messageStop", {"stopReason": "end_turn"}),
            event("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {}}))
    return json_answer(b"{}") if sample["operation"] != "Converse" else json_answer(
        b'{"output":{"message":{"role":"assistant","content":[{"text":"x"}]}},"stopReason":"end_turn",'
        b'"usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2},"metrics":{"latencyMs":1}}')


@pytest.mark.parametrize("sample", samples("responses", "bedrock-runtime", "bedrock"))
def test_every_sample_response_comes_back_byte_for_byte(recorded, sample):
    gateway, recorder = recorded
    body = json.dumps(sample["body"], indent=3, ensure_ascii=False).encode()  # spacing must survive too
    recorder.will(json_answer(body, sample["status"], [
        (n, v) for n, v in sample["headers"].items() if n.lower() != "content-type"]))
    status, headers, got = _call(gateway, sample["operation"])
    assert (status, got) == (sample["status"], body)
    for name, value in sample["headers"].items():
        assert headers[name.lower()] == value


@pytest.mark.parametrize("sample", samples("errors", "bedrock-runtime"))
def test_every_sample_error_comes_back_as_it_is(recorded, sample):
    gateway, recorder = recorded
    body = json.dumps(sample["body"]).encode()
    recorder.will(json_answer(body, sample["status"], [
        (n, v) for n, v in sample["headers"].items() if n.lower() != "content-type"]))
    status, headers, got = _call(gateway, sample["operation"])
    assert (status, got) == (sample["status"], body)
    assert headers["x-amzn-errortype"] == sample["headers"]["x-amzn-errortype"]
    if "x-amz-retry-after" in sample["headers"]:
        assert headers["x-amz-retry-after"] == sample["headers"]["x-amz-retry-after"]
    record = gateway.record(headers["x-bedplate-call-id"])
    assert record["call"]["ending"] == "failed"
    assert record["call"]["error"] == sample["expect"]["code"]
    assert record["attempts"][0]["status"] == sample["status"]


#: A body each operation takes.
BODIES = {
    "Converse": ("POST", f"/model/{NOVA.replace(':', '%3A')}/converse", {"messages": HELLO}),
    "ConverseStream": ("POST", f"/model/{NOVA.replace(':', '%3A')}/converse-stream", {"messages": HELLO}),
    "InvokeModel": ("POST", f"/model/{HAIKU.replace(':', '%3A')}/invoke", {
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}),
    "CountTokens": ("POST", "/model/amazon.nova-lite-v1%3A0/count-tokens", {
        "input": {"converse": {"messages": HELLO}}}),
    "ApplyGuardrail": ("POST", "/guardrail/gr0abc1def2g/version/1/apply", {
        "source": "INPUT", "content": [{"text": {"text": "x"}}]}),
    "InvokeGuardrailChecks": ("POST", "/guardrail-checks/invoke", {
        "messages": [{"role": "user", "content": [{"text": "x"}]}],
        "checks": {"promptAttack": {"categories": [{"category": "JAILBREAK"}]}}}),
    "ListFoundationModels": ("GET", "/foundation-models", None),
    "GetInferenceProfile": ("GET", f"/inference-profiles/{NOVA.replace(':', '%3A')}", None),
}


def _call(gateway, operation, body=None, headers=None):
    method, target, default = BODIES[operation]
    body = body if body is not None else b"" if default is None else json.dumps(default).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    return gateway.raw(method, target, body,
                       signed(gateway.data, method, target, body, gateway.ready, headers))


@pytest.mark.parametrize("seed", range(25))
def test_random_unknown_members_survive_both_ways(recorded, seed):
    gateway, recorder = recorded
    chance = random.Random(seed)
    request = {"messages": HELLO, **_junk(chance, 3)}
    answer = json.loads(recorder.CONVERSE) | _junk(chance, 3)
    sent = _spelled(chance, request)
    said = _spelled(chance, answer)
    recorder.will(json_answer(said))
    status, _, got = _call(gateway, "Converse", sent)
    assert (status, got) == (200, said)
    assert recorder.only().body == sent


def _junk(chance, depth):
    def value(depth):
        kind = chance.randrange(7 if depth else 5)
        if kind == 0:
            return chance.choice([None, True, False])
        if kind == 1:
            return chance.choice([0, -1, 2**63, 1.5e300, 0.1])
        if kind in (2, 3, 4):
            return "".join(chance.choice(string.printable + "é—𝄞\u2028") for _ in range(chance.randrange(20)))
        if kind == 5:
            return [value(depth - 1) for _ in range(chance.randrange(4))]
        return {f"m{i}": value(depth - 1) for i in range(chance.randrange(4))}

    return {f"unknown{chance.randrange(1000)}": value(depth) for _ in range(chance.randrange(1, 5))}


def _spelled(chance, value):
    return json.dumps(value, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 0, 2, 5]),
                      separators=chance.choice([(",", ":"), (" ,  ", " : ")])).encode()


def test_numbers_keep_their_spelling(recorded):
    gateway, recorder = recorded
    body = b'{"messages":[{"role":"user","content":[{"text":"x"}]}],"unknown":[1.0,1e2,0.10,12345678901234567890]}'
    assert _call(gateway, "Converse", body)[0] == 200
    assert recorder.only().body == body


def test_a_large_body_arrives_whole(recorded):
    gateway, recorder = recorded
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "x" * 20_000_000}]}]}).encode()
    assert _call(gateway, "Converse", body)[0] == 200
    assert recorder.only().sha256 == hashlib.sha256(body).hexdigest()


def test_a_large_answer_comes_back_whole(recorded):
    gateway, recorder = recorded
    body = recorder.CONVERSE[:-1] + b',"pad":"' + b"y" * 12_000_000 + b'"}'
    recorder.will(json_answer(body))
    assert _call(gateway, "Converse")[2] == body


def test_an_answer_in_chunks_comes_back_whole(recorded):
    gateway, recorder = recorded
    pieces = [recorder.CONVERSE[i:i + 7] for i in range(0, len(recorder.CONVERSE), 7)]
    recorder.will(Answer(200, [("Content-Type", "application/json")], pieces, "chunked"))
    assert _call(gateway, "Converse")[2] == recorder.CONVERSE


def test_bedrock_headers_pass_both_ways(recorded):
    gateway, recorder = recorded
    up = {"X-Amzn-Bedrock-Trace": "ENABLED", "X-Amzn-Bedrock-GuardrailIdentifier": "gr0abc1def2g",
          "X-Amzn-Bedrock-GuardrailVersion": "3", "X-Amzn-Bedrock-PerformanceConfig-Latency": "standard",
          "X-Amzn-Bedrock-Service-Tier": "priority", "X-Amzn-Bedrock-Not-Yet-Known": "kept"}
    down = {"X-Amzn-Bedrock-Input-Token-Count": "4", "X-Amzn-Bedrock-Output-Token-Count": "2",
            "X-Amzn-Bedrock-Invocation-Latency": "12", "X-Amzn-Bedrock-Service-Tier": "priority",
            "X-Amzn-Bedrock-Also-Unknown": "kept", "x-amzn-requestid": "11111111-2222-4333-8444-555555555555"}
    recorder.will(json_answer(b'{"content":[]}', headers=down.items()))
    status, headers, _ = _call(gateway, "InvokeModel", headers=up)
    assert status == 200
    for name, value in up.items():
        assert recorder.only().header(name) == value, name
    for name, value in down.items():
        assert headers[name.lower()] == value, name


def test_what_is_for_the_gateway_stays_at_the_gateway(recorded):
    gateway, recorder = recorded
    _call(gateway, "Converse", headers={"x-bedplate-chain": "run-7", "x-bedplate-conversation": "c-7", "x-bedplate-user": "ada",
                                        "X-Forwarded-For": "203.0.113.9", "Cookie": "a=b"})
    names = {n.lower() for n, _ in recorder.only().headers}
    assert not {n for n in names if n.startswith("x-bedplate")} | names & {"cookie", "x-forwarded-for", "x-api-key"}
    secret = gateway.ready["secret_access_key"]
    assert gateway.ready["access_key_id"] not in str(recorder.only().headers)
    assert secret not in str(recorder.only().headers)


ARNS = [
    "amazon.nova-lite-v1:0",
    "us.amazon.nova-lite-v1:0",
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghij12",
    "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghij12",
    "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0:300k/abcdefghij12",
    "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghij12",
    "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghij12",
    "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:3",
    "arn:aws:bedrock:us-east-1:123456789012:prompt-router/abcdefghij12",
    "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1",
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint/my-model",
]


@pytest.mark.parametrize("model", ARNS)
def test_arns_of_every_kind_keep_their_path(recorded, model):
    gateway, recorder = recorded
    client = gateway.client()
    sent = sent_by(client)
    reply = client.converse(modelId=model, messages=HELLO)
    assert reply["output"]["message"]["content"][0]["text"] == "recorded"
    assert recorder.only().target == sent[0].url.removeprefix(gateway.data.rstrip("/"))
    recorder.only().signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)
    record = gateway.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])
    assert record["call"]["model"] == model


def test_an_unknown_price_is_unknown_and_not_nothing(recorded):
    gateway, _ = recorded
    reply = gateway.client().converse(modelId="amazon.nova-from-the-future-v9:0", messages=HELLO)
    record = gateway.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])
    cost = json.dumps(record["call"]["cost"]).lower()
    assert "unknown" in cost or record["call"]["cost"] is None, cost
    assert record["call"]["usage"]["input"] == 11


def test_connections_to_the_upstream_are_kept(recorded):
    gateway, recorder = recorded
    client = gateway.client()
    before = recorder.connections
    for _ in range(8):
        client.converse(modelId=NOVA, messages=HELLO)
    assert recorder.connections - before <= 1


def test_a_kept_connection_that_the_upstream_closed_is_not_an_error(recorded):
    gateway, recorder = recorded
    client = gateway.client()
    recorder.answer = lambda _seen: Answer(
        200, [("Content-Type", "application/json")], [recorder.CONVERSE], end="close")
    for _ in range(5):
        client.converse(modelId=NOVA, messages=HELLO)
        time.sleep(0.05)
    assert len(recorder.seen) == 5


def test_a_declared_edit_is_the_only_difference(stamped):
    gateway, recorder = stamped
    client = gateway.client()
    sent = sent_by(client)
    reply = client.converse(modelId=NOVA, messages=HELLO, requestMetadata={"cost-centre": "cc-1"},
                            additionalModelRequestFields={"z": 1, "a": 2})
    seen, before = recorder.only(), json.loads(sent[0].body)
    after = json.loads(seen.body)
    stamp = after.pop("requestMetadata")
    assert before.pop("requestMetadata") == {"cost-centre": "cc-1"}
    assert after == before and list(after) == list(before)
    call_id = reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"]
    call = gateway.record(call_id)["call"]
    assert stamp == {"cost-centre": "cc-1", "bedplate:team": call["team"], "bedplate:feature": call["feature"],
                     "bedplate:env": call["environment"], "bedplate:call": call_id, "bedplate:alias": NOVA}
    assert any("requestMetadata" in edit for edit in call["edits"]), call["edits"]
    seen.signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)


def test_a_stamp_without_metadata_of_the_callers_own_leaves_every_other_byte(stamped):
    gateway, recorder = stamped
    body = b'{ "messages" : [ {"role":"user", "content":[{"text":"h\\u0065llo"}]} ] , "n" : 1.00 }'
    assert _call(gateway, "Converse", body)[0] == 200
    got = recorder.only().body
    # The stamp is one insertion: what stands before and after it is what was sent.
    head = next(i for i in range(len(body) + 1) if i == len(body) or body[i] != got[i])
    tail = len(body) - head
    assert got[:head] == body[:head] and got[len(got) - tail:] == body[head:]
    assert set(json.loads(got)["requestMetadata"]) == {
        "bedplate:team", "bedplate:feature", "bedplate:env", "bedplate:call", "bedplate:alias"}


def test_invoke_model_is_stamped_by_header_and_its_body_left_alone(stamped):
    gateway, recorder = stamped
    client = gateway.client()
    sent = sent_by(client)
    recorder.will(json_answer(b'{"content":[],"usage":{"input_tokens":1,"output_tokens":1}}'))
    client.invoke_model(modelId=HAIKU, requestMetadata='{"team":"mine"}', body=json.dumps({
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}))
    seen = recorder.only()
    assert seen.body == sent[0].body
    stamp = json.loads(seen.header("x-amzn-bedrock-request-metadata"))
    assert stamp["team"] == "mine" and stamp["bedplate:team"]


def test_sixteen_pairs_of_the_callers_own_are_kept_and_ours_give_way(stamped):
    gateway, recorder = stamped
    pairs = {f"k{i}": str(i) for i in range(16)}
    reply = gateway.client().converse(modelId=NOVA, messages=HELLO, requestMetadata=pairs)
    assert json.loads(recorder.only().body)["requestMetadata"] == pairs
    edits = gateway.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["call"]["edits"]
    assert edits, "the record says what was left out"


def test_the_reserved_prefix_is_refused(stamped):
    gateway, recorder = stamped
    client = gateway.client()
    with pytest.raises(client.exceptions.ValidationException) as refused:
        client.converse(modelId=NOVA, messages=HELLO, requestMetadata={"bedplate:team": "someone-else"})
    assert refused.value.response["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-code"] == "BP2002"
    assert recorder.seen == []
