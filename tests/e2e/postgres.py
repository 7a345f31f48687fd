"""A PostgreSQL of one test's own, that can be stopped and started again: scripts/lib/postgres.sh behind a pipe."""

import subprocess
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[2] / "scripts/lib/postgres.sh"
#: Ends, and stops the server, when its input does.
SCRIPT = """
source "$1"
postgres_start || exit 1
echo "$BEDPLATE_TEST_POSTGRES"
while read -r command; do "postgres_$command" && echo done || echo failed; done
postgres_stop
"""


class Postgres:
    def __init__(self):
        self.shell = subprocess.Popen(["bash", "-c", SCRIPT, "postgres", str(FUNCTIONS)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = self.shell.stdout.readline().strip()
        assert self.url.startswith("postgres://"), "PostgreSQL did not start"

    def halt(self):
        self._do("halt")

    def resume(self):
        self._do("resume")

    def freeze(self):
        self._do("freeze")

    def thaw(self):
        self._do("thaw")

    def end(self):
        self.shell.stdin.close()
        self.shell.wait(30)

    def _do(self, command):
        self.shell.stdin.write(f"{command}\n")
        self.shell.stdin.flush()
        assert self.shell.stdout.readline().strip() == "done", command
