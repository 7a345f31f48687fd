"""What is measured of one gateway."""

import json
import os
import subprocess
import threading
import time

from .machine import LOAD_CORE, open_files, start
from .plates import CONVERSE, NEEDLE, STREAM, Bedplate, Streamer

CONNECTIONS = (1, 16, 64, 256)


class Failed(Exception):
    pass


def load(tools, plate, path, *more, seconds=5, warmup=1.0, mode="signed"):
    """One run of the load client; what it printed."""
    argv = [tools.built / "load", "--url", plate.url, "--path", path, "--mode", mode,
            "--secs", seconds, "--warmup", warmup, "--pids", ",".join(map(str, plate.pids())), *more]
    if plate.ca:
        argv += ["--ca", plate.ca]
    child = start(argv, LOAD_CORE, env={**os.environ, **plate.env()}, text=True, stdin=subprocess.DEVNULL,
                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = child.communicate(timeout=seconds + warmup + 150)
    finally:
        child.kill()
    if child.returncode != 0:
        raise Failed(f"the load client failed on {plate.name}: {err.strip()[-500:]}")
    return json.loads(out)


def requests(tools, plate, quiet, seconds, connections=CONNECTIONS, rate=1000):
    """Closed loops, then an open loop. CPU per request is what counts; latency needs a quiet machine."""
    row = {"ready_ms": plate.ready_ms, "cold_ms": plate.cold_ms}
    if plate.process:
        time.sleep(1)
        row["idle_mib"] = plate.process.rss_mib()
    for c in connections:
        run = lambda c=c: load(tools, plate, CONVERSE, "--connections", c, "--expect", NEEDLE, seconds=seconds)
        row[f"c{c}"] = quiet.window(run)
    if rate:
        run = lambda: load(tools, plate, CONVERSE, "--connections", 64, "--rate", rate, "--expect", NEEDLE, seconds=seconds)
        row[f"q{rate}"] = quiet.window(run)
    if plate.process:
        row["peak_mib"] = plate.process.peak_mib()
    return row


def streams(tools, make, quiet, seconds):
    """Eight streams at a time: 50 texts 10 ms apart, then 200 texts in one burst."""
    row = {}
    for kind, chunks, delay in (("paced", 50, 10_000), ("burst", 200, 0)):
        upstream = Streamer(tools, chunks, delay)
        plate = None
        try:
            plate = make(upstream)
            run = lambda: load(tools, plate, STREAM, "--stream", "--connections", 8, seconds=seconds)
            row[kind] = quiet.window(run)
            if row[kind]["bad"] or row[kind]["deltas_per_stream"] != chunks:
                raise Failed(f"{plate.name} damaged streams ({kind}): {row[kind]}")
        finally:
            if plate:
                plate.forget() if isinstance(plate, Bedplate) else plate.stop()
            upstream.stop()
    return row


def open_streams(tools, make, count):
    """Memory of a gateway that holds `count` slow streams, a text each four seconds."""
    # a stream takes two descriptors of the gateway
    count = min(count, (open_files(2 * count + 512) - 512) // 2)
    upstream = Streamer(tools, 10_000, 4_000_000)
    plate = None
    try:
        plate = make(upstream)
        # a first, small wave, so that what is paid once is not counted for each stream
        once = min(64, count)
        _hold(tools, plate, once, None)
        before = plate.process.rss_mib()
        held = {}
        _hold(tools, plate, count, lambda: held.update(mib=plate.process.rss_mib()))
        grown = held["mib"] - before
        return {"streams": count, "before_mib": before, "held_mib": held["mib"], "kib_per_stream": grown * 1024 / count}
    finally:
        if plate:
            plate.forget() if isinstance(plate, Bedplate) else plate.stop()
        upstream.stop()


def _hold(tools, plate, count, look):
    argv = [tools.built / "load", "--url", plate.url, "--path", STREAM, "--open-streams", count]
    holder = start(argv, LOAD_CORE, env={**os.environ, **plate.env()}, text=True, stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE)
    # whatever happens the streams end
    guard = threading.Timer(180, holder.kill)
    guard.start()
    try:
        said = json.loads(holder.stdout.readline() or "{}")
        if said.get("open") != count:
            raise Failed(f"{plate.name} did not hold {count} streams: {said}")
        if look:
            time.sleep(3)
            look()
        holder.stdin.close()
        end = json.loads(holder.stdout.readline() or "{}")
        if end.get("broken"):
            raise Failed(f"{plate.name} broke streams that were held: {end}")
    finally:
        guard.cancel()
        holder.kill()
        holder.wait()
        holder.stdout.close()


def starts(tools, upstream, times):
    """Milliseconds until bedplate is ready and has given its first answer: in a new project, and again."""
    row = {"new_ready_ms": [], "new_cold_ms": [], "again_ready_ms": [], "again_cold_ms": []}
    for _ in range(times):
        first = Bedplate(tools, upstream)
        row["new_ready_ms"].append(first.ready_ms)
        row["new_cold_ms"].append(first.cold_ms)
        first.stop()
        second = Bedplate(tools, upstream, project=first.project)
        row["again_ready_ms"].append(second.ready_ms)
        row["again_cold_ms"].append(second.cold_ms)
        second.forget()
    return row
