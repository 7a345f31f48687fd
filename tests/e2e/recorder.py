"""A recording upstream: an HTTP/1.1 server on raw sockets that shares no code with bedplate.

It writes down exactly what arrived (method, raw target, header lines, body) and answers with exactly
the bytes it is told to send, in exactly the pieces it is told to send them in.
"""

import datetime
import hashlib
import queue
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

EVENT_STREAM = "application/vnd.amazon.eventstream"


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: list
    body: bytes
    at: float
    connection: int
    #: Set when writing the answer failed because the other side had gone.
    hung_up: threading.Event = field(default_factory=threading.Event)

    def header(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(values) < 2, f"header `{name}` came {len(values)} times"
        return values[0] if values else None

    @property
    def sha256(self):
        return hashlib.sha256(self.body).hexdigest()

    def signature_holds(self, access_key, secret_key, region="us-east-1", token=None, service="bedrock"):
        """Signs the request anew with botocore's own signer and compares. Raises AssertionError."""
        scheme, rest = self.header("authorization").split(" ", 1)
        assert scheme == "AWS4-HMAC-SHA256"
        parts = dict(p.strip().split("=", 1) for p in rest.split(","))
        key, date, in_region, for_service, end = parts["Credential"].split("/")
        assert (key, in_region, for_service, end) == (access_key, region, service, "aws4_request")
        stamp = self.header("x-amz-date")
        assert stamp[:8] == date
        age = datetime.datetime.now(datetime.UTC) - datetime.datetime.strptime(
            stamp + "+0000", "%Y%m%dT%H%M%SZ%z"
        )
        assert abs(age.total_seconds()) < 60, f"signed {age} ago"
        signed = parts["SignedHeaders"].split(";")
        assert signed == sorted(signed)
        assert "host" in signed and "x-amz-date" in signed
        for name, _ in self.headers:
            if name.lower().startswith("x-amz"):
                assert name.lower() in signed, f"`{name}` is not signed"
        if token is not None:
            assert self.header("x-amz-security-token") == token
        sent_hash = self.header("x-amz-content-sha256")
        assert sent_hash in (None, self.sha256), "x-amz-content-sha256 is not the body's hash"

        again = AWSRequest(self.method, f"http://{self.header('host')}{self.target}", data=self.body)
        for name in signed:
            again.headers[name] = self.header(name)
        again.context["timestamp"] = stamp
        # botocore takes the payload's hash from this header when it is there.
        again.headers["X-Amz-Content-SHA256"] = self.sha256
        signer = SigV4Auth(Credentials(access_key, secret_key), service, region)
        canonical = _canonical(signer, again, signed)
        expected = signer.signature(signer.string_to_sign(again, canonical), again)
        assert parts["Signature"] == expected, f"bad signature over:\n{canonical}"


def _canonical(signer, request, signed):
    if "x-amz-content-sha256" in signed:
        return signer.canonical_request(request)
    del request.headers["X-Amz-Content-SHA256"]
    return signer.canonical_request(request)


@dataclass
class Answer:
    """What to send. `pieces` are byte strings, numbers (seconds to wait) or callables."""

    status: int = 200
    headers: list = field(default_factory=list)
    pieces: list = field(default_factory=list)
    #: "length": one Content-Length; "chunked": each piece a chunk; "close": until the end.
    framing: str = "length"
    #: How the connection ends: "keep", "close", "reset", or "cut" (leave a chunked body unfinished).
    end: str = "keep"


def json_answer(body, status=200, headers=()):
    body = body if isinstance(body, bytes) else str(body).encode()
    return Answer(status, [("Content-Type", "application/json"), *headers], [body])


def stream_answer(*pieces, end="keep", headers=()):
    return Answer(200, [("Content-Type", EVENT_STREAM), *headers], list(pieces), "chunked", end)


def shred(data, seed, largest=97):
    """Cuts bytes into random pieces of one byte and more."""
    chance, at, out = random.Random(seed), 0, []
    while at < len(data):
        size = chance.choice((1, 2, 3, chance.randint(1, largest)))
        out.append(data[at:at + size])
        at += size
    return out


#: What bedplate asks of its own accord: which model an ARN leads to.
LOOKUPS = ("/inference-profiles/arn%3A", "/prompt-routers/arn%3A", "/provisioned-model-throughput/arn%3A")


class Recorder:
    """Answers with `self.answer(seen)`; by default the next of `script`, else a small Converse body.

    Look-ups that no caller sent are kept apart, in `lookups`, and answered with `self.lookup(seen)`.
    """

    CONVERSE = (
        b'{"output":{"message":{"role":"assistant","content":[{"text":"recorded"}]}},'
        b'"stopReason":"end_turn","usage":{"inputTokens":11,"outputTokens":7,"totalTokens":18},'
        b'"metrics":{"latencyMs":5}}'
    )

    def __init__(self):
        self.seen, self.lookups = [], []
        self.lookup = _nowhere
        self.script = queue.Queue()
        self.answer = self._next
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._closing = threading.Event()
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def will(self, *answers):
        for answer in answers:
            self.script.put(answer)

    def clear(self):
        self.seen.clear()
        self.lookups.clear()
        self.answer, self.lookup = self._next, _nowhere
        while not self.script.empty():
            self.script.get_nowait()

    def only(self):
        assert len(self.seen) == 1, f"{len(self.seen)} requests arrived: {[s.target for s in self.seen]}"
        return self.seen[0]

    def wait_for(self, count, seconds=5.0):
        until = time.monotonic() + seconds
        while len(self.seen) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.seen) >= count, f"only {len(self.seen)} of {count} requests arrived"

    def stop(self):
        if self._closing.is_set():
            return
        self._closing.set()
        # shutdown wakes the accepting thread; close alone does not.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in list(self._open):
            connection.close()

    def _next(self, _seen):
        try:
            return self.script.get_nowait()
        except queue.Empty:
            return json_answer(self.CONVERSE, headers=[("x-amzn-requestid", "00000000-rec0-rder-0000-000000000001")])

    def _accept(self):
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection, number):
        self._open.add(connection)
        stream = connection.makefile("rb")
        try:
            while (seen := _read_request(stream, number)) is not None:
                if seen.method == "GET" and seen.target.startswith(LOOKUPS) and seen.header("user-agent") is None:
                    self.lookups.append(seen)
                    answer = self.lookup(seen)
                else:
                    self.seen.append(seen)
                    answer = self.answer(seen)
                try:
                    _send(connection, answer)
                except (BrokenPipeError, ConnectionResetError):
                    seen.hung_up.set()
                    return
                if answer.end != "keep" or answer.framing == "close":
                    if answer.end == "reset":
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
        except (ConnectionResetError, OSError, ValueError):
            pass
        finally:
            self._open.discard(connection)
            # With a makefile open, close() alone keeps the descriptor; an abort needs it gone.
            stream.close()
            connection.close()


