"""Bad input gets the genuine AWS error, a call id and exactly one record; and nothing falls over."""

import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from gateway import HAIKU, NOVA
from signing import signed

CONVERSE = f"/model/{NOVA.replace(':', '%3A')}/converse"
INVOKE = f"/model/{HAIKU.replace(':', '%3A')}/invoke"
CHECKS = "/guardrail-checks/invoke"
GUARD = "/guardrail/gr0abc1def2g/version/1/apply"
COUNT = "/model/amazon.nova-lite-v1%3A0/count-tokens"
OK = '"messages":[{"role":"user","content":[{"text":"x"}]}]'


def send(gateway, method, target, body, headers=None):
    headers = {"Content-Type": "application/json", **(headers or {})}
    return gateway.raw(method, target, body, signed(gateway.data, method, target, body, gateway.ready, headers))



#: The name each code has among AWS's errors.
MALFORMED = {"BP1203": "SerializationException", "BP1205": "ValidationException"}


def refused(gateway, reply, status, errors):
    """A genuine AWS error: `errors` is {code: name of the error}. One record, and it agrees."""
    got, headers, body = reply
    assert got == status and headers.get("x-bedplate-code") in errors, (got, headers, body[:300])
    error = errors[headers["x-bedplate-code"]]
    said = json.loads(body)
    assert headers["x-amzn-errortype"] == said["__type"] == error and said["message"]
    assert headers["x-amzn-requestid"] == headers["x-bedplate-call-id"]
    call = gateway.record(headers["x-bedplate-call-id"])["call"]
    assert (call["ending"], call["status"], call["code"]) == ("refused", status, headers["x-bedplate-code"])
    assert call["error"] == error


def short(value):
    return value[:30].decode("latin-1") if isinstance(value, bytes) else value.rsplit("/", 1)[-1]


@pytest.mark.parametrize("target, body", [
    (CONVERSE, b""), (CONVERSE, b"{"), (CONVERSE, b"[]"), (CONVERSE, b'"text"'), (CONVERSE, b"null"),
    (CONVERSE, b'{"messages":[}'), (CONVERSE, b'{"messages":[]} {}'), (CONVERSE, b"\xff\xfe{}"),
    (CONVERSE, b'{"messages":[],"x":"\x01"}'), (CONVERSE, b"[" * 200_000 + b"]" * 200_000),
    (CONVERSE, b'{"messages":' + b"[" * 100_000), (INVOKE, b"not json"), (INVOKE, b""), (GUARD, b"{"), (GUARD, b""),
], ids=short)
def test_a_body_that_is_no_json_object(recorded, target, body):
    gateway, recorder = recorded
    refused(gateway, send(gateway, "POST", target, body), 400, MALFORMED)
    assert recorder.seen == []


@pytest.mark.parametrize("target, body", [
    (CONVERSE, b'{"messages":"hello"}'), (CONVERSE, b'{"messages":{"role":"user"}}'), (CONVERSE, b'{"messages":[7]}'),
    (CONVERSE, b"{" + OK.encode() + b',"inferenceConfig":{"maxTokens":"many"}}'),
    (CONVERSE, b"{" + OK.encode() + b',"inferenceConfig":{"maxTokens":0}}'),
    (CONVERSE, b"{" + OK.encode() + b',"inferenceConfig":[]}'),
    (CONVERSE, b"{" + OK.encode() + b',"requestMetadata":["a"]}'),
    (CONVERSE, b"{" + OK.encode() + b',"requestMetadata":{"a":1}}'),
    (CONVERSE, b'{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"%%"}}}]}]}'),
    (INVOKE, b'{"anthropic_version":"bedrock-2023-05-31","messages":7,"max_tokens":9}'),
    (CHECKS, b'{"messages":7}'), (GUARD, b'{"source":"SIDEWAYS","content":[]}'),
    (COUNT, b'{"input":7}'), (COUNT, b'{"input":{"invokeModel":{"body":"%%%not base64%%%"}}}'),
], ids=short)
def test_members_of_the_wrong_type(simulated, target, body):
    """Refused here or upstream, whoever reads them: the caller gets AWS's error either way."""
    status, headers, got = send(simulated, "POST", target, body)
    assert status in (400, 404), got
    assert headers["x-amzn-errortype"].split(":")[0] in (
        "ValidationException", "SerializationException", "ResourceNotFoundException")
    assert json.loads(got)["message"]
    assert simulated.record(headers["x-bedplate-call-id"])["call"]["ending"] in ("refused", "failed")


