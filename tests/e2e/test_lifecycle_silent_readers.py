"""Callers who ask and then do not read: they keep no call, no place and no connection for ever."""

import contextlib
import json
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest

from frames import event
from gateway import NOVA, recorder_config
from recorder import json_answer, stream_answer
from signing import signed

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
MODEL = f"/model/{NOVA.replace(':', '%3A')}"
STREAM, WHOLE = f"{MODEL}/converse-stream", f"{MODEL}/invoke"
#: More than all buffers between the upstream and a caller hold.
MUCH = 16 << 20
#: No limit of the other kind ends these tests.
NEVER = "10m"


def long_stream(output=77):
    delta = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "w" * 65_000}})
    return stream_answer(
        event("messageStart", {"role": "assistant"}), *[delta] * (MUCH // len(delta)),
        event("messageStop", {"stopReason": "end_turn"}),
        event("metadata", {"usage": {"inputTokens": 5, "outputTokens": output, "totalTokens": 5 + output},
                           "metrics": {"latencyMs": 1}}))


def large_answer():
    return json_answer(b'{"results":[{"outputText":"' + b"w" * MUCH + b'"}]}')


@pytest.fixture
def gateway(start, recorder):
    """Starts a gateway with one place for a caller and one for the upstream: what is kept is missed."""
    def one(stall="500ms", total=NEVER, head="75s", connections=1, tls=""):
        limits = f'[limits]\nwrite_stall = "{stall}"\nhead_timeout = "{head}"\nconnections = {connections}\n'
        listen = f'[listen]\nworkers = 1\n{tls}\n[timeout]\ntotal = "{total}"\n'
        return start(recorder_config(recorder, extra=listen + limits, provider="connections = 1"))
    return one


def request(gateway, target):
    headers = signed(gateway.data, "POST", target, BODY, gateway.ready, {"Content-Type": "application/json"})
    return {"Host": urlsplit(gateway.data).netloc, **headers}


@contextlib.contextmanager
def connected(gateway):
    """A connection whose receive buffer is as small as the kernel lets it be."""
    to = urlsplit(gateway.data)
    with socket.socket() as tcp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        tcp.settimeout(20)
        tcp.connect((to.hostname, to.port))
        if to.scheme == "https":
            context = ssl.create_default_context(cafile=gateway.ready["ca_file"])
            tcp = context.wrap_socket(tcp, server_hostname="localhost")
        yield tcp
        tcp.close()


def ask(gateway, tcp, target, ahead=b""):
    """Sends a request, and `ahead`; reads the head of its answer, no byte more. Gives the call's id."""
    lines = [f"POST {target} HTTP/1.1", f"Content-Length: {len(BODY)}",
             *(f"{name}: {value}" for name, value in request(gateway, target).items())]
    tcp.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + BODY + ahead)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = tcp.recv(1)
        assert byte, head
        head += byte
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
    assert head.startswith(b"HTTP/1.1 200 "), head
    return fields["x-bedplate-call-id"]


def is_served(gateway, recorder, seconds=15):
    """Waits until another caller gets an answer: there is a place, and a connection to the upstream."""
    recorder.clear()
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if gateway.raw("POST", f"{MODEL}/converse", BODY, request(gateway, f"{MODEL}/converse"), 5)[0] == 200:
                return
        assert time.monotonic() < until, "nobody else is served"
        time.sleep(0.05)


def ends(tcp):
    """Waits until the other side has closed; what it sent before is read and forgotten."""
    try:
        while tcp.recv(65536):
            pass
    except (ConnectionResetError, ssl.SSLError):
        pass


# ---- HTTP/1.1 ----

@pytest.mark.parametrize("tls", ["", '[listen.tls]\nmode = "self-signed"'], ids=["plain", "tls"])
def test_a_stream_that_nobody_reads_is_settled_as_produced(gateway, recorder, tls):
    gateway = gateway(tls=tls)
    recorder.will(long_stream())
    with connected(gateway) as silent:
        call_id = ask(gateway, silent, STREAM)
        call = gateway.record(call_id, 20)["call"]
        assert (call["ending"], call["status"]) == ("abandoned", 499)
        assert (call["basis"], call["usage"]["output"]) == ("reported", 77), "it was read to its end for its cost"
        assert call["bytes_out"] < MUCH / 2, "only what was given away went out"
        is_served(gateway, recorder)
        ends(silent)