def _nowhere(_seen):
    return json_answer(b'{"message":"there is none"}', 404, [("x-amzn-errortype", "ResourceNotFoundException")])


def _read_request(stream, number):
    line = stream.readline(65536)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").rstrip("\r\n").split(" ")
    headers = []
    while (line := stream.readline(65536)) not in (b"\r\n", b""):
        name, value = line.decode("latin-1").rstrip("\r\n").split(":", 1)
        headers.append((name, value.strip()))
    return Seen(method, target, headers, _read_body(stream, headers), time.time(), number)


def _read_body(stream, headers):
    values = {n.lower(): v for n, v in headers}
    if "chunked" in values.get("transfer-encoding", ""):
        body = b""
        while size := int(stream.readline(1024).split(b";")[0], 16):
            body += stream.read(size)
            stream.readline(16)
        while stream.readline(65536) not in (b"\r\n", b""):
            pass
        return body
    return stream.read(int(values.get("content-length", "0")))


def _send(connection, answer):
    body_pieces = [p for p in answer.pieces if isinstance(p, bytes)]
    lines = [f"HTTP/1.1 {answer.status} Whatever"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if answer.framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    elif answer.framing == "length":
        lines.append(f"Content-Length: {sum(map(len, body_pieces))}")
    else:
        lines.append("Connection: close")
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    for piece in answer.pieces:
        if callable(piece):
            piece()
        elif isinstance(piece, bytes):
            if answer.framing == "chunked" and piece:
                piece = b"%x\r\n%s\r\n" % (len(piece), piece)
            connection.sendall(piece)
        else:
            time.sleep(piece)
    if answer.framing == "chunked" and answer.end not in ("cut", "reset"):
        connection.sendall(b"0\r\n\r\n")
