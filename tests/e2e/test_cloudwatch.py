"""EMF lines and the call log in CloudWatch Logs, on an emulator that knows nothing of bedplate.

These need a bedplate with the feature `cloudwatch`: scripts/test builds it, and so does
`cargo build -p bedplate --features cloudwatch`.
"""

import json
import socket
import time

import pytest

from cloudwatch import CALLS, METRICS, STREAM, Emulator, config
from gateway import NOVA, cli

SECRET_WORDS = "the heron stands in the reeds"


@pytest.fixture
def emulator():
    running = Emulator().start()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def built_with_it(tmp_path):
    (tmp_path / "bedplate.toml").write_text(config("http://127.0.0.1:1"))
    done = cli("check", project=tmp_path, ok=None)
    assert done.returncode == 0, f"build it with `cargo build -p bedplate --features cloudwatch`: {done.stderr}"


def converse(gateway, n, key=None):
    client = gateway.client(key=key)
    for _ in range(n):
        client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": SECRET_WORDS}]}])


def log_of(gateway, name):
    path = gateway.project / name
    return path.read_text().splitlines() if path.exists() else []


def dropped(gateway):
    return gateway.metrics()[("bedplate_telemetry_dropped_total", frozenset({("sink", "cloudwatch_calls")}))]


def until(what, met, seconds=40):
    end = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.05)
    return found


def test_every_line_is_there_in_order_after_the_end(emulator, start, tmp_path):
    (tmp_path / "bedplate.toml").write_text(text := config(emulator.url, emf=METRICS))
    other = cli("key", "create", "--team", "team-b", "--feature", "f", "--env", "test", "--risk-profile", "internal",
                "--format", "json", project=tmp_path)
    gateway = start(text, project=tmp_path)
    converse(gateway, 30)
    converse(gateway, 12, json.loads(other.stdout))
    # one refused by bedplate is a line as well
    assert gateway.raw("POST", f"/model/{NOVA}/converse", b"{}")[0] == 403
    gateway.stop()

    events = emulator.events(CALLS)
    assert [line for _, line in events] == log_of(gateway, "calls.log")
    assert len(events) == 43
    assert [at for at, _ in events] == sorted(at for at, _ in events)
    calls = [json.loads(line) for _, line in events]
    assert [c["team"] for c in calls].count("team-b") == 12
    for call in calls:
        assert json.loads(gateway.cli("calls", "show", call["call"], "--format", "json").stdout)

    events = emulator.events(METRICS)
    assert [line for _, line in events] == log_of(gateway, "emf.log")
    lines = [json.loads(line) for _, line in events]
    assert [at for at, _ in events] == [line["_aws"]["Timestamp"] for line in lines]
    assert sum(line.get("Calls", 0) for line in lines) == 43
    by_team = {t: sum(line["Calls"] for line in lines if line.get("Team") == t) for t in ("team-b", "none")}
    assert by_team == {"team-b": 12, "none": 1}
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Bedplate" for line in lines)

    everything = "".join(emulator.lines(CALLS) + emulator.lines(METRICS))
    assert SECRET_WORDS not in everything and "heron" not in everything


def test_a_cloudwatch_that_is_gone_costs_no_call(emulator, start):
    gateway = start(config(emulator.url, queue="16KiB"))
    converse(gateway, 5)
    before = until("five lines", lambda: len(emulator.lines(CALLS)) == 5 and emulator.lines(CALLS))
    assert dropped(gateway) == 0

    emulator.stop()
    converse(gateway, 60)
    until("lines dropped", lambda: dropped(gateway) > 0)
    converse(gateway, 10)
    until("75 lines", lambda: len(log_of(gateway, "calls.log")) == 75)
    assert gateway.get_control("/readyz")[0] == 200

    # a new one: the group is not there and is made again
    emulator.start()
    waited = until("the lines that waited", lambda: emulator.lines(CALLS))
    assert waited[0] == log_of(gateway, "calls.log")[5], "the oldest are kept"
    until("an empty queue", lambda: len(emulator.lines(CALLS)) + 5 + dropped(gateway) == 75)
    lost = dropped(gateway)
    converse(gateway, 7)
    gateway.stop()

    after, written = emulator.lines(CALLS), log_of(gateway, "calls.log")
    assert len(written) == 82
    assert len(before) + len(after) + lost == 82
    assert after[-7:] == written[-7:]
    rest = iter(written[5:])
    assert all(line in rest for line in after), "in order, none twice"
    said = gateway.log()
    assert said.count("cannot be delivered to CloudWatch Logs") == 1, said
    assert said.count("goes to CloudWatch Logs again") == 1, said


def test_one_that_never_answers_does_not_hold_up_the_end(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway = start(config(f"http://127.0.0.1:{silent.getsockname()[1]}", emf=METRICS))
        converse(gateway, 9)
        gateway.stop(seconds=15)
    assert "9 lines of the call log were not delivered to CloudWatch Logs" in gateway.log()
    assert len(log_of(gateway, "calls.log")) == 9


def test_without_leave_nothing_is_made(emulator, start):
    text = config(emulator.url) + "create = false\n"
    gateway = start(text)
    converse(gateway, 3)
    until("the trouble is said", lambda: "ResourceNotFoundException" in gateway.log())
    assert emulator.groups() == set()
    client = emulator.client()
    client.create_log_group(logGroupName=CALLS)
    client.create_log_stream(logGroupName=CALLS, logStreamName=STREAM)
    gateway.stop()
    assert emulator.lines(CALLS) == log_of(gateway, "calls.log")


def test_check_names_what_aws_would_not_take(tmp_path):
    (tmp_path / "bedplate.toml").write_text(config("logs.eu-central-1.amazonaws.com", calls="my group", stream="a:b"))
    said = cli("check", project=tmp_path, ok=None)
    assert said.returncode != 0
    for key in ("calls", "stream", "endpoint"):
        assert f"`[cloudwatch] {key}`" in said.stdout + said.stderr
