"""The AWS event-stream framing, written for these tests alone: it shares no code with bedplate.

One message, integers big-endian: u32 total length, u32 length of the headers, u32 CRC of those
eight bytes; headers (u8 length, name, u8 type, value); payload; u32 CRC of everything before.
"""

import json
import struct
import zlib
from typing import NamedTuple

TEXT = 7


class Frame(NamedTuple):
    headers: dict
    payload: bytes

    @property
    def name(self):
        """The event's name, or the exception's."""
        return self.headers.get(":event-type") or self.headers.get(":exception-type")

    @property
    def is_exception(self):
        return self.headers.get(":message-type") in ("exception", "error")

    def json(self):
        return json.loads(self.payload)


def frame(headers, payload=b""):
    """One message; `headers` are pairs of names and texts."""
    block = b"".join(
        struct.pack("!B", len(name.encode())) + name.encode()
        + struct.pack("!BH", TEXT, len(value.encode())) + value.encode()
        for name, value in headers
    )
    prelude = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + block + payload
    return body + struct.pack("!I", zlib.crc32(body))


def event(name, payload):
    body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    return frame(
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")], body
    )


def exception(name, message, **more):
    body = json.dumps({"message": message, **more}).encode()
    return frame(
        [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")],
        body,
    )


def read(data):
    """Every complete message of `data`, and the bytes left over. Damage raises ValueError."""
    found, at = [], 0
    while len(data) - at >= 12:
        total, header_bytes, crc = struct.unpack("!III", data[at:at + 12])
        if zlib.crc32(data[at:at + 8]) != crc:
            raise ValueError(f"damaged prelude at byte {at}")
        if len(data) - at < total:
            break
        whole = data[at:at + total]
        (crc,) = struct.unpack("!I", whole[-4:])
        if zlib.crc32(whole[:-4]) != crc:
            raise ValueError(f"damaged message at byte {at}")
        found.append(Frame(_headers(whole[12:12 + header_bytes]), whole[12 + header_bytes:-4]))
        at += total
    return found, data[at:]


def _headers(block):
    out, at = {}, 0
    while at < len(block):
        n = block[at]
        name = block[at + 1:at + 1 + n].decode()
        at += 1 + n
        if block[at] != TEXT:
            raise ValueError(f"header `{name}` has type {block[at]}; these tests write text only")
        (size,) = struct.unpack("!H", block[at + 1:at + 3])
        out[name] = block[at + 3:at + 3 + size].decode()
        at += 3 + size
    return out
