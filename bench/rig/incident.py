"""A region dies under load, three ways, and comes back: what callers see of it, and how long bedplate takes.

Two simulators stand for two regions behind one alias; boto3 calls it, whole and streamed, and never asks twice.
"""

import json
import threading
import time
import urllib.request
from pathlib import Path

from .callers import Load, gateway, simulator
from .machine import ROOT, note
from .plot import incident as plot
from .report import table

MODEL = "us.amazon.nova-lite-v1:0"
RATE = 12
CALM, ILL, WELL = 10, 12, 34
KINDS = [
    ("resets", [{"kind": "reset"}]),
    ("throttles", [{"kind": "throttle"}]),
    ("stalls", [{"kind": "stall", "after": 0, "delay": "60s"}]),
]
REGIONS = ("east", "west")
SIM = """
auth = "any"
keep_requests = 0

[[model]]
id = "*"
error_rate = 0.0
first_token = "150ms"
per_token = "4ms"
"""


def gateway_config(sims):
    providers = "".join(f"""
[[provider]]
name = "{name}"
kind = "bedrock"
region = "{region}"
endpoints = {{ runtime = "{sims[name].ready['endpoint']}", control = "{sims[name].ready['endpoint']}" }}
""" for name, region in zip(REGIONS, ("us-east-1", "us-west-2")))
    return f"""{providers}
[[model]]
name = "support"
targets = ["east/{MODEL}", "west/{MODEL}"]
timeout = {{ connect = "1s", first_token = "1500ms", idle = "2s", total = "20s" }}
"""


class Watch(threading.Thread):
    """Reads the gateway's metrics ten times a second."""

    def __init__(self, control, began):
        super().__init__(daemon=True)
        self.url, self.began, self.rows, self.over = f"{control}/metrics", began, [], threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                lines = answer.read().decode().splitlines()
            row = {"at": time.monotonic() - self.began, "open": {}, "asked": dict.fromkeys(REGIONS, 0), "well": dict.fromkeys(REGIONS, 0)}
            for line in lines:
                name = next((r for r in REGIONS if f'provider="{r}"' in line), None)
                if name and line.startswith("bedplate_breaker_state{"):
                    row["open"][name] = float(line.rsplit(" ", 1)[1])
                if name and line.startswith("bedplate_upstream_attempts_total{"):
                    count = float(line.rsplit(" ", 1)[1])
                    row["asked"][name] += count
                    row["well"][name] += count if 'status="200"' in line else 0
            self.rows.append(row)


def put(sim, rules):
    request = urllib.request.Request(f"{sim.ready['endpoint']}/__sim/faults", json.dumps(rules).encode(), method="PUT")
    urllib.request.urlopen(request, timeout=5).read()


def run(bedplate, folder):
    sims = {name: simulator(bedplate, folder, name, SIM) for name in REGIONS}
    services, watch, load = list(sims.values()), None, None
    try:
        up = gateway(bedplate, folder, "gateway", gateway_config(sims))
        services.append(up)
        lasts = CALM + len(KINDS) * (ILL + WELL)
        load = Load({
            "endpoint": up.ready["data"], "access_key_id": up.ready["access_key_id"],
            "secret_access_key": up.ready["secret_access_key"], "model": "support", "mix": [1, 0, 0], "seed": 5,
            "streamed": 0.5, "threads": 200, "retries": {"mode": "standard", "total_max_attempts": 1},
            "prompt": [20, 60], "writes": [40, 120], "most": 300, "phases": [{"secs": lasts, "rate": RATE}],
        })
        began = time.monotonic()
        watch = Watch(up.ready["control"], began)
        watch.start()
        phases = []
        at = CALM
        for kind, rules in KINDS:
            time.sleep(max(0.0, began + at - time.monotonic()))
            put(sims["east"], rules)
            ill = time.monotonic() - began
            time.sleep(max(0.0, began + at + ILL - time.monotonic()))
            put(sims["east"], [])
            phases.append({"kind": kind, "from": ill, "to": time.monotonic() - began})
            note(f"{kind}: from {ill:.1f} s to {phases[-1]['to']:.1f} s")
            at += ILL + WELL
        fates = load.result(WELL + 60)["fates"]
        watch.over.set()
        watch.join(10)
        return {"fates": fates, "watched": watch.rows, "phases": phases, "lasts": lasts}
    finally:
        if watch:
            watch.over.set()
        if load:
            load.child.kill()
        for service in reversed(services):
            service.stop()