def test_a_stream_that_nobody_reads_has_no_more_than_its_total_time(gateway, recorder):
    gateway = gateway(stall=NEVER, total="1s")
    recorder.will(long_stream())
    with connected(gateway) as silent:
        call_id = ask(gateway, silent, STREAM)
        call = gateway.record(call_id, 20)["call"]
        assert (call["ending"], call["code"], call["basis"]) == ("cut", "BP4004", "estimated")
        assert recorder.only().hung_up.wait(10), "the upstream was let go"
        is_served(gateway, recorder)
        ends(silent)


def test_a_whole_answer_that_nobody_reads_keeps_no_place(gateway, recorder):
    gateway = gateway()
    recorder.will(large_answer())
    with connected(gateway) as silent:
        call = gateway.record(ask(gateway, silent, WHOLE))["call"]
        assert (call["ending"], call["status"]) == ("answered", 200)
        is_served(gateway, recorder)
        ends(silent)


def test_a_slow_reader_is_not_a_silent_one(gateway, recorder):
    """Reads for much longer than the limit, with pauses far below it."""
    gateway = gateway(stall="2s")
    recorder.will(long_stream())
    with connected(gateway) as slow:
        call_id = ask(gateway, slow, STREAM)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            assert slow.recv(20_000)
            time.sleep(0.01)
        while not slow.recv(1 << 20).endswith(b"\r\n0\r\n\r\n"):
            pass
    call = gateway.record(call_id)["call"]
    assert (call["ending"], call["usage"]["output"]) == ("answered", 77)


def test_a_kept_connection_without_calls_ends(gateway, recorder):
    gateway = gateway(head="500ms")
    with connected(gateway) as idle:
        ask(gateway, idle, f"{MODEL}/converse")
        ends(idle)