@pytest.mark.parametrize("body", [
    '{"messages":[],' + OK + "}",
    "{" + OK + ',"inferenceConfig":{"maxTokens":5},"inferenceConfig":{"maxTokens":50000}}',
    "{" + OK + ',"inferenceConfig":{"maxTokens":5,"maxTokens":50000}}',
    "{" + OK + ',"inferenceConfig":{"maxTokens":5,"max\\u0054okens":50000}}',
    "{" + OK + ',"requestMetadata":{"a":"1"},"request\\u004detadata":{"bedplate:team":"x"}}',
], ids=range(5))
def test_members_that_two_readers_would_read_differently(recorded, body):
    gateway, recorder = recorded
    refused(gateway, send(gateway, "POST", CONVERSE, body.encode()), 400, MALFORMED)
    assert recorder.seen == []


def test_an_escaped_reserved_prefix_is_still_reserved(stamped):
    gateway, recorder = stamped
    body = ("{" + OK + ',"requestMetadata":{"bed\\u0070late:team":"someone-else"}}').encode()
    refused(gateway, send(gateway, "POST", CONVERSE, body), 400, {"BP2002": "ValidationException"})
    assert recorder.seen == []


@pytest.mark.parametrize("body", [
    '{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"max_tokens":50000,"messages":[]}',
    '{"anthropic_version":"bedrock-2023-05-31","max\\u005ftokens":5,"max_tokens":50000,"messages":[]}',
], ids=range(2))
def test_native_members_that_two_readers_would_read_differently(recorded, body):
    gateway, recorder = recorded
    refused(gateway, send(gateway, "POST", INVOKE, body.encode()), 400, MALFORMED)
    assert recorder.seen == []


@pytest.mark.parametrize("method, target", [
    ("POST", "/"), ("GET", "/"), ("POST", "/model"), ("POST", "/model/"), ("POST", f"{CONVERSE}/"),
    ("POST", f"{CONVERSE}/more"), ("GET", CONVERSE), ("DELETE", CONVERSE), ("POST", "/foundation-models"),
    ("POST", "/model/a/b/converse"), ("POST", "/no/such/path"), ("GET", "/metrics"), ("GET", "/livez"),
    ("PUT", "/logging/modelinvocations"), ("POST", "/guardrails"), ("POST", "//model/x/converse"),
    ("POST", "/model/../model/x/converse"), ("POST", "/MODEL/x/converse"),
])
def test_an_unknown_path(recorded, method, target):
    gateway, recorder = recorded
    reply = send(gateway, method, target, b"{}" if method != "GET" else b"")
    refused(gateway, reply, 404, {"BP1201": "UnknownOperationException"})
    assert recorder.seen == []


@pytest.mark.parametrize("method, target", [
    ("POST", "/async-invoke"), ("GET", "/async-invoke"), ("GET", "/async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1"),
])
def test_operations_that_configuration_must_name(recorded, method, target):
    gateway, recorder = recorded
    reply = send(gateway, method, target, b"{}" if method == "POST" else b"")
    refused(gateway, reply, 403, {"BP1103": "AccessDeniedException"})
    assert recorder.seen == []


