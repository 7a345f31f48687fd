"""A real, small language model that speaks OpenAI's chat completions (tests/llm): what it says, nobody scripted."""

import http.client
import json
import os
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit

from gateway import clean_environment

KEY = "sk-of-the-small-model"
READY_WITHIN, AT_MOST = 60, 600
#: The weights: `scripts/test` gets them, where there is a registry to get them from.
WEIGHTS = os.environ.get("BEDPLATE_TEST_MODEL")


def binary():
    root = Path(__file__).resolve().parents[2]
    path = Path(os.environ.get("CARGO_TARGET_DIR", root / "tests/llm/target")) / "release" / "bedplate-llm"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built: run `scripts/test llm e2e`")
    return str(path)


class Model:
    """A running server. It ends when it is stopped, and by itself after `AT_MOST` seconds."""

    def __init__(self, folder):
        self.log = folder / "requests.jsonl"
        self.process = subprocess.Popen(
            [binary(), "--model", WEIGHTS, "--key", KEY, "--log", str(self.log), "--seconds", str(AT_MOST)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=clean_environment())
        guard = threading.Timer(READY_WITHIN, self.process.kill)
        guard.start()
        line = self.process.stdout.readline()
        guard.cancel()
        assert line, "the model's server did not start"
        ready = json.loads(line)
        self.url, self.name = ready["url"], ready["model"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()

    def heard(self):
        """What came, and what was said to it: one for each request, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def ask(self, **body):
        """Asks it directly, without bedplate: (status, answer)."""
        to = urlsplit(self.url)
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=60)
        try:
            connection.request("POST", f"{to.path}/chat/completions", json.dumps({"model": self.name} | body),
                               {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()
