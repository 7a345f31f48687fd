"""Where bedplate spends its time under load: perf's samples, in microseconds a request or chunk."""

import os
import re
import subprocess

from . import controls, measure
from .machine import need
from .plates import CONVERSE, NEEDLE, STREAM, Bedplate, Streamer, Upstream

VIEWS = (("by thread", "comm"), ("by object", "dso"), ("by function, without what it calls", "dso,symbol"))


def profile(tools, stream, seconds, top, keep, row=None):
    """Prints the top of the profile; `keep` is where perf's data goes for a closer look, `row` one of `controls`."""
    perf = need("perf", "linux-perf")
    upstream = Streamer(tools, 200, 0) if stream else Upstream(tools)
    path, unit = (STREAM, "chunk") if stream else (CONVERSE, "request")
    more = ["--stream", "--connections", 8] if stream else ["--connections", 64, "--expect", NEEDLE]
    data = tools.folder / "perf.data"
    config = ""
    if row is not None:
        name, config, path = controls.rows(upstream.url)[row]
        print(f"with {name}\n")
    plate = Bedplate(tools, upstream, more=config)
    try:
        measure.load(tools, plate, path, *more, seconds=1)
        # without hardware counters: a virtual machine may have none; stacks only for a closer look, as
        # copying them costs more than the work that is measured
        stacks = ["--call-graph", "dwarf,16384"] if keep else []
        record = subprocess.Popen(
            [perf, "record", "-q", "-e", "cpu-clock", "-F", "997" if keep else "1999", *stacks, "-p", str(plate.pids()[0]),
             "-o", str(data), "--", "sleep", str(seconds)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            got = measure.load(tools, plate, path, *more, seconds=seconds)
            record.wait(seconds + 60)
        finally:
            record.kill()
    finally:
        plate.forget()
        upstream.stop()
    if not data.exists() or not data.stat().st_size:
        raise measure.Failed("perf records nothing here; see /proc/sys/kernel/perf_event_paranoid, or use valgrind --tool=callgrind")
    count = got["deltas"] if stream else got["requests"]
    each = got["cpu_s"] * 1e6 / max(count, 1)
    print(f"{count:,} {unit}s, {each:.1f} µs CPU each\n")
    for title, key in VIEWS:
        print(title)
        for share, name in shares(perf, data, key)[:top]:
            print(f"  {share:5.2f}%  {share * each / 100:6.2f} µs  {name}")
        print()
    if keep:
        os.replace(data, keep)
        print(f"perf report -i {keep}")


def shares(perf, data, key):
    """(percent, name) in falling order."""
    argv = [perf, "report", "-i", str(data), "--no-children", "-g", "none", "--stdio", "--percent-limit", "0.3", "-s", key]
    out = subprocess.run(argv, capture_output=True, text=True, timeout=600).stdout
    lines = (re.match(r"\s*(\d+\.\d+)%\s+(.*\S)", line) for line in out.splitlines())
    return [(float(m[1]), re.sub(r"\s+", " ", m[2])) for m in lines if m]
