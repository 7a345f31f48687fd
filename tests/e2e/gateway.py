"""Starts the built bedplate on ports of its own with a project of its own, and stops it."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import botocore.config

READY_WITHIN = 30.0
#: What bedplate signs its own upstream requests with, in tests that watch the upstream.
UPSTREAM_KEY, UPSTREAM_SECRET = "AKIAUPSTREAMEXAMPLE0", "upstream/secret/EXAMPLE/0123456789abcdef"
NOVA = "us.amazon.nova-lite-v1:0"
HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"


def binary():
    """The bedplate under test: `BEDPLATE_BIN`, else the debug build."""
    if path := os.environ.get("BEDPLATE_BIN"):
        return path
    root = Path(__file__).resolve().parents[2]
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    path = target / "debug" / "bedplate"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built: run `cargo build -p bedplate`, or scripts/test")
    return str(path)


def clean_environment(**more):
    """This process's environment without anything an AWS SDK could find credentials in."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "BEDPLATE_"))}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
                   "AWS_SHARED_CREDENTIALS_FILE": os.devnull, **more}


def recorder_config(recorder, metadata=False, extra="", provider=""):
    """A bedplate.toml that sends every call to a recording upstream."""
    return f"""
{extra}

[[provider]]
name = "recorder"
kind = "bedrock"
region = "us-east-1"
account = "123456789012"
endpoints = {{ runtime = "{recorder.url}", control = "{recorder.url}" }}
request_metadata = {str(metadata).lower()}
{provider}
"""


class Gateway:
    """A running `bedplate up`."""

    def __init__(self, project, config=None, *arguments, **environment):
        self.project = Path(project)
        self.project.mkdir(parents=True, exist_ok=True)
        if config is not None:
            (self.project / "bedplate.toml").write_text(config)
        self.arguments = arguments
        self.environment = clean_environment(
            AWS_ACCESS_KEY_ID=UPSTREAM_KEY, AWS_SECRET_ACCESS_KEY=UPSTREAM_SECRET
        ) | environment
        self.log_path = self.project / "stderr.log"
        self.process = None

    def command(self):
        return [binary(), "up", "--project", str(self.project), "--data", "127.0.0.1:0",
                "--control", "127.0.0.1:0", "--format", "json", *self.arguments]

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                env=self.environment, cwd=self.project,
                # SIGXFSZ stays ignored, so that a limit on file sizes is an error and not an end.
                restore_signals=False,
            )
        line = _line_within(self.process.stdout, READY_WITHIN)
        if not line:
            self.kill()
            raise AssertionError(f"bedplate up did not become ready:\n{self.log()}")
        self.ready = json.loads(line)
        # Nothing else reads stdout: keep the pipe from filling.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *_):
        self.stop()

    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def data(self):
        return self.ready["data"]

    @property
    def control(self):
        return self.ready["control"]

    @property
    def pid(self):
        return self.process.pid

    def signal(self, what):
        os.kill(self.process.pid, what)

    def stop(self, seconds=20):
        """Ends it as an operator would; a drain that takes too long is an error."""
        if self.process is None or self.process.poll() is not None:
            return
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"bedplate did not drain within {seconds} s:\n{self.log()[-4000:]}") from None

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    # ---- as callers see it ----

    def client(self, service="bedrock-runtime", key=None, **config):
        """A boto3 client that is told nothing but the endpoint and a key pair."""
        key = key or self.ready
        defaults = {"retries": {"total_max_attempts": 1, "mode": "standard"}, "read_timeout": 30}
        return boto3.session.Session().client(
            service, region_name="us-east-1", endpoint_url=self.data,
            aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"],
            verify=self.ready.get("ca_file") or None,
            config=botocore.config.Config(**(defaults | config)),
        )

    def raw(self, method, target, body=b"", headers=None, timeout=30):
        """One request as given: nothing is signed, added or encoded but Host and Content-Length."""
        return http_request(self.data, method, target, body, headers, timeout, self.ready.get("ca_file"))

    def get_control(self, path, headers=None):
        return http_request(self.control, "GET", path, b"", headers, 30, self.ready.get("ca_file"))

    # ---- as operators see it ----

    def cli(self, *arguments, ok=True, **environment):
        """Runs a bedplate command on this project."""
        return cli(*arguments, project=self.project, ok=ok, **environment)

    def cli_json(self, *arguments, **environment):
        return json.loads(self.cli(*arguments, "--format", "json", **environment).stdout)

    def record(self, call_id, seconds=5.0):
        """What the ledger holds of a call: {"call": …, "attempts": […]}. Waits for it to be settled."""
        until = time.monotonic() + seconds
        while True:
            done = self.cli("calls", "show", call_id, "--format", "json", ok=None)
            if done.returncode == 0:
                return json.loads(done.stdout)
            if time.monotonic() > until:
                raise AssertionError(f"no record of call {call_id}: {done.stderr}")
            time.sleep(0.05)

    def new_key(self, *arguments, team="team-a", feature="feature-a", env="test", risk="internal"):
        return self.cli_json("key", "create", "--team", team, "--feature", feature, "--env", env,
                             "--risk-profile", risk, *arguments)

    def metrics(self):
        """Every sample at /metrics: {(name, frozenset of labels): value}."""
        status, _, body = self.get_control("/metrics")
        assert status == 200
        return parse_metrics(body.decode())


def cli(*arguments, project=None, ok=True, timeout=60, **environment):
    """Runs bedplate; with `ok` True a failure is an error, with a number that exit code is expected."""
    where = ["--project", str(project)] if project else []
    done = subprocess.run(
        [binary(), *arguments, *where], capture_output=True, text=True, timeout=timeout,
        env=clean_environment(**environment), stdin=subprocess.DEVNULL,
    )
    if ok is not None:
        expected = 0 if ok is True else ok
        assert done.returncode == expected, (
            f"`bedplate {' '.join(arguments)}` ended with {done.returncode}, not {expected}\n"
            f"stdout: {done.stdout}\nstderr: {done.stderr}"
        )
    return done


def http_request(base, method, target, body=b"", headers=None, timeout=30, ca_file=None):
    """Gives (status, headers with lower-case names, body)."""
    to = urlsplit(base)
    if to.scheme == "https":
        connection = http.client.HTTPSConnection(
            to.hostname, to.port, timeout=timeout, context=ssl.create_default_context(cafile=ca_file)
        )
    else:
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=timeout)
    try:
        headers = dict(headers or {})
        names = {n.lower() for n in headers}
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        if "host" not in names:
            connection.putheader("Host", f"{to.hostname}:{to.port}")
        if "content-length" not in names and "transfer-encoding" not in names and body is not None:
            connection.putheader("Content-Length", str(len(body)))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            if body:
                connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body was read: the answer is what counts
        reply = connection.getresponse()
        return reply.status, {n.lower(): v for n, v in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def parse_metrics(text):
    samples = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series, value = line.rsplit(" ", 1) if " # " not in line else line.split(" # ")[0].rsplit(" ", 1)
        name, _, labels = series.partition("{")
        pairs = []
        rest = labels.rstrip("}")
        while rest:
            label, rest = rest.split('="', 1)
            text_value, rest = rest.split('"', 1)
            pairs.append((label.strip(","), text_value))
            rest = rest.lstrip(",")
        samples[(name, frozenset(pairs))] = float(value)
    return samples


def _line_within(stream, seconds):
    found = []
    reader = threading.Thread(target=lambda: found.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return found[0] if found else b""
