"""A PostgreSQL of one test's own, that can be stopped and started again: scripts/lib/postgres.sh behind a pipe."""

import shutil
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

    def ask(self, sql):
        """The one row that a question gives, as texts."""
        # Debian keeps the programs off PATH
        psql = shutil.which("psql") or sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1]
        done = subprocess.run([psql, self.url, "--no-psqlrc", "--tuples-only", "--no-align", "--command", sql],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().split("|")

    def end(self):
        self.shell.stdin.close()
        self.shell.wait(30)

    def _do(self, command):
        self.shell.stdin.write(f"{command}\n")
        self.shell.stdin.flush()
        assert self.shell.stdout.readline().strip() == "done", command