def test_a_request_sent_ahead_holds_back_no_stream(gateway, recorder):
    gateway, seen = gateway(), threading.Event()
    first, last = event("messageStart", {"role": "assistant"}), event("messageStop", {"stopReason": "end_turn"})
    recorder.will(stream_answer(first, lambda: seen.wait(20), last))
    with connected(gateway) as hasty:
        ask(gateway, hasty, STREAM, ahead=b"POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        got = b""
        while first not in got:
            got += hasty.recv(4096)
        assert last not in got
        seen.set()
        while b"HTTP/1.1 404" not in got:
            got += hasty.recv(4096)
        assert last in got


# ---- HTTP/2 ----

class Http2:
    """A client that reads and answers pings all the time, and gives streams the windows it is told to."""

    def __init__(self, gateway, window):
        self.gateway = gateway
        to = urlsplit(gateway.data)
        self.tcp = socket.create_connection((to.hostname, to.port), timeout=20)
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.http.local_settings = h2.settings.Settings(
            initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.http.initiate_connection()
        self.http.increment_flow_control_window(1 << 30)
        self.events, self.changed, self.ended = [], threading.Condition(), False
        self._send()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()

    def ask(self, target):
        with self.changed:
            stream = self.http.get_next_available_stream_id()
            fields = {name.lower(): value for name, value in request(self.gateway, target).items()}
            self.http.send_headers(stream, [
                (":method", "POST"), (":scheme", "http"), (":path", target), (":authority", fields.pop("host")),
                *fields.items()])
            self.http.send_data(stream, BODY, end_stream=True)
            self._send()
        return stream

    def open_window(self, stream):
        with self.changed:
            self.http.increment_flow_control_window(1 << 30, stream)
            self._send()

    def ping(self):
        """By hand: python's h2 would not after a GOAWAY, and a stubborn client would."""
        with self.changed, contextlib.suppress(OSError):
            self.tcp.sendall(b"\0\0\x08\x06\0\0\0\0\0knocking")

    def call_id(self, stream):
        return dict(self.wait(h2.events.ResponseReceived, stream).headers)["x-bedplate-call-id"]

    def wait(self, kind, stream=None):
        with self.changed:
            assert self.changed.wait_for(lambda: self.told(kind, stream) or self.ended, 20), f"no {kind.__name__}"
            told = self.told(kind, stream)
            assert told, f"the connection ended without {kind.__name__}: {self.events}"
            return told[0]

    def told(self, kind, stream=None):
        return [e for e in self.events if isinstance(e, kind) and (stream is None or e.stream_id == stream)]

    def wait_for_the_end(self):
        with self.changed:
            assert self.changed.wait_for(lambda: self.ended, 20), "the connection is still open"

    def _send(self):
        with contextlib.suppress(OSError):
            self.tcp.sendall(self.http.data_to_send())

    def _read(self):
        unread = b""
        while not self.ended:
            try:
                data = self.tcp.recv(65536)
            except OSError:
                data = b""
            unread += data
            with self.changed:
                while len(unread) >= 9 and len(unread) >= (size := 9 + int.from_bytes(unread[:3], "big")):
                    # After a GOAWAY python's h2 wants to hear no more.
                    if not self.told(h2.events.ConnectionTerminated):
                        self.events += self.http.receive_data(unread[:size])
                    unread = unread[size:]
                self._send()
                self.ended = not data
                self.changed.notify_all()


@pytest.mark.parametrize("window", [0, 100, 100_000])
def test_a_stream_whose_window_stays_closed_is_reset_and_settled(gateway, recorder, window):
    gateway = gateway()
    recorder.will(long_stream())
    with Http2(gateway, window) as silent:
        stream = silent.ask(STREAM)
        assert silent.wait(h2.events.StreamReset, stream).error_code == h2.errors.ErrorCodes.CANCEL
        call = gateway.record(silent.call_id(stream), 20)["call"]
        assert (call["ending"], call["status"], call["usage"]["output"]) == ("abandoned", 499, 77)
        # Its connection is as good as before: a stream that is read is answered.
        other = silent.ask(f"{MODEL}/converse")
        silent.open_window(other)
        silent.wait(h2.events.StreamEnded, other)


def test_a_stream_whose_window_stays_closed_has_no_more_than_its_total_time(gateway, recorder):
    gateway = gateway(stall=NEVER, total="1s")
    recorder.will(long_stream())
    with Http2(gateway, 100) as silent:
        stream = silent.ask(STREAM)
        silent.wait(h2.events.StreamReset, stream)
        call = gateway.record(silent.call_id(stream), 20)["call"]
        assert (call["ending"], call["code"]) == ("cut", "BP4004")
        assert recorder.only().hung_up.wait(10), "the upstream was let go"


@pytest.mark.parametrize("window", [0, 100])
def test_a_whole_answer_whose_window_stays_closed_is_reset(gateway, recorder, window):
    gateway = gateway()
    recorder.will(large_answer())
    with Http2(gateway, window) as silent:
        stream = silent.ask(WHOLE)
        assert silent.wait(h2.events.StreamReset, stream).error_code == h2.errors.ErrorCodes.CANCEL
        assert gateway.record(silent.call_id(stream))["call"]["ending"] == "answered"


def test_a_window_that_opens_late_is_in_time(gateway, recorder):
    gateway = gateway(stall=NEVER, head="500ms")
    recorder.will(long_stream())
    with Http2(gateway, 0) as late:
        stream = late.ask(STREAM)
        late.wait(h2.events.ResponseReceived, stream)
        time.sleep(2)  # a call is under way, so the connection is not idle
        late.open_window(stream)
        late.wait(h2.events.StreamEnded, stream)
        assert gateway.record(late.call_id(stream))["call"]["ending"] == "answered"


@pytest.mark.parametrize("before", ["a call", "nothing"])
def test_pings_keep_no_connection_without_streams(gateway, recorder, before):
    gateway = gateway(head="600ms")
    with Http2(gateway, 65_535) as idle:
        if before == "a call":
            idle.wait(h2.events.StreamEnded, idle.ask(f"{MODEL}/converse"))
        until = time.monotonic() + 15
        while not idle.ended and time.monotonic() < until:
            idle.ping()
            time.sleep(0.05)
        assert idle.wait(h2.events.PingAckReceived), "pings were answered"
        assert idle.wait(h2.events.ConnectionTerminated).error_code == h2.errors.ErrorCodes.NO_ERROR
        idle.wait_for_the_end()
        is_served(gateway, recorder)


def test_an_answer_that_is_left_in_the_window_keeps_no_connection(gateway, recorder):
    """All of the answer has been handed over to HTTP/2, and its end waits there for ever."""
    gateway = gateway(stall="1s", head="1s")
    with Http2(gateway, 10) as silent:
        stream = silent.ask(f"{MODEL}/converse")
        assert gateway.record(silent.call_id(stream))["call"]["ending"] == "answered"
        until = time.monotonic() + 20
        while not silent.ended and time.monotonic() < until:
            silent.ping()
            time.sleep(0.2)
        silent.wait_for_the_end()
        is_served(gateway, recorder)
