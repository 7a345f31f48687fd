"""Event streams: nothing is lost, nothing is changed, nothing is silently short."""

import http.client
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, EventStreamError

from frames import event, exception, read
from gateway import HAIKU, NOVA
from recorder import EVENT_STREAM, Answer, json_answer, shred, stream_answer
from signing import signed

SAMPLES = Path(__file__).parent / "samples" / "eventstream"
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
BODY = json.dumps({"messages": HELLO}).encode()
TARGET = f"/model/{NOVA.replace(':', '%3A')}/converse-stream"
USAGE = {"usage": {"inputTokens": 21, "outputTokens": 9, "totalTokens": 30}, "metrics": {"latencyMs": 4}}


def whole_stream(text="word ", deltas=3):
    return [
        event("messageStart", {"role": "assistant", "p": "abcd"}),
        *(event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}, "p": "x" * i})
          for i in range(deltas)),
        event("contentBlockStop", {"contentBlockIndex": 0}),
        event("messageStop", {"stopReason": "end_turn"}),
        event("metadata", USAGE),
    ]


def stream(gateway, target=TARGET, body=BODY, headers=None):
    headers = {"Content-Type": "application/json", **(headers or {})}
    return gateway.raw("POST", target, body, signed(gateway.data, "POST", target, body, gateway.ready, headers))


def record_of(gateway, reply_or_headers):
    headers = reply_or_headers.get("ResponseMetadata", {}).get("HTTPHeaders") or reply_or_headers
    return gateway.record(headers["x-bedplate-call-id"])


@pytest.mark.parametrize("path", sorted(p for p in SAMPLES.glob("*.bin") if p.stem != "damaged"), ids=lambda p: p.stem)
@pytest.mark.parametrize("seed", range(4))
def test_every_sample_stream_passes_byte_for_byte_in_any_pieces(recorded, path, seed):
    gateway, recorder = recorded
    data = path.read_bytes()
    recorder.will(stream_answer(*shred(data, seed)))
    target = TARGET if path.stem.startswith("converse") else f"/model/{HAIKU.replace(':', '%3A')}/invoke-with-response-stream"
    body = BODY if path.stem.startswith("converse") else b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"x"}]}'
    status, headers, got = stream(gateway, target, body)
    assert status == 200 and headers["content-type"] == EVENT_STREAM
    assert got == data


def test_events_and_members_from_the_future_survive(recorded):
    gateway, recorder = recorded
    pieces = whole_stream()
    pieces.insert(2, event("notYetInvented", {"a": [1, {"b": None}], "text": "é—𝄞"}))
    pieces.insert(3, event("contentBlockDelta", b'{ "delta" : {"hologram":1.0} , "contentBlockIndex":7 }'))
    recorder.will(stream_answer(*shred(b"".join(pieces), 5)))
    assert stream(gateway)[2] == b"".join(pieces)


def test_padding_of_every_length_survives(recorded):
    gateway, recorder = recorded
    data = b"".join(event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "w"}, "p": "a" * n})
                    for n in range(64))
    data = event("messageStart", {"role": "assistant"}) + data + b"".join(whole_stream()[-2:])
    recorder.will(stream_answer(*shred(data, 9, largest=300)))
    assert stream(gateway)[2] == data


def test_the_first_event_is_forwarded_at_once(recorded):
    gateway, recorder = recorded
    start, *rest = whole_stream()
    recorder.will(stream_answer(start, 1.5, *rest))
    began = time.monotonic()
    events = iter(gateway.client().converse_stream(modelId=NOVA, messages=HELLO)["stream"])
    next(events)
    assert time.monotonic() - began < 1.0
    assert len(list(events)) == len(rest)
    assert time.monotonic() - began > 1.4