def test_bidirectional_streams_are_refused_whatever_is_allowed(recorded):
    gateway, recorder = recorded
    target = "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream"
    status, headers, _ = send(gateway, "POST", target, b"")
    assert (status, headers["x-bedplate-code"]) in ((403, "BP1103"), (404, "BP1201"))
    assert recorder.seen == []


def test_an_operation_allowed_by_name_passes_unmetered(start, recorder):
    from gateway import recorder_config
    from recorder import json_answer

    gateway = start(recorder_config(recorder, extra='[operations]\nallow = ["StartAsyncInvoke"]\n'))
    recorder.will(json_answer(b'{"invocationArn":"arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghij12"}'))
    reply = gateway.client().start_async_invoke(
        modelId="amazon.nova-reel-v1:0", modelInput={"taskType": "TEXT_VIDEO"},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://bucket/out"}})
    assert reply["invocationArn"].endswith("abcdefghij12")
    call = gateway.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["call"]
    assert (call["operation"], call["basis"]) == ("StartAsyncInvoke", "unmetered")
    # What is not named stays refused.
    status, headers, _ = send(gateway, "GET", "/async-invoke", b"")
    assert (status, headers["x-bedplate-code"]) == (403, "BP1103")


def test_an_alias_that_nobody_defined_gets_bedrocks_own_answer(recorded):
    gateway, recorder = recorded
    body = ("{" + OK + "}").encode()
    refused(gateway, send(gateway, "POST", "/model/triage/converse", body), 400, {"BP2001": "ValidationException"})
    assert recorder.seen == []


def test_a_model_that_does_not_exist(simulated):
    client = simulated.client()
    with pytest.raises(client.exceptions.ClientError) as failed:
        client.converse(modelId="amazon.no-such-model-v1:0", messages=[{"role": "user", "content": [{"text": "x"}]}])
    assert failed.value.response["Error"]["Code"] in ("ValidationException", "ResourceNotFoundException")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_beyond_the_limit(recorded, chunked):
    gateway, recorder = recorded
    body = b'{"pad":"' + b"x" * 26_000_000 + b'"}'
    headers = signed(gateway.data, "POST", CONVERSE, body, gateway.ready, {"Content-Type": "application/json"})
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[i:i + 1_000_000] for i in range(0, len(body), 1_000_000))) + b"0\r\n\r\n"
    status, answer, _ = gateway.raw("POST", CONVERSE, body, headers)
    assert (status, answer["x-bedplate-code"]) == (413, "BP1202")
    assert recorder.seen == []


def test_a_body_of_just_the_limit(recorded):
    gateway, _ = recorded
    start, end = ("{" + OK + ',"pad":"').encode(), b'"}'
    body = start + b"x" * (25_000_000 - len(start) - len(end)) + end
    assert send(gateway, "POST", CONVERSE, body)[0] == 200


def converse_bytes(gateway, *extra, body=None, length=None):
    """A signed Converse request as bytes, for sockets that misbehave."""
    body = body or ("{" + OK + "}").encode()
    headers = signed(gateway.data, "POST", CONVERSE, body, gateway.ready, {"Content-Type": "application/json"})
    lines = [f"POST {CONVERSE} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items()),
             f"Content-Length: {len(body) if length is None else length}", *extra]
    return "\r\n".join(lines).encode() + b"\r\n\r\n", body


def talk(gateway, data, seconds=10):
    to = urlsplit(gateway.data)
    with socket.create_connection((to.hostname, to.port), timeout=seconds) as s:
        s.sendall(data)
        s.settimeout(seconds)
        got = b""
        try:
            while part := s.recv(65536):
                got += part
                if b"\r\n\r\n" in got and not got.startswith(b"HTTP/1.1 100"):
                    break
        except (ConnectionResetError, TimeoutError):
            pass
        return got


def test_a_body_that_stops_arriving(start, recorder):
    from gateway import recorder_config

    gateway = start(recorder_config(recorder, extra='[limits]\nbody_timeout = "1s"\n'))
    head, body = converse_bytes(gateway)
    began = time.monotonic()
    got = talk(gateway, head + body[:10])
    assert time.monotonic() - began < 5
    assert b" 408 " in got.split(b"\r\n")[0] and b"BP1204" in got, got
    assert recorder.seen == []


