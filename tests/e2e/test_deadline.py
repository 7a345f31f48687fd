"""A caller says how long it waits: boto3 with an event hook that adds the header."""

import time

import pytest
from botocore.exceptions import ClientError

from gateway import NOVA
from test_routes import BASE, SORRY, ZERO, alias, fault, header, metric

ASKED = {"messages": [{"role": "user", "content": [{"text": "hello"}]}], "inferenceConfig": ZERO}
STALLS = BASE + fault("slow_first_byte", delay="30s")


def client(gateway, deadline):
    client = gateway.client(retries={"total_max_attempts": 1})
    client.meta.events.register(
        "before-sign", lambda request, **_: request.headers.add_header("x-bedplate-deadline", deadline))
    return client


def failed(gateway, deadline, streamed=False, model="triage"):
    began = time.monotonic()
    ask = client(gateway, deadline)
    with pytest.raises(ClientError) as failure:
        (ask.converse_stream if streamed else ask.converse)(modelId=model, **ASKED)
    response = failure.value.response
    return time.monotonic() - began, response["Error"]["Code"], header(response, "x-bedplate-code"), response


@pytest.mark.parametrize("model", ["triage", NOVA])
@pytest.mark.parametrize("streamed, code, phase", [(False, "BP4004", "total"), (True, "BP4002", "first_token")])
def test_what_comes_too_late_has_the_code_of_its_phase(start, streamed, code, phase, model):
    gateway = start(STALLS + alias(f"a/{NOVA}", f"b/{NOVA}"))
    took, error, said, response = failed(gateway, "700", streamed, model)
    assert (error, said) == ("ModelTimeoutException", code) and 0.7 <= took < 5
    row = gateway.record(header(response, "x-bedplate-call-id"))
    assert row["call"]["code"] == code and [a["code"] for a in row["attempts"]] == [code]
    assert 700_000 <= row["call"]["timings"]["total"] < 2_000_000
    timeouts = [(labels, n) for (name, labels), n in gateway.metrics().items() if name == "bedplate_timeouts_total"]
    assert any(("phase", phase) in labels and n == 1 for labels, n in timeouts), timeouts


def test_it_lowers_what_is_configured_and_never_raises_it(start):
    gateway = start(STALLS + alias(f"a/{NOVA}", more='timeout = { total = "1s", first_token = "1s" }'))
    took, _, code, _ = failed(gateway, "20s")
    assert code == "BP4004" and 1 <= took < 5


def test_a_rung_that_needs_no_model_answers_in_time(start):
    gateway = start(STALLS + alias(f"a/{NOVA}", more=f'attempts = 2\nfallback = [{{ answer = "{SORRY}" }}]'))
    began = time.monotonic()
    reply = client(gateway, "500ms").converse(modelId="triage", **ASKED)
    assert header(reply, "x-bedplate-degraded") == "static" and 0.5 <= time.monotonic() - began < 5
    # an impatient caller is no reason to doubt the target
    for _ in range(6):
        client(gateway, "20ms").converse(modelId="triage", **ASKED)
    assert metric(gateway, "bedplate_breaker_state", provider="a", model=NOVA) == 0


def test_an_answer_in_time_is_not_touched(start):
    gateway = start(BASE + alias(f"a/{NOVA}"))
    reply = client(gateway, "30s").converse(modelId="triage", **ASKED)
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_it_stays_here(recorded):
    gateway, upstream = recorded
    client(gateway, "30s").converse(modelId=NOVA, **ASKED)
    assert upstream.only().header("x-bedplate-deadline") is None


@pytest.mark.parametrize("value", ["soon", "0", "1.5s", "-1"])
def test_a_bad_value_is_refused(start, value):
    gateway = start(BASE + alias(f"a/{NOVA}"))
    _, error, code, _ = failed(gateway, value)
    assert (error, code) == ("ValidationException", "BP1205")