def test_events_are_not_held_back(recorded):
    gateway, recorder = recorded
    pieces = whole_stream(deltas=6)
    recorder.will(stream_answer(*(x for p in pieces for x in (p, 0.2))))
    arrivals = []
    for _ in gateway.client().converse_stream(modelId=NOVA, messages=HELLO)["stream"]:
        arrivals.append(time.monotonic())
    gaps = [b - a for a, b in zip(arrivals, arrivals[1:])]
    assert min(gaps) > 0.1, f"events arrived in a lump: {gaps}"


def test_usage_after_message_stop_is_read(recorded):
    gateway, recorder = recorded
    recorder.will(stream_answer(*whole_stream()))
    reply = gateway.client().converse_stream(modelId=NOVA, messages=HELLO)
    list(reply["stream"])
    call = record_of(gateway, reply)["call"]
    assert (call["usage"]["input"], call["usage"]["output"], call["basis"]) == (21, 9, "reported")
    assert (call["ending"], call["stop_reason"], call["status"]) == ("answered", "end_turn", 200)
    assert call["timings"]["first_token"] is not None


@pytest.mark.parametrize("name, status", [
    ("throttlingException", 429), ("modelStreamErrorException", 424), ("internalServerException", 500),
    ("serviceUnavailableException", 503), ("validationException", 400), ("modelTimeoutException", 408),
])
def test_an_exception_before_content_is_an_error_and_not_a_200(recorded, name, status):
    gateway, recorder = recorded
    recorder.will(stream_answer(exception(name, "not today")))
    client = gateway.client()
    with pytest.raises(ClientError) as failed:
        client.converse_stream(modelId=NOVA, messages=HELLO)
    assert failed.value.response["Error"]["Code"] == name[0].upper() + name[1:]
    assert "not today" in failed.value.response["Error"]["Message"]
    meta = failed.value.response["ResponseMetadata"]
    assert meta["HTTPStatusCode"] == status
    call = gateway.record(meta["HTTPHeaders"]["x-bedplate-call-id"])["call"]
    assert call["ending"] == "failed" and call["status"] == status


def test_sdks_retry_an_exception_that_came_before_content(recorded):
    gateway, recorder = recorded
    recorder.will(stream_answer(exception("throttlingException", "slow down")), stream_answer(*whole_stream()))
    client = gateway.client(retries={"total_max_attempts": 3, "mode": "standard"})
    assert len(list(client.converse_stream(modelId=NOVA, messages=HELLO)["stream"])) == len(whole_stream())
    assert len(recorder.seen) == 2


def test_an_exception_after_content_is_passed_on_as_it_is(recorded):
    gateway, recorder = recorded
    data = b"".join(whole_stream()[:3]) + exception("modelStreamErrorException", "the model fell over", originalStatusCode=500)
    recorder.will(stream_answer(data))
    status, headers, got = stream(gateway)
    assert (status, got) == (200, data)
    call = record_of(gateway, headers)["call"]
    assert call["ending"] == "cut" and call["basis"] == "estimated" and call["usage"]["output"] > 0


def cut_short(**how):
    return stream_answer(b"".join(whole_stream()[:3]), end=how.pop("end"), **how)


TRUNCATIONS = {
    "in a frame": lambda: stream_answer(b"".join(whole_stream()[:3]) + whole_stream()[3][:20]),
    "in a frame's prelude": lambda: stream_answer(b"".join(whole_stream()[:3]) + whole_stream()[3][:5]),
    "in a chunked body": lambda: cut_short(end="cut"),
    "by a reset": lambda: stream_answer(b"".join(whole_stream()[:3]), 0.2, end="reset"),
    "between frames before message stop": lambda: stream_answer(b"".join(whole_stream()[:3])),
}


