"""An emulator of CloudWatch Logs (moto's server) on a port of its own, and what it holds."""

import signal
import socket
import subprocess
import sys
import tempfile
import time

import boto3

REGION = "eu-central-1"
STREAM = "gateway-1"
METRICS, CALLS = "/bedplate/metrics", "/bedplate/calls"
#: Seconds after which an emulator ends by itself, whatever became of the test.
LIFE = 110


class Emulator:
    """Knows no group at first; forgets everything when it is stopped."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.output = tempfile.TemporaryFile()
        life = ["timeout", "--kill-after=2", str(LIFE)]
        server = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen([*life, *server], stdout=self.output, stderr=self.output,
                                        stdin=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.output.seek(0)
                    said = self.output.read().decode(errors="replace")
                    raise AssertionError(f"the emulator did not start:\n{said}") from None
                time.sleep(0.05)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)

    def client(self):
        return boto3.client("logs", region_name=REGION, endpoint_url=self.url,
                            aws_access_key_id="reader", aws_secret_access_key="reader")

    def groups(self):
        return {g["logGroupName"] for g in self.client().describe_log_groups()["logGroups"]}

    def events(self, group):
        """[(time in milliseconds, line)] as the stream holds them; [] when it is not there."""
        client, found, token = self.client(), [], None
        while True:
            more = {"nextToken": token} if token else {}
            try:
                page = client.get_log_events(logGroupName=group, logStreamName=STREAM, startFromHead=True, **more)
            except client.exceptions.ResourceNotFoundException:
                return []
            found += [(e["timestamp"], e["message"]) for e in page["events"]]
            if not page["events"] or page["nextForwardToken"] == token:
                return found
            token = page["nextForwardToken"]

    def lines(self, group):
        return [line for _, line in self.events(group)]


def config(url, **keys):
    """A bedplate on the simulator that writes both logs to files, too, to compare with."""
    wanted = {"calls": CALLS, "stream": STREAM, "region": REGION, "endpoint": url, "flush": "100ms"} | keys
    return "\n".join([
        '[log]\ncalls = { file = "calls.log" }',
        '[emf]\nto = { file = "emf.log" }\nflush = "1s"',
        '[sim]\nlatency = "off"',
        "[cloudwatch]", *(f'{key} = "{value}"' for key, value in wanted.items()),
    ]) + "\n"