def test_a_caller_who_leaves_before_the_body_is_whole(recorded):
    gateway, recorder = recorded
    head, body = converse_bytes(gateway)
    to = urlsplit(gateway.data)
    for _ in range(20):
        with socket.create_connection((to.hostname, to.port)) as s:
            s.sendall(head + body[:10])
    time.sleep(0.3)
    assert recorder.seen == []
    assert send(gateway, "POST", CONVERSE, body)[0] == 200


def test_expect_continue_is_obeyed(recorded):
    gateway, _ = recorded
    head, body = converse_bytes(gateway, "Expect: 100-continue")
    to = urlsplit(gateway.data)
    with socket.create_connection((to.hostname, to.port), timeout=5) as s:
        s.sendall(head)
        assert s.recv(4096).startswith(b"HTTP/1.1 100")
        s.sendall(body)
        assert s.recv(4096).startswith(b"HTTP/1.1 200")


def test_an_unknown_key_is_refused_before_its_body_is_read(recorded):
    gateway, _ = recorded
    key = {"access_key_id": "AKIAZZZZZZZZZZZZZZZZ", "secret_access_key": "x" * 40}
    body = b"{}"
    headers = signed(gateway.data, "POST", CONVERSE, body, key, {"Content-Type": "application/json"})
    head = "\r\n".join([f"POST {CONVERSE} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items()),
                        "Content-Length: 20000000"]).encode() + b"\r\n\r\n"
    got = talk(gateway, head, seconds=3)  # the body never comes
    assert b" 403 " in got.split(b"\r\n")[0], got


@pytest.mark.parametrize("data", [
    b"\x00\x01\x02\x03\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"x-%d: y\r\n" % i for i in range(5000)) + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\xff\xff\xff\xff\xff\xff",
], ids=range(9))
def test_bytes_that_are_no_request(recorded, data):
    gateway, recorder = recorded
    got = talk(gateway, data, seconds=3)
    assert not got.startswith(b"HTTP/1.1 2"), got[:200]
    assert send(gateway, "POST", CONVERSE, ("{" + OK + "}").encode())[0] == 200
    assert "panicked" not in gateway.log()


def test_two_requests_hidden_in_one_are_not_two_calls(recorded):
    """Content-Length and Transfer-Encoding together are how requests are smuggled."""
    gateway, recorder = recorded
    head, body = converse_bytes(gateway, "Transfer-Encoding: chunked")
    talk(gateway, head + body, seconds=2)
    assert len(recorder.seen) <= 1
    for seen in recorder.seen:
        assert seen.body == body


def test_each_request_is_one_record(start, recorder):
    from gateway import recorder_config

    gateway = start(recorder_config(recorder))
    body = ("{" + OK + "}").encode()
    ids = []
    for _ in range(5):
        ids.append(send(gateway, "POST", CONVERSE, body)[1]["x-bedplate-call-id"])
        ids.append(send(gateway, "POST", CONVERSE, b"{")[1]["x-bedplate-call-id"])
        ids.append(send(gateway, "GET", "/nothing", b"")[1]["x-bedplate-call-id"])
    for call_id in ids:
        gateway.record(call_id)
    assert len(set(ids)) == 15
    listed = gateway.cli("calls", "tail", "--format", "json", "--no-follow", "-n", "100").stdout
    for call_id in ids:
        assert listed.count(call_id) == 1, call_id
    series = gateway.metrics()
    totals = [v for (name, _), v in series.items() if name == "bedplate_calls_total"]
    assert sum(totals) == 15, {k: v for k, v in series.items() if "calls" in k[0]}


def test_nothing_panicked(recorded):
    gateway, _ = recorded
    assert "panicked" not in gateway.log()
