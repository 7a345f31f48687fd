"""Names that are looked up slowly, or never: a name server of the test's own on port 53 of loopback."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apart import Apart
from gateway import NOVA, recorder_config
from names import NameServer
from signing import signed

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
HOST = "bedrock-runtime.bedplate.test"
OTHERS = {"by-address": "210000000001", "by-name": "210000000002"}


def send(gateway, provider=None):
    model = f"arn:aws:bedrock:us-east-1:{OTHERS[provider]}:application-inference-profile/abcdefghij12" if provider else NOVA
    target = f"/model/{model.replace(':', '%3A').replace('/', '%2F')}/converse"
    headers = signed(gateway.data, "POST", target, BODY, gateway.ready, {"Content-Type": "application/json"})
    status, headers, _ = gateway.raw("POST", target, BODY, headers)
    return status, headers.get("x-bedplate-code"), headers["x-bedplate-call-id"]


@pytest.fixture
def names(tmp_path):
    server = NameServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def apart(names, recorder, tmp_path):
    """Starts a gateway whose first provider is named; the others are an address, and another name."""
    started = []

    def start(connect):
        port = recorder.url.rsplit(":", 1)[1]
        config = recorder_config(recorder, extra=f'[timeout]\nconnect = "{connect}"\n[listen]\nworkers = 1\n')
        config = config.replace(recorder.url, f"http://{HOST}:{port}")
        for (name, account), host in zip(OTHERS.items(), ("127.0.0.1", "other.bedplate.test"), strict=True):
            url = f"http://{host}:{port}"
            config += (f'[[provider]]\nname = "{name}"\nkind = "bedrock"\naccount = "{account}"\n'
                       f'endpoints = {{ runtime = "{url}", control = "{url}" }}\n')
        gateway = Apart(tmp_path / "project", config, names.mounts)
        started.append(gateway)
        return gateway.start()

    yield start
    for gateway in started:
        gateway.kill()


def threads(gateway):
    return [(task / "comm").read_text().strip() for task in Path(f"/proc/{gateway.pid}/task").iterdir()]


def test_a_slow_name_server_is_waited_for(apart, names):
    names.late[HOST] = 0.7
    gateway = apart("10s")
    status, _, call = send(gateway)
    assert status == 200
    assert gateway.record(call)["attempts"][0]["timings"]["connect"] >= 700_000
    assert HOST in names.asked


def test_a_kept_connection_needs_no_name_server(apart, names):
    gateway = apart("2s")
    assert send(gateway)[0] == 200
    names.silent.add(HOST)
    assert send(gateway)[0] == 200


def test_a_dead_name_server_meets_the_connect_deadline(apart, names):
    names.silent.add(HOST)
    gateway = apart("1s")
    began = time.monotonic()
    status, code, call = send(gateway)
    assert (status, code) == (503, "BP4001")
    assert time.monotonic() - began < 5, "the resolver itself gives up after ten seconds and more"
    record = gateway.record(call)
    assert record["call"]["code"] == "BP4001" and record["call"]["usage"]["input"] == 0
    timeouts = {labels: n for (name, labels), n in gateway.metrics().items() if name == "bedplate_timeouts_total"}
    assert sum(timeouts.values()) == sum(n for labels, n in timeouts.items() if ("phase", "connect") in labels) == 1
    # and it comes back by itself: the question under way is repeated by the resolver
    names.silent.clear()
    until = time.monotonic() + 30
    while (answer := send(gateway))[0] != 200:
        assert answer[1] in ("BP4001", "BP4005") and time.monotonic() < until, answer


def test_a_dead_name_server_holds_up_nobody_else(apart, names):
    names.silent.add(HOST)
    gateway = apart("6s")
    assert send(gateway, "by-address")[0] == 200  # all that a call starts is there
    before, waiting = len(threads(gateway)), 60
    begun = threading.Barrier(waiting + 1)

    def dead(_):
        begun.wait()
        return send(gateway)

    with ThreadPoolExecutor(waiting) as pool:
        calls = [pool.submit(dead, n) for n in range(waiting)]
        begun.wait()
        until = time.monotonic() + 5
        while gateway.metrics()[("bedplate_in_flight", frozenset())] < waiting:
            assert time.monotonic() < until
            time.sleep(0.01)
        for provider in [*OTHERS] * 10:
            assert send(gateway, provider)[0] == 200
        assert not any(call.done() for call in calls), "the others were answered while these still wait"
        # one thread waits for the resolver, however many calls do
        assert len(threads(gateway)) <= before + 2, threads(gateway)
        assert threads(gateway).count("resolve") == 1
        assert {call.result()[:2] for call in calls} == {(503, "BP4001")}


def test_a_dead_name_server_does_not_hold_up_the_end(apart, names):
    names.silent.add(HOST)
    gateway = apart("500ms")
    assert send(gateway)[1] == "BP4001"
    assert "resolve" in threads(gateway), "the question is still open"
    began = time.monotonic()
    gateway.stop()
    assert gateway.process.returncode == 0 and time.monotonic() - began < 4
