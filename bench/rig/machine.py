"""Processes pinned to cores, what they use, and how quiet the machine is."""

import atexit
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

LOAD_CORE = os.environ.get("LOAD_CORE", "0")
GATEWAY_CORE = os.environ.get("GATEWAY_CORE", "1")
TICK = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).resolve().parents[2]
# other programs' CPU, of one core, above which a window counts as disturbed
QUIET = 0.05
# of everything that is started; set once, by --nice
PRIORITY = {"nice": 0}


def note(text):
    print(text, file=sys.stderr, flush=True)


def stat_fields(pid):
    # the name, in brackets, may hold blanks
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def children():
    """Process id -> ids of its children."""
    kids = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                kids.setdefault(int(stat_fields(entry)[1]), []).append(int(entry))
            except (OSError, IndexError):
                pass
    return kids


def tree(pid, kids=None):
    kids = kids or children()
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += kids.get(one, [])
    return found


def start(argv, core, **more):
    """Starts a program on one core, in a session of its own."""
    argv = ["taskset", "-c", core, *map(str, argv)]
    child = subprocess.Popen(argv, start_new_session=True, **more)
    if nice := PRIORITY["nice"]:
        # Linux shares the CPU out among sessions first: niceness inside one is not felt by others
        try:
            Path(f"/proc/{child.pid}/autogroup").write_text(str(nice))
            os.setpriority(os.PRIO_PGRP, child.pid, nice)
        except OSError as e:
            note(f"bench: the priority cannot be set: {e}")
    return child


class Process:
    """A child on one core, in a session of its own, stopped by its id."""

    def __init__(self, name, argv, core, cwd, env=None, stdout=None):
        self.name, self.log = name, cwd / f"{name}.log"
        self._log = open(self.log, "ab")
        self.began = time.monotonic()
        self.child = start(
            argv, core, cwd=cwd, env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=stdout or self._log, stderr=self._log,
        )
        # also when the one who started it fails before it can hold on to it
        atexit.register(self.stop)

    def pids(self):
        return tree(self.child.pid)

    def rss_mib(self):
        total = 0
        for pid in self.pids():
            try:
                m = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
                total += int(m[1]) if m else 0
            except OSError:
                pass
        return total / 1024

    def peak_mib(self):
        """The highest resident set of each process of the tree, summed."""
        total = 0
        for pid in self.pids():
            try:
                m = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
                total += int(m[1]) if m else 0
            except OSError:
                pass
        return total / 1024

    def alive(self):
        return self.child.poll() is None

    def tail(self):
        return self.log.read_bytes()[-2000:].decode(errors="replace")

    def stop(self):
        if self.alive():
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                for pid in self.pids():
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except OSError:
                        pass
                self.child.wait()
        if self.child.stdout:
            self.child.stdout.close()
        self._log.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.alive():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"bench: {process.name} does not listen\n{process.tail()}")


def cpu_of_others():
    """CPU seconds of everything on this machine but this run, and time stolen by the host."""
    user, nice, system, _, _, _, _, steal = map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    own = 0
    for pid in tree(os.getpid()):
        try:
            # children that have ended are counted with their parent
            own += sum(map(int, stat_fields(pid)[11:15]))
        except OSError:
            pass
    return (user + nice + system + steal - own) / TICK


class Quiet:
    """Waits for a quiet machine while its allowance lasts, and says how quiet it was."""

    def __init__(self, allowance):
        self.left = allowance

    def window(self, measure):
        """What `measure` gives, from the quietest of up to three windows, with its `noise`."""
        best = None
        for _ in range(3):
            self._wait()
            before, began = cpu_of_others(), time.monotonic()
            got = measure()
            took = time.monotonic() - began
            got["noise"] = max(0.0, (cpu_of_others() - before) / took)
            if best is None or got["noise"] < best["noise"]:
                best = got
            if best["noise"] <= QUIET or self.left <= 0:
                break
            self.left -= took
        return best

    def _wait(self):
        while self.left > 0:
            before = cpu_of_others()
            time.sleep(1)
            if cpu_of_others() - before <= QUIET:
                return
            self.left -= 1


def open_files(wanted):
    """Raises the limit of open files as far as allowed; gives what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (wanted, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, hard)))
            return limit
        except (ValueError, OSError):
            continue
    return soft


def need(program, package):
    """The program's path; its Debian package is installed when it is missing."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path:
        return path
    note(f"bench: installing {package}")
    sudo = ["sudo", "-n"] if os.geteuid() != 0 and shutil.which("sudo") else []
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    subprocess.run([*sudo, *apt, "update"], check=False, stdout=subprocess.DEVNULL)
    done = subprocess.run([*sudo, *apt, "install", "-y", "--no-install-recommends", package], stdout=subprocess.DEVNULL)
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not path:
        raise SystemExit(f"bench: `{program}` is missing, and installing {package} failed ({done.returncode})")
    return path