def figures(seen):
    rows = []
    for n, phase in enumerate(seen["phases"]):
        until = seen["phases"][n + 1]["from"] if n + 1 < len(seen["phases"]) else seen["lasts"]
        mine = [f for f in seen["fates"] if phase["from"] <= f["due"] < phase["to"]]
        firsts = sorted(f["first"] for f in mine if f["first"] is not None)
        failed = [f for f in mine if f["error"]]
        watched = [w for w in seen["watched"] if phase["from"] <= w["at"]]
        ejected = next((w["at"] for w in watched if w["at"] < phase["to"] and w["open"].get("east", 0) > 1), None)
        rows.append({
            "kind": phase["kind"], "calls": len(mine), "failed": len(failed),
            "failed_before_first": sum(f["first"] is None for f in failed),
            "asked": asked(seen["watched"], "east", phase["from"], phase["to"]),
            "p50": firsts[len(firsts) // 2], "p99": firsts[len(firsts) * 99 // 100],
            "eject": ejected - phase["from"] if ejected else None,
            "back": back(seen["watched"], phase["to"], until),
        })
    calm = [f for f in seen["fates"] if f["due"] < seen["phases"][0]["from"]]
    firsts = sorted(f["first"] for f in calm if f["first"] is not None)
    return {"calls": len(seen["fates"]), "failed": sum(bool(f["error"]) for f in seen["fates"]),
            "failed_before_first": sum(bool(f["error"]) and f["first"] is None for f in seen["fates"]),
            "calm_p50": firsts[len(firsts) // 2], "calm_p99": firsts[len(firsts) * 99 // 100], "phases": rows}


def asked(watched, region, start, end, what="asked"):
    """Requests that ended at a region meanwhile."""
    within = [w for w in watched if start <= w["at"] <= end]
    return within[-1][what][region] - within[0][what][region] if within else 0


def back(watched, start, until):
    """Seconds until the region answered two fifths of all calls over two seconds."""
    for w in watched:
        if start + 2 <= w["at"] <= until:
            east, west = (asked(watched, region, w["at"] - 2, w["at"], "well") for region in REGIONS)
            if east >= 0.4 * (east + west) > 0:
                return w["at"] - start
    return None


def incident(bedplate, folder, a):
    seen = run(bedplate, folder)
    told = figures(seen)
    if a.json:
        Path(a.json).write_text(json.dumps({"figures": told, **seen}))
    Path(a.plot or ROOT / "docs/images/incident.svg").write_text(plot(seen, asked))
    print(page(told))
    return 1 if told["failed_before_first"] else 0


def page(told):
    seconds = lambda s: "-" if s is None else f"{s:.1f}"
    rows = [[p["kind"], f"{p['calls']}", f"{p['failed_before_first']}", f"{p['asked']:.0f}", f"{p['p50']:.2f} / {p['p99']:.2f}",
             seconds(p["eject"]), seconds(p["back"])] for p in told["phases"]]
    head = ["what east does", "calls meanwhile", "failed", "requests to east", "first token p50 / p99 s", "ejected after s", "back after s"]
    return (f"{table(head, rows)}\n\n{told['calls']} calls, {told['failed']} failed, {told['failed_before_first']} of them before their "
            f"first byte; first token before the incident p50 {told['calm_p50']:.2f} s, p99 {told['calm_p99']:.2f} s")
