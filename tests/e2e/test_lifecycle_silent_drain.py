"""Clients who say nothing, or half of it, when bedplate is told to stop; and who is told twice."""

import signal
import socket
import ssl
import time
from urllib.parse import urlsplit

import pytest

from frames import event
from gateway import NOVA, recorder_config
from recorder import stream_answer
from signing import signed

TARGET = f"/model/{NOVA.replace(':', '%3A')}/converse"
BODY = b'{"messages":[{"role":"user","content":[{"text":"hello"}]}]}'
#: Whoever ends in a test did not wait for this.
NEVER = '[drain]\nshutdown = "10m"\n'
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"


def connect(gateway):
    to = urlsplit(gateway.data)
    return socket.create_connection((to.hostname, to.port), timeout=20)


def knock(gateway):
    """Until this is answered, whatever was sent before has been accepted by the only worker."""
    assert gateway.raw("GET", "/nothing")[0] == 404


HALVES = {
    "nothing": b"", "a letter": b"P", "half a line": b"POST / HT", "half a head": b"POST / HTTP/1.1\r\nHost: x\r\n",
    "half a preface": PREFACE[:10], "a preface": PREFACE, "settings": PREFACE + SETTINGS,
    "half of headers": PREFACE + SETTINGS + b"\0\x10\0\x01\0\0\0\0\x01" + b"half of them",
}


@pytest.mark.parametrize("words", HALVES.values(), ids=HALVES)
def test_a_silent_client_does_not_hold_up_a_drain(start, recorder, words):
    gateway = start(recorder_config(recorder, extra=NEVER + "[listen]\nworkers = 1\n"))
    with connect(gateway) as silent:
        silent.sendall(words)
        knock(gateway)
        gateway.signal(signal.SIGTERM)
        assert gateway.process.wait(20) == 0


@pytest.mark.parametrize("words", [b"", b"\x16\x03\x01\x02\0\x01", "hands shaken"], ids=["nothing", "half a hello", "hands shaken"])
def test_a_client_silent_in_tls_does_not_hold_up_a_drain(start, recorder, words):
    gateway = start(recorder_config(recorder, extra=NEVER + '[listen]\nworkers = 1\n[listen.tls]\nmode = "self-signed"\n'))
    with connect(gateway) as silent:
        if isinstance(words, bytes):
            silent.sendall(words)
        else:
            trusted = ssl.create_default_context(cafile=gateway.ready["ca_file"])
            silent = trusted.wrap_socket(silent, server_hostname="localhost")
        knock(gateway)
        gateway.signal(signal.SIGTERM)
        assert gateway.process.wait(20) == 0


def test_half_a_body_does_not_hold_up_a_drain(start, recorder):
    gateway = start(recorder_config(recorder, extra=NEVER + "[listen]\nworkers = 1\n"))
    headers = signed(gateway.data, "POST", TARGET, BODY, gateway.ready, {"Content-Type": "application/json"})
    lines = [f"POST {TARGET} HTTP/1.1", f"Content-Length: {len(BODY)}",
             *(f"{name}: {value}" for name, value in headers.items())]
    with connect(gateway) as silent:
        silent.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + BODY[:10])
        knock(gateway)
        gateway.signal(signal.SIGTERM)
        reply = b"".join(iter(lambda: silent.recv(65536), b""))
        assert b" 408 " in reply.split(b"\r\n")[0] and b"BP1204" in reply, reply
        assert gateway.process.wait(20) == 0
    assert recorder.seen == [], "nothing was sent for it"


@pytest.mark.parametrize("first, second", [
    (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
def test_a_second_signal_ends_at_once(start, recorder, first, second):
    gateway = start(recorder_config(recorder, extra=NEVER))
    recorder.will(stream_answer(event("messageStart", {"role": "assistant"}), 60.0))
    reply = gateway.client().converse_stream(modelId=NOVA, messages=[{"role": "user", "content": [{"text": "x"}]}])
    next(iter(reply["stream"]))
    gateway.signal(first)
    read_until(gateway, "a second signal stops at once")
    assert gateway.process.poll() is None, "a call is under way"
    gateway.signal(second)
    assert gateway.process.wait(5) == 1
    assert "stopped at once" in gateway.log()


def read_until(gateway, words):
    until = time.monotonic() + 10
    while words not in gateway.log():
        assert time.monotonic() < until, gateway.log()
        time.sleep(0.02)
