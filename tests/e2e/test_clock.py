"""A machine whose clock is wrong: libfaketime moves it for one process, and nobody else's."""

import calendar
import email.utils
import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from gateway import NOVA, binary, clean_environment, cli, recorder_config
from recorder import json_answer
from signing import signed

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
TARGET = f"/model/{NOVA.replace(':', '%3A')}/converse"


def moved(seconds):
    """The environment of a process whose wall clock is so many seconds ahead; its timers are not touched."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "there is no libfaketime: install it, or let scripts/test do that"
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"{seconds:+d}s", "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.fixture
def upstream():
    """The simulator as a machine of its own, whose clock is right."""
    process = subprocess.Popen([binary(), "sim", "--listen", "127.0.0.1:0", "--format", "json"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env=clean_environment())
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(10)


def behind(upstream):
    """(configuration, credentials) of a gateway before that simulator."""
    config = ('[[provider]]\nname = "far"\nkind = "bedrock"\nregion = "us-east-1"\n'
              f'endpoints = {{ runtime = "{upstream["endpoint"]}", control = "{upstream["endpoint"]}" }}\n')
    return config, {"AWS_ACCESS_KEY_ID": upstream["access_key_id"], "AWS_SECRET_ACCESS_KEY": upstream["secret_access_key"]}


def doctor_on_the_clock(project, provider, **environment):
    done = cli("doctor", "--format", "json", project=project, ok=None, **environment)
    found = {f["what"]: f for f in map(json.loads, done.stdout.splitlines())}
    return found[f"{provider} clock"], done.returncode


def seconds(finding):
    """The one number in it."""
    (number,) = re.findall(r"-?\d+", finding["said"])
    return int(number)


@pytest.mark.parametrize("ahead, state", [(600, "bad"), (-600, "bad"), (90, "bad"), (0, "good"), (-20, "good")])
def test_doctor_says_how_wrong_the_clock_is(tmp_path, upstream, ahead, state):
    config, credentials = behind(upstream)
    (tmp_path / "bedplate.toml").write_text(config)
    found, code = doctor_on_the_clock(tmp_path, "far", **credentials, **moved(ahead))
    assert found["state"] == state, found
    assert abs(seconds(found) - ahead) <= 5, found
    if state == "bad":
        assert code == 1 and "Set the clock" in found["fix"]


def test_doctor_compares_with_what_aws_says(tmp_path, recorder):
    """The other way round: our clock is right, and the upstream's `Date` is not."""
    date = email.utils.formatdate(time.time() + 3600, usegmt=True)
    recorder.answer = lambda _seen: json_answer("{}", headers=[("Date", date)])
    (tmp_path / "bedplate.toml").write_text(recorder_config(recorder))
    found, _ = doctor_on_the_clock(tmp_path, "recorder", AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="x")
    assert found["state"] == "bad" and abs(seconds(found) + 3600) <= 5, found


@pytest.mark.parametrize("ahead", [600, -600])
def test_what_callers_get_from_a_gateway_whose_clock_is_wrong(start, upstream, ahead):
    config, credentials = behind(upstream)
    gateway = start(config, **credentials, **moved(ahead))

    # a caller whose clock is right is told both times
    headers = signed(gateway.data, "POST", TARGET, BODY, gateway.ready, {"Content-Type": "application/json"})
    status, got, body = gateway.raw("POST", TARGET, BODY, headers)
    assert (status, got["x-bedplate-code"], got["x-amzn-errortype"]) == (403, "BP1004", "InvalidSignatureException")
    said = json.loads(body)["message"]
    times = [calendar.timegm(time.strptime(t, "%Y%m%dT%H%M%SZ")) for t in re.findall(r"\d{8}T\d{6}Z", said)]
    assert headers["X-Amz-Date"] in said and any(abs(t - time.time() - ahead) < 30 for t in times), said
    call = gateway.record(got["x-bedplate-call-id"])["call"]
    assert call["code"] == "BP1004" and call["ending"] == "refused"

    # a bearer key has no time in it: then it is AWS that refuses ours, in its own words
    status, got, body = gateway.raw("POST", TARGET, BODY, {
        "Authorization": f"Bearer {gateway.ready['bearer_token']}", "Content-Type": "application/json"})
    assert (status, got["x-amzn-errortype"]) == (403, "InvalidSignatureException") and "x-bedplate-code" not in got
    assert "Signature" in json.loads(body)["message"]
    record = gateway.record(got["x-bedplate-call-id"])
    assert record["call"]["ending"] == "failed" and record["call"]["error"] == "InvalidSignatureException"
    assert record["attempts"][0]["status"] == 403 and record["attempts"][0]["usage"]["input"] == 0
