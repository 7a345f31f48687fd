"""The ledger is copied while it is written to, by the lines in docs/operations.md, and put back."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from gateway import NOVA, recorder_config
from signing import signed

PAGE = Path(__file__).resolve().parents[2] / "docs/operations.md"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
TARGET = f"/model/{NOVA.replace(':', '%3A')}/converse"


def send(gateway, key):
    headers = signed(gateway.data, "POST", TARGET, BODY, key, {"Content-Type": "application/json"})
    status, headers, _ = gateway.raw("POST", TARGET, BODY, headers)
    return status, headers.get("x-bedplate-code"), headers["x-bedplate-call-id"]


def listed(gateway):
    lines = gateway.cli("calls", "tail", "--no-follow", "-n", "1000000", "--format", "json").stdout.splitlines()
    return {json.loads(line)["call"]["id"] for line in lines}


def documented():
    """The program that the page tells operators to run."""
    return re.search(r"^python3 - <<'PY'\n(.*?)^PY$", PAGE.read_text(), re.M | re.S)[1]


class Load:
    """Calls without a pause, until it is ended."""

    def __init__(self, gateway, key):
        self.answers, self._stop = [], threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(gateway, key)) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _run(self, gateway, key):
        while not self._stop.is_set():
            self.answers.append(send(gateway, key))

    def wait_for(self, more):
        target, until = len(self.answers) + more, time.monotonic() + 60
        while len(self.answers) < target:
            assert time.monotonic() < until
            time.sleep(0.02)

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_a_copy_made_under_load_is_whole_and_can_be_put_back(start, recorder):
    gateway = start(recorder_config(recorder))
    state, key = gateway.project / ".bedplate", gateway.new_key()
    before = {send(gateway, gateway.ready)[2] for _ in range(50)}
    gateway.record(max(before))
    until = time.monotonic() + 10
    while not before <= listed(gateway):
        assert time.monotonic() < until

    load = Load(gateway, gateway.ready)
    load.wait_for(100)
    subprocess.run([sys.executable, "-c", documented()], cwd=gateway.project, check=True, timeout=60)
    load.wait_for(100)
    shutil.copy2(state / "master.key", gateway.project / "master.key")
    load.end()
    assert {answer[0] for answer in load.answers} == {200}, "copying costs no call"
    afterwards = gateway.new_key()
    assert send(gateway, key)[0] == 200

    copied = sqlite3.connect(gateway.project / "bedplate-backup.db")
    assert copied.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    copied.close()
    gateway.stop()

    # the machine is lost but for the two files, and what is in version control
    shutil.rmtree(state)
    state.mkdir(mode=0o700)
    for name, to in (("bedplate-backup.db", "bedplate.db"), ("master.key", "master.key")):
        shutil.move(gateway.project / name, state / to)
        os.chmod(state / to, 0o600)
    again = start(project=gateway.project)
    kept = listed(again)
    assert before <= kept, "everything written before the copy began is in it"
    made = before | {answer[2] for answer in load.answers}
    assert len(kept & made) > 100 and kept <= made, "and nothing else"
    totals = again.get_control("/admin/v1/totals?since=24h", {
        "Authorization": f"Bearer {(state / 'admin-key').read_text().strip()}"})
    assert sum(t["calls"] for t in json.loads(totals[2])["totals"]) == len(kept), "rows and sums are of one moment"

    # keys of that time work, with their secrets; later ones never were; and the ledger is written again
    assert send(again, key)[0] == send(again, gateway.ready)[0] == 200
    assert send(again, afterwards)[:2] == (403, "BP1002")
    assert again.record(send(again, again.ready)[2])["call"]["ending"] == "answered"
