"""A gateway with a file system of its own: what is mounted there is seen by it alone, and goes with it.

Needs the right to mount: run as root. Where that is missing, starting fails and says so.
"""

import os
import subprocess
from pathlib import Path

from gateway import Gateway


class Apart(Gateway):
    """Runs `mounts`, a line of shell, in a mount namespace of its own, then `bedplate up` there."""

    def __init__(self, project, config, mounts, **environment):
        super().__init__(project, config, **environment)
        self.mounts = mounts

    def command(self):
        # exec by exec, so that the process id stays that of bedplate
        return ["unshare", "--mount", "sh", "-c", f'{self.mounts} && exec "$@"', "apart", *super().command()]

    def start(self):
        tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
        assert tried.returncode == 0, f"these tests mount things, which is not allowed here: {tried.stderr}"
        return super().start()

    def seen(self, path):
        """The path as the gateway sees it, for us."""
        return Path(f"/proc/{self.pid}/root") / os.path.relpath(path, "/")
