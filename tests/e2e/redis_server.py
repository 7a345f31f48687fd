"""A Redis of one test's own, that can be stopped: scripts/lib/redis.sh behind a pipe."""

import subprocess
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[2] / "scripts/lib/redis.sh"
#: Ends, and stops the server, when its input does.
SCRIPT = """
source "$1"
redis_start || exit 1
echo "$BEDPLATE_TEST_REDIS"
while read -r command; do
  case $command in
    halt) kill "$REDIS_PID"; wait "$REDIS_PID"; echo done ;;
    resume) _redis_run && echo done || echo failed ;;
  esac
done
redis_stop
"""


class Redis:
    def __init__(self):
        self.shell = subprocess.Popen(["bash", "-c", SCRIPT, "redis", str(FUNCTIONS)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = self.shell.stdout.readline().strip()
        assert self.url.startswith("redis://"), "Redis did not start"

    def ask(self, *words):
        """What `redis-cli` prints, as bytes."""
        done = subprocess.run(["redis-cli", "-u", self.url, "--raw", *words], capture_output=True, check=True, timeout=20)
        return done.stdout.rstrip(b"\n")

    def halt(self):
        self._do("halt")

    def resume(self):
        """Starts it again on its port, empty."""
        self._do("resume")

    def end(self):
        self.shell.stdin.close()
        self.shell.wait(30)

    def _do(self, command):
        self.shell.stdin.write(f"{command}\n")
        self.shell.stdin.flush()
        assert self.shell.stdout.readline().strip() == "done", command
