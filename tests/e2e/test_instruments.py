"""The instruments of these tests, tried without bedplate: what they would miss, they would not prove."""

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

from frames import event, exception, read
from gateway import NOVA, http_request, parse_metrics
from recorder import json_answer, shred, stream_answer
from signing import presigned, signed

KEY = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


def client(recorder):
    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=recorder.url,
                        aws_access_key_id=KEY["access_key_id"], aws_secret_access_key=KEY["secret_access_key"],
                        config=Config(retries={"total_max_attempts": 1}))


@pytest.mark.parametrize("model", [NOVA, "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"])
def test_a_good_signature_holds_and_a_touched_one_does_not(recorder, model):
    client(recorder).converse(modelId=model, messages=HELLO)
    seen = recorder.only()
    seen.signature_holds(*KEY.values())
    with pytest.raises(AssertionError):
        seen.signature_holds(KEY["access_key_id"], "another secret")
    seen.target += "?x=1"
    with pytest.raises(AssertionError):
        seen.signature_holds(*KEY.values())


def test_headers_signed_by_hand_hold(recorder):
    headers = signed(recorder.url, "POST", "/model/a%3Ab/converse", b"{}", KEY, {"Content-Type": "application/json"})
    assert http_request(recorder.url, "POST", "/model/a%3Ab/converse", b"{}", headers)[0] == 200
    recorder.only().signature_holds(*KEY.values())
    assert "X-Amz-Signature=" in presigned(recorder.url, "GET", "/foundation-models", b"", KEY)


@pytest.mark.parametrize("seed", range(5))
def test_frames_are_botocores_frames_in_any_pieces(recorder, seed):
    data = event("messageStart", {"role": "assistant"}) + exception("throttlingException", "slow down")
    buffer = EventStreamBuffer()
    for piece in shred(data, seed):
        buffer.add_data(piece)
    theirs = list(buffer)
    ours, rest = read(data)
    assert rest == b"" and [m.payload for m in theirs] == [f.payload for f in ours]
    recorder.will(stream_answer(*shred(data, seed)))
    stream = iter(client(recorder).converse_stream(modelId=NOVA, messages=HELLO)["stream"])
    assert next(stream) == {"messageStart": {"role": "assistant"}}
    with pytest.raises(EventStreamError):
        next(stream)


def test_damage_is_noticed():
    data = bytearray(event("messageStart", {"role": "assistant"}))
    data[-5] ^= 1
    with pytest.raises(ValueError):
        read(bytes(data))


def test_answers_are_given_in_turn(recorder):
    recorder.will(json_answer(b'{"message":"no"}', 400, [("x-amzn-errortype", "ValidationException")]))
    with pytest.raises(ClientError):
        client(recorder).converse(modelId=NOVA, messages=HELLO)
    assert client(recorder).converse(modelId=NOVA, messages=HELLO)["stopReason"] == "end_turn"


@pytest.mark.parametrize("end", ["cut", "reset"])
def test_a_cut_is_a_cut(recorder, end):
    recorder.will(stream_answer(event("messageStart", {"role": "assistant"}), 0.1, end=end))
    with pytest.raises((ConnectionError, OSError, EOFError, Exception)) as broken:
        http_request(recorder.url, "POST", "/x", b"{}")
    assert type(broken.value).__name__ in ("IncompleteRead", "ConnectionResetError")


def test_metrics_are_read():
    samples = parse_metrics('# HELP x\na_total{b="c",d="e f"} 3\nplain 4.5\n')
    assert samples == {("a_total", frozenset({("b", "c"), ("d", "e f")})): 3.0, ("plain", frozenset()): 4.5}