@pytest.mark.parametrize("how", TRUNCATIONS)
def test_a_stream_that_breaks_off_ends_with_an_exception_event(recorded, how):
    gateway, recorder = recorded
    recorder.will(TRUNCATIONS[how]())
    status, headers, got = stream(gateway)
    assert status == 200
    frames, rest = read(got)
    assert rest == b"", "what reaches the caller is whole frames"
    assert b"".join(whole_stream()[:3]) == got[:len(b"".join(whole_stream()[:3]))]
    assert frames[-1].is_exception, [f.name for f in frames]
    assert frames[-1].headers[":exception-type"] in ("modelStreamErrorException", "internalServerException",
                                                    "serviceUnavailableException")
    call = record_of(gateway, headers)["call"]
    assert (call["ending"], call["code"], call["basis"]) == ("cut", "BP4006", "estimated")


def test_boto3_raises_on_a_stream_that_breaks_off(recorded):
    gateway, recorder = recorded
    recorder.will(TRUNCATIONS["in a frame"]())
    with pytest.raises(EventStreamError):
        list(gateway.client().converse_stream(modelId=NOVA, messages=HELLO)["stream"])


def test_a_damaged_frame_is_not_called_a_good_end(recorded):
    gateway, recorder = recorded
    damaged = bytearray(whole_stream()[3])
    damaged[-1] ^= 0xFF
    recorder.will(stream_answer(b"".join(whole_stream()[:3]) + bytes(damaged) + b"".join(whole_stream()[4:])))
    status, headers, got = stream(gateway)
    assert status == 200
    try:
        frames, rest = read(got)
        assert rest == b"" and frames[-1].is_exception
    except ValueError:
        pass  # the damage was passed on as it came: the caller's own check finds it


def test_a_stream_that_is_damaged_ends_with_an_error(recorded):
    gateway, recorder = recorded
    recorder.will(stream_answer((SAMPLES / "damaged.bin").read_bytes()))
    status, headers, got = stream(gateway)
    if status == 200:
        # what came whole before the damage goes on, and the stream ends with its own error event
        frames, rest = read(got)
        assert rest == b"" and frames[-1].is_exception
    else:
        assert (status, headers["x-bedplate-code"]) == (500, "BP4006"), got


def test_a_length_beyond_all_bounds_is_not_buffered(recorded):
    gateway, recorder = recorded
    import struct
    import zlib
    prelude = struct.pack("!II", 0x7FFFFFFF, 0)
    recorder.will(stream_answer(whole_stream()[0] + prelude + struct.pack("!I", zlib.crc32(prelude)) + b"x" * 4096))
    status, headers, got = stream(gateway)
    if status == 200:
        frames, rest = read(got)
        assert rest == b"" and frames[-1].is_exception
    else:
        assert (status, headers["x-bedplate-code"]) == (500, "BP4006")


def test_an_error_before_the_stream_keeps_its_status(recorded):
    gateway, recorder = recorded
    recorder.will(json_answer(b'{"message":"no"}', 403, [("x-amzn-errortype", "AccessDeniedException")]))
    status, headers, got = stream(gateway)
    assert (status, got, headers["x-amzn-errortype"]) == (403, b'{"message":"no"}', "AccessDeniedException")


def test_an_empty_stream_is_not_an_empty_answer(recorded):
    gateway, recorder = recorded
    recorder.will(stream_answer())
    status, headers, _ = stream(gateway)
    assert status >= 500 and headers["x-bedplate-code"] == "BP4006"


def hang_up_after_first_event(gateway):
    """Reads the head and a little, then closes the socket. Gives the call id."""
    to = urlsplit(gateway.data)
    connection = http.client.HTTPConnection(to.hostname, to.port, timeout=10)
    connection.request("POST", TARGET, BODY, signed(gateway.data, "POST", TARGET, BODY, gateway.ready,
                                                    {"Content-Type": "application/json"}))
    reply = connection.getresponse()
    assert reply.status == 200
    reply.read(40)
    call_id = reply.headers["x-bedplate-call-id"]
    reply.close()
    connection.close()
    return call_id


