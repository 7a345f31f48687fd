"""Simulators of their own, each a Bedrock in another region."""

import http.client
import json
import subprocess
import threading
from urllib.parse import urlsplit

from gateway import binary, clean_environment

READY_WITHIN = 30


class Simulator:
    """A running `bedplate sim` that lets everybody in and answers at once."""

    def __init__(self, folder, name, more=""):
        config = folder / f"{name}.toml"
        config.write_text(f'auth = "any"\nlatency = "off"\n{more}\n[[model]]\nid = "*"\nerror_rate = 0.0\n')
        self.log = open(folder / f"{name}.log", "ab")
        self.process = subprocess.Popen(
            [binary(), "sim", "--listen", "127.0.0.1:0", "--config", str(config), "--format", "json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, env=clean_environment())
        guard = threading.Timer(READY_WITHIN, self.process.kill)
        guard.start()
        line = self.process.stdout.readline()
        guard.cancel()
        assert line, "bedplate sim did not start"
        self.url = json.loads(line)["endpoint"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
        self.log.close()

    def faults(self, rules):
        """From now on these faults strike, and no others."""
        self._ask("PUT", "/__sim/faults", json.dumps(rules))

    def quotas(self):
        return self._ask("GET", "/__sim/quotas")["quotas"]

    def _ask(self, method, path, body=None):
        to = urlsplit(self.url)
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return json.loads(text)
        finally:
            connection.close()
