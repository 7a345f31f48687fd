"""Where bedplate spends its time under load."""

import os
import re
import subprocess

from . import measure
from .machine import need
from .plates import CONVERSE, NEEDLE, STREAM, Bedplate, Streamer, Upstream


def profile(tools, stream, seconds, top):
    upstream = Streamer(tools, 200, 0) if stream else Upstream(tools)
    plate = Bedplate(tools, upstream)
    path = STREAM if stream else CONVERSE
    more = ["--stream", "--connections", 8] if stream else ["--connections", 64, "--expect", NEEDLE]
    try:
        perf = need("perf", "linux-perf")
        data = tools.folder / "perf.data"
        measure.load(tools, plate, path, *more, seconds=1)
        record = subprocess.Popen(
            [perf, "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g", "--call-graph", "dwarf,16384" if os.environ.get("DWARF") else "fp",
             "-p", str(plate.pids()[0]), "-o", str(data), "--", "sleep", str(seconds)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        got = measure.load(tools, plate, path, *more, seconds=seconds)
        record.wait(seconds + 60)
        count = got.get("requests") or got.get("deltas") or 1
        unit = "chunk" if stream else "request"
        each = got["cpu_s"] * 1e6 / count
        print(f"{count:,} {unit}s, {each:.1f} µs CPU each\n")
        for title, key in (("by thread", "comm"), ("by object", "dso"), ("by function, self", "dso,symbol")):
            report = subprocess.run(
                [perf, "report", "-i", str(data), "--no-children", "-g", "none", "--stdio", "--percent-limit", "0.4", "-s", key],
                capture_output=True, text=True, timeout=300,
            ).stdout
            lines = [line for line in report.splitlines() if re.match(r"\s+\d", line)]
            print(title)
            for line in lines[:top]:
                share = float(line.split("%")[0])
                print(f"  {share:5.2f}%  {share * each / 100:6.2f} µs  {line.split('%', 1)[1].strip()}")
            print()
        keep = os.environ.get("KEEP_PERF")
        if keep:
            os.replace(data, keep)
    finally:
        plate.forget()
        upstream.stop()
