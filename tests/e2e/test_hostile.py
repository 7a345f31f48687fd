"""Callers, and upstreams, that do what nobody should."""

import concurrent.futures
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from gateway import NOVA, recorder_config
from recorder import Answer, json_answer
from signing import signed

BODY = b'{"messages":[{"role":"user","content":[{"text":"x"}]}]}'
CONVERSE = f"/model/{NOVA.replace(':', '%3A')}/converse"


def call(gateway, method="POST", target=CONVERSE, body=BODY, key=None, **more):
    headers = {"Content-Type": "application/json", **more}
    return gateway.raw(method, target, body, signed(gateway.data, method, target, body, key or gateway.ready, headers))


@pytest.mark.parametrize("target", [
    "/inference-profiles", "/foundation-models", "/foundation-models/amazon.nova-lite-v1%3A0", "/inference-profiles/us.x"])
def test_a_read_with_a_body_never_becomes_a_write(recorded, target):
    gateway, recorder = recorded
    body = b'{"inferenceProfileName":"mine","modelSource":{"copyFrom":"arn:aws:bedrock:us-east-1::foundation-model/x"}}'
    status, headers, _ = call(gateway, "GET", target, body)
    assert (status, headers["x-bedplate-code"]) == (400, "BP1203")
    assert recorder.seen == []
    assert call(gateway, "GET", target, b"")[0] == 200
    assert (recorder.only().method, recorder.only().body) == ("GET", b"")


def test_a_key_for_certain_models_cannot_start_any(start, recorder):
    gateway = start('[operations]\nallow = ["StartAsyncInvoke"]\n' + recorder_config(recorder))
    narrow = gateway.new_key("--model", "amazon.nova-lite*")
    time.sleep(1)
    body = b'{"modelId":"amazon.nova-reel-v1:0","modelInput":{},"outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://b"}}}'
    status, headers, _ = call(gateway, target="/async-invoke", body=body, key=narrow)
    assert (status, headers["x-bedplate-code"]) == (403, "BP1101")
    assert call(gateway, target="/async-invoke", body=body)[0] == 200
    assert len(recorder.seen) == 1


def test_a_call_that_waits_for_a_connection_gets_the_next_one(start, recorder):
    """Two connections, three calls at once: the third is served as soon as one of the first ends."""
    def slowly(_seen):
        time.sleep(0.5)
        return json_answer(recorder.CONVERSE)
    recorder.answer = slowly
    gateway = start(recorder_config(recorder, provider="connections = 2"))
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        statuses = [f.result()[0] for f in [pool.submit(call, gateway) for _ in range(6)]]
    assert statuses == [200] * 6


def test_a_client_that_says_nothing_is_let_go(start, recorder):
    gateway = start('[limits]\nhead_timeout = "1s"\n' + recorder_config(recorder))
    to = urlsplit(gateway.data)
    for words in (b"", b"PRI * HT", b"POST / HT"):
        with socket.create_connection((to.hostname, to.port), timeout=10) as silent:
            silent.sendall(words)
            began = time.monotonic()
            try:
                while silent.recv(4096):
                    pass
            except ConnectionResetError:
                pass  # let go with words unread
            assert time.monotonic() - began < 8, words


def test_two_authorizations_are_none(recorded):
    gateway, recorder = recorded
    to = urlsplit(gateway.data)
    with socket.create_connection((to.hostname, to.port), timeout=10) as client:
        bearer = f"Authorization: Bearer {gateway.ready['bearer_token']}\r\n"
        client.sendall(f"POST {CONVERSE} HTTP/1.1\r\nHost: {to.netloc}\r\n{bearer}{bearer}Connection: close\r\n"
                       f"Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        reply = b"".join(iter(lambda: client.recv(65536), b""))
    assert b" 400 " in reply.split(b"\r\n", 1)[0] and b"BP1007" in reply
    assert recorder.seen == []


def test_an_api_key_beside_a_signature_does_not_count(recorded):
    gateway, recorder = recorded
    assert call(gateway, **{"x-api-key": "of another service"})[0] == 200
    assert recorder.only().header("x-api-key") is None


def test_a_whole_answer_without_usage_has_no_known_price(recorded):
    gateway, recorder = recorded
    recorder.will(Answer(200, [("Content-Type", "application/json")], [b'{"output":{"message":{"role":"assistant","content":[]}}}']))
    status, headers, _ = call(gateway)
    assert status == 200
    row = gateway.record(headers["x-bedplate-call-id"])["call"]
    assert row["basis"] == "estimated" and row["cost"]["state"] == "unknown", json.dumps(row)
