"""A disk that is full, under everything bedplate writes but its ledger: a small tmpfs, mounted for the gateway alone."""

import errno
import gzip
import io
import json
import time

import pytest

from apart import Apart
from gateway import NOVA, recorder_config
from signing import signed

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
TARGET = f"/model/{NOVA.replace(':', '%3A')}/converse"
LOGS = """
[log]
calls = { file = "disk/calls" }
[log.invocation]
folder = "disk/invocations"
[emf]
to = { file = "disk/emf" }
flush = "1s"
"""
SINKS = ("call_log", "invocation_log", "emf")


@pytest.fixture
def gateway(recorder, tmp_path):
    """Its logs lie on a disk of 256 KiB."""
    project = tmp_path / "project"
    (project / "disk").mkdir(parents=True)
    mount = f"mount -t tmpfs -o size=256k tmpfs {project}/disk"
    with Apart(project, recorder_config(recorder, extra=LOGS), mount) as gateway:
        yield gateway


class Disk:
    """The gateway's small disk, as we see it."""

    def __init__(self, gateway):
        self.gateway, self.folder = gateway, gateway.seen(gateway.project / "disk")

    def fill(self):
        with pytest.raises(OSError) as full, open(self.folder / "filler", "ab", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        assert full.value.errno == errno.ENOSPC

    def free(self):
        (self.folder / "filler").unlink()

    def written(self):
        """How many calls stand in each log. Every line must be whole."""
        calls = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        emf = [json.loads(line) for line in (self.folder / "emf").read_text().splitlines()]
        files = [*self.folder.glob("invocations/.open/*.part"), *self.folder.glob("invocations/AWSLogs/**/*.json.gz")]
        text = b"".join(gzip.GzipFile(fileobj=io.BytesIO(file.read_bytes())).read() for file in files)
        records = [json.loads(line) for line in text.splitlines()]
        assert all(r["schemaType"] == "ModelInvocationLog" for r in records)
        return {"call_log": len(calls), "invocation_log": len(records),
                "emf": sum(line["Calls"] for line in emf if "Calls" in line)}

    def dropped(self):
        found = {labels: n for (name, labels), n in self.gateway.metrics().items() if name == "bedplate_telemetry_dropped_total"}
        return {sink: found.get(frozenset({("sink", sink)}), 0) for sink in SINKS}


def send(gateway):
    headers = signed(gateway.data, "POST", TARGET, BODY, gateway.ready, {"Content-Type": "application/json"})
    return gateway.raw("POST", TARGET, BODY, headers)[0]


def wait_until(true, seconds=20):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def test_a_full_disk_costs_log_lines_and_no_call(gateway):
    disk, sent = Disk(gateway), 0

    def send_some():
        nonlocal sent
        assert [send(gateway) for _ in range(20)] == [200] * 20
        sent += 20

    send_some()
    wait_until(lambda: disk.written() == dict.fromkeys(SINKS, sent))
    assert disk.dropped() == dict.fromkeys(SINKS, 0)

    disk.fill()
    until = time.monotonic() + 60
    while not all(disk.dropped().values()):  # what room was left in the files is used up first
        send_some()
        assert time.monotonic() < until, disk.dropped()
    for what in ("call log", "invocation log", "EMF"):
        said = [line for line in gateway.log().splitlines() if what in line and "No space left" in line]
        assert len(said) == 1, (what, said)

    disk.free()
    before = disk.written()
    send_some()
    # every call is in each log or counted as dropped, and none of the last ones is dropped
    wait_until(lambda: all(disk.written()[s] + disk.dropped()[s] == sent for s in SINKS))
    after = disk.written()
    assert all(after[s] >= before[s] + 20 for s in SINKS), (before, after)
    listed = gateway.cli("calls", "tail", "--no-follow", "-n", "100000", "--format", "json").stdout
    assert len(listed.splitlines()) == sent, "the ledger has them all"
