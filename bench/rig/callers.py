"""Simulators, gateways and callers for runs that measure behaviour, not speed: nothing is pinned to a core."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from .machine import ROOT

READY_WITHIN = 30
#: What a gateway signs with; the simulators let everybody in.
UPSTREAM = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIABENCHBENCHBENCH1", "AWS_SECRET_ACCESS_KEY": "bench"}


class Service:
    """A bedplate command that says where it listens, and ends with the run."""

    def __init__(self, bedplate, folder, name, *arguments):
        self.log = open(folder / f"{name}.log", "ab")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "BEDPLATE_"))}
        self.child = subprocess.Popen(
            [bedplate, *map(str, arguments), "--format", "json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.log, cwd=folder, env={**kept, **UPSTREAM})
        guard = threading.Timer(READY_WITHIN, self.child.kill)
        guard.start()
        line = self.child.stdout.readline()
        guard.cancel()
        if not line:
            raise SystemExit(f"bench: `bedplate {name}` did not start: {(folder / f'{name}.log').read_text()[-2000:]}")
        self.ready = json.loads(line)

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        self.log.close()


def simulator(bedplate, folder, name, config):
    """`bedplate sim` with the configuration."""
    path = folder / f"{name}.toml"
    path.write_text(config)
    return Service(bedplate, folder, name, "sim", "--listen", "127.0.0.1:0", "--config", path)


def gateway(bedplate, folder, name, config):
    """`bedplate up` with the configuration."""
    project = folder / name
    project.mkdir()
    (project / "bedplate.toml").write_text(config)
    return Service(bedplate, folder, f"{name}-up", "up", "--project", project, "--data", "127.0.0.1:0", "--control", "127.0.0.1:0")


def python():
    """The tests' Python, which has boto3; it is set up as scripts/test does."""
    cache = Path(os.environ.get("BEDPLATE_CACHE", Path.home() / ".cache/bedplate"))
    path = cache / "venv/bin/python"
    if not path.exists():
        subprocess.run([sys.executable, "-m", "venv", cache / "venv"], check=True)
        subprocess.run([path, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "-r", ROOT / "tests/requirements.txt"], check=True)
    return path


class Load:
    """The callers at work, in a process of their own."""

    def __init__(self, plan):
        self.child = subprocess.Popen(
            [python(), ROOT / "bench/rig/caller.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.child.stdin.write(json.dumps(plan))
        self.child.stdin.close()
        self.child.stdin = None
        # so that who waits for it knows when the clock started
        if self.child.stderr.readline() != "began\n":
            raise SystemExit(f"bench: the callers did not start: {self.child.stderr.read()[-2000:]}")

    def result(self, seconds):
        try:
            out, err = self.child.communicate(timeout=seconds)
        finally:
            self.child.kill()
        if self.child.returncode:
            raise SystemExit(f"bench: the callers failed: {err[-2000:]}")
        return json.loads(out)