def test_a_caller_who_hangs_up_is_billed_for_what_was_produced(recorded):
    gateway, recorder = recorded
    pieces = whole_stream(deltas=8)
    recorder.will(stream_answer(*(x for p in pieces for x in (p, 0.1))))
    record = gateway.record(hang_up_after_first_event(gateway), seconds=15)
    call = record["call"]
    assert call["ending"] == "abandoned"
    # The upstream was drained: the usage it reported at its end is what the ledger shows.
    assert (call["usage"]["input"], call["usage"]["output"], call["basis"]) == (21, 9, "reported")


def test_a_caller_who_hangs_up_on_an_endless_stream_is_billed_by_estimate(start, recorder):
    from gateway import recorder_config

    gateway = start(recorder_config(recorder, extra='[drain]\nhang_up = "1s"\n'))
    first, delta = whole_stream()[:2]
    recorder.will(stream_answer(first, *(x for _ in range(200) for x in (delta, 0.05))))
    call = gateway.record(hang_up_after_first_event(gateway), seconds=15)["call"]
    assert (call["ending"], call["basis"]) == ("abandoned", "estimated")
    assert call["usage"]["output"] > 0
    assert recorder.only().hung_up.wait(5), "the upstream was let go"


def test_many_streams_at_once_stay_apart(recorded):
    from concurrent.futures import ThreadPoolExecutor

    gateway, recorder = recorded

    def answer(seen):
        said = json.loads(seen.body)["messages"][0]["content"][0]["text"]
        return stream_answer(*shred(b"".join(whole_stream(text=said, deltas=20)), seed=len(said)))

    recorder.answer = answer
    client = gateway.client(max_pool_connections=16)

    def one(n):
        reply = client.converse_stream(
            modelId=NOVA, messages=[{"role": "user", "content": [{"text": f"caller-{n} "}]}])
        return "".join(e["contentBlockDelta"]["delta"]["text"] for e in reply["stream"] if "contentBlockDelta" in e)

    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(one, range(64)))
    assert texts == [f"caller-{n} " * 20 for n in range(64)]


def test_a_stream_that_stands_still_is_ended(start, recorder):
    from gateway import recorder_config

    gateway = start(recorder_config(recorder, extra='[timeout]\nidle = "1s"\n'))
    recorder.will(stream_answer(*whole_stream()[:3], 8, *whole_stream()[3:]))
    began = time.monotonic()
    status, headers, got = stream(gateway)
    assert time.monotonic() - began < 5
    frames, rest = read(got)
    assert status == 200 and rest == b"" and frames[-1].is_exception
    assert gateway.record(headers["x-bedplate-call-id"])["call"]["code"] == "BP4003"


def test_a_first_token_that_does_not_come_is_a_timeout(start, recorder):
    from gateway import recorder_config

    gateway = start(recorder_config(recorder, extra='[timeout]\nfirst_token = "1s"\n'))
    recorder.will(stream_answer(8, *whole_stream()))
    status, headers, got = stream(gateway)
    assert (status, headers["x-bedplate-code"]) == (408, "BP4002")
    assert headers["x-amzn-errortype"] == json.loads(got)["__type"] == "ModelTimeoutException"


@pytest.mark.parametrize("silent", ["before its head", "after its head"])
def test_an_answer_that_does_not_come_is_a_timeout(start, recorder, silent):
    from gateway import recorder_config

    gateway = start(recorder_config(recorder, extra='[timeout]\ntotal = "1s"\n'))
    pieces = [8, b"{}"] if silent == "after its head" else [b"{}"]
    answer = Answer(200, [("Content-Type", "application/json")], pieces, "chunked")
    recorder.answer = lambda _seen: (time.sleep(0 if silent == "after its head" else 8), answer)[1]
    target = TARGET.removesuffix("-stream")
    began = time.monotonic()
    status, headers, _ = stream(gateway, target)
    assert time.monotonic() - began < 5
    assert (status, headers["x-bedplate-code"]) == (408, "BP4004")
    record = gateway.record(headers["x-bedplate-call-id"])
    assert record["attempts"][0]["code"] == "BP4004"
