"""The simulator's scripted faults, through the gateway, as boto3 meets them."""

import time

import pytest
from botocore.exceptions import ClientError, EventStreamError

from gateway import NOVA

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


def converse(gateway, fault, operation="converse", **config):
    client = gateway.client(**config)
    return getattr(client, operation)(modelId=NOVA, messages=HELLO, requestMetadata={"sim-fault": fault})


REFUSALS = [
    ("throttle", "ThrottlingException", 429), ("internal", "InternalServerException", 500),
    ("unavailable", "ServiceUnavailableException", 503), ("access_denied", "AccessDeniedException", 403),
    ("end_of_life", "ResourceNotFoundException", 404), ("model_not_ready", "ModelNotReadyException", 429),
    ("model_timeout", "ModelTimeoutException", 408), ("model_error", "ModelErrorException", 424),
]


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
@pytest.mark.parametrize("fault, error, status", REFUSALS)
def test_an_upstream_error_is_the_callers_error(simulated, fault, error, status, operation):
    with pytest.raises(ClientError) as failed:
        converse(simulated, fault, operation)
    response = failed.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (error, status)
    record = simulated.record(response["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])
    assert record["call"]["ending"] == "failed" and record["call"]["error"] == error
    assert [a["status"] for a in record["attempts"]] == [status]
    assert record["call"]["usage"]["output"] == 0


@pytest.mark.parametrize("fault, attempts", [
    ("throttle", 3), ("internal", 3), ("unavailable", 3), ("model_not_ready", 3),
    ("access_denied", 1), ("end_of_life", 1), ("model_timeout", 1), ("model_error", 1),
])
def test_boto3_counts_its_attempts_as_it_does_with_aws(simulated, fault, attempts):
    client = simulated.client(retries={"total_max_attempts": 3, "mode": "standard"})
    tries = []
    client.meta.events.register("before-send", lambda **_: tries.append(1) and None)
    with pytest.raises(ClientError) as failed:
        client.converse(modelId=NOVA, messages=HELLO, requestMetadata={"sim-fault": fault})
    assert len(tries) == attempts
    assert failed.value.response["ResponseMetadata"]["RetryAttempts"] == attempts - 1


def test_an_exception_before_content_is_a_status(simulated):
    with pytest.raises(ClientError) as failed:
        converse(simulated, "exception_before_content", "converse_stream")
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 400


@pytest.mark.parametrize("fault", ["exception_after_content", "truncated_frame", "crc_damage"])
def test_a_stream_that_breaks_is_an_event_stream_error(simulated, fault):
    reply = converse(simulated, fault, "converse_stream")
    got = []
    with pytest.raises(EventStreamError):
        for event in reply["stream"]:
            got.append(event)
    assert got, "what came before is the caller's"
    call = simulated.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["call"]
    assert call["ending"] == "cut" and call["basis"] == "estimated"


def scripted(start, fault):
    return start(f'[[provider]]\nname = "sim"\nkind = "sim"\n\n[sim]\nlatency = "off"\n\n[[sim.fault]]\n{fault}\n')


def test_a_reset_in_the_middle_of_a_stream(start):
    # With the latency of a model: a reset on the heels of the first events takes those away too.
    gateway = start('[[provider]]\nname = "sim"\nkind = "sim"\n\n[[sim.fault]]\nkind = "reset"\nafter = 4\n')
    reply = gateway.client().converse_stream(modelId=NOVA, messages=HELLO)
    with pytest.raises(EventStreamError):
        list(reply["stream"])
    assert gateway.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["call"]["code"] == "BP4006"


def test_a_reset_before_the_answer(start):
    gateway = scripted(start, 'kind = "reset"')
    with pytest.raises(ClientError) as failed:
        gateway.client().converse(modelId=NOVA, messages=HELLO)
    meta = failed.value.response["ResponseMetadata"]
    assert meta["HTTPStatusCode"] in (500, 503) and meta["HTTPHeaders"]["x-bedplate-code"] in ("BP4005", "BP4006")


def test_a_slow_first_byte_meets_the_deadline(start):
    gateway = start(
        '[timeout]\nfirst_token = "500ms"\n\n[[provider]]\nname = "sim"\nkind = "sim"\n\n'
        '[[sim.fault]]\nkind = "slow_first_byte"\ndelay = "5s"\n')
    began = time.monotonic()
    with pytest.raises(ClientError) as failed:
        gateway.client().converse_stream(modelId=NOVA, messages=HELLO)
    assert time.monotonic() - began < 3
    assert failed.value.response["Error"]["Code"] == "ModelTimeoutException"


def test_a_stalled_stream_meets_the_deadline(start):
    gateway = start(
        '[timeout]\nidle = "500ms"\n\n[[provider]]\nname = "sim"\nkind = "sim"\n\n'
        '[sim]\nlatency = "off"\n\n[[sim.fault]]\nkind = "stall"\nafter = 2\ndelay = "20s"\n')
    began = time.monotonic()
    with pytest.raises(EventStreamError):
        list(gateway.client().converse_stream(modelId=NOVA, messages=HELLO)["stream"])
    assert time.monotonic() - began < 4


def test_a_stream_without_usage_is_estimated(start):
    gateway = scripted(start, 'kind = "no_usage"')
    reply = gateway.client().converse_stream(modelId=NOVA, messages=HELLO, inferenceConfig={"maxTokens": 40})
    list(reply["stream"])
    call = gateway.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["call"]
    assert call["basis"] == "estimated" and 0 < call["usage"]["output"] <= 40 and call["usage"]["input"] > 0


def test_throttling_tells_the_sdk_how_long_to_wait(start):
    gateway = scripted(start, 'kind = "throttle"\nfirst = 1\nretry_after = "700ms"')
    client = gateway.client(retries={"total_max_attempts": 2, "mode": "standard"})
    began = time.monotonic()
    reply = client.converse(modelId=NOVA, messages=HELLO)
    assert reply["ResponseMetadata"]["RetryAttempts"] == 1
    assert time.monotonic() - began >= 0.7


def test_quotas_of_the_simulator_throttle(start):
    gateway = start(
        '[[provider]]\nname = "sim"\nkind = "sim"\n\n[sim]\nlatency = "off"\n\n[[sim.model]]\nid = "*nova-lite*"\nrpm = 3\n')
    client, codes = gateway.client(), []
    for _ in range(6):
        try:
            client.converse(modelId=NOVA, messages=HELLO)
            codes.append("ok")
        except client.exceptions.ThrottlingException:
            codes.append("throttled")
    assert codes[:3] == ["ok"] * 3 and "throttled" in codes[3:]
