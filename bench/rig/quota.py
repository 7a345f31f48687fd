"""How much of a quota is used and how often the upstream has to say no: boto3 through bedplate, and boto3 alone.

Each side has a simulator of its own that keeps the quota as Bedrock does, and that says what it let through. What an idle
quota lets through at once is used up before anything is counted.
"""

import json

from .callers import Load, gateway, simulator
from .machine import note
from .report import table

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TPM = 600_000
#: Tokens of the quota: a prompt of 1,000 on average, an answer of 100, which counts five times.
EACH = 1_000 + 100 * 5
MIX = [0.2, 0.3, 0.5]
#: What boto3 does in its standard mode.
RETRIES = {"mode": "standard", "total_max_attempts": 3}
# (name, load, fill, part of the limit that is configured, burndown that is configured, tokens of others)
ROWS = [
    ("50%", 0.5, False, 1.0, None, 0),
    ("95%", 0.95, True, 1.0, None, 0),
    ("300%", 3.0, True, 1.0, None, 0),
    ("300%, hidden, -30%", 3.0, True, 0.7, 1, TPM // 4),
    ("300%, hidden, +30%", 3.0, True, 1.3, 1, TPM // 4),
]
#: Seconds. There is no pause before what is counted: in one the quota would fill again.
FILL = 60


def sim_config(others):
    return f"""
auth = "any"
keep_requests = 0

[[model]]
id = "*claude-sonnet-4-5*"
error_rate = 0.0
first_token = "300ms"
per_token = "8ms"
tpm = {TPM}
others = {others}
"""


def gateway_config(sim, part, burndown):
    burns = f"burndown = {burndown}" if burndown else ""
    return f"""
[[provider]]
name = "use1"
kind = "bedrock"
region = "us-east-1"
endpoints = {{ runtime = "{sim['endpoint']}", control = "{sim['endpoint']}" }}

[provider.quota]
from = "config"

[[provider.quota.model]]
id = "{MODEL}"
tpm = {round(TPM * part)}
{burns}

[[model]]
name = "writer"
targets = ["use1/{MODEL}"]
"""


def plan(endpoint, keys, model, watch, load, fill, others, seconds):
    ours = (TPM - others) / 60
    phases = [{"secs": FILL, "rate": ours * 3 / EACH}] if fill else []
    return {
        "endpoint": endpoint, "access_key_id": keys["access_key_id"], "secret_access_key": keys["secret_access_key"],
        "model": model, "watch": watch, "mix": MIX, "seed": 3, "streamed": 0, "threads": 600, "retries": RETRIES,
        "prompt": [400, 1600], "writes": [40, 160], "most": 300,
        "phases": [*phases, {"secs": seconds, "rate": ours * load / EACH}],
    }


def figures(result, others, seconds):
    last = result["phases"][-1]
    sums = [last[when]["quotas"] for when in ("before", "after")]
    of = lambda name: sums[1][0][name] - (sums[0][0][name] if sums[0] else 0)
    asked = of("admitted") + of("throttled")
    fates = [f for f in result["fates"] if f["due"] >= last["from"]]
    row = {"throttled": of("throttled") / max(asked, 1), "requests": asked, "used": of("settledTokens") / ((TPM - others) / 60 * seconds)}
    for name in ("interactive", "batch", "background"):
        mine = [f for f in fates if f["class"] == name]
        took = sorted(f["took"] for f in mine if not f["error"])
        row[name] = {"calls": len(mine), "answered": len(took) / max(len(mine), 1),
                     "p50": took[len(took) // 2] if took else None, "p99": took[len(took) * 99 // 100] if took else None}
    return row


def row(bedplate, folder, number, seconds):
    name, load, fill, part, burndown, others = ROWS[number]
    services, measured = [], {}
    try:
        straight = simulator(bedplate, folder, f"straight{number}", sim_config(others))
        behind = simulator(bedplate, folder, f"behind{number}", sim_config(others))
        services += [straight, behind]
        up = gateway(bedplate, folder, f"gateway{number}", gateway_config(behind.ready, part, burndown))
        services.append(up)
        sides = {
            "boto3": (straight.ready["endpoint"], straight.ready, MODEL, straight.ready["endpoint"]),
            "bedplate": (up.ready["data"], up.ready, "writer", behind.ready["endpoint"]),
        }
        loads = {
            side: Load(plan(at, keys, model, f"{sim}/__sim/quotas", load, fill, others, seconds))
            for side, (at, keys, model, sim) in sides.items()
        }
        for side, running in loads.items():
            measured[side] = figures(running.result(FILL + seconds + 150), others, seconds)
            note(f"{name}, {side}: {json.dumps(measured[side])}")
    finally:
        for service in reversed(services):
            service.stop()
    return name, measured


def quota(bedplate, folder, a):
    wanted = a.rows or range(len(ROWS))
    measured = dict(row(bedplate, folder, number, a.secs) for number in wanted)
    if a.json:
        with open(a.json, "w") as f:
            json.dump(measured, f, indent=1)
    print(page(measured))
    return 0 if all(holds for _, holds in gates(measured)) else 1


def page(measured):
    head = ["load", "side", "upstream requests", "throttled", "quota used", "interactive answered", "p50 / p99 s", "batch answered", "background shed"]
    rows = []
    for name, sides in measured.items():
        for side, m in sides.items():
            inter = m["interactive"]
            seconds = lambda s: "-" if s is None else f"{s:.2f}"
            rows.append([
                name, side, f"{m['requests']:,}", f"{m['throttled'] * 100:.1f}%", f"{m['used'] * 100:.0f}%",
                f"{inter['answered'] * 100:.1f}%", f"{seconds(inter['p50'])} / {seconds(inter['p99'])}",
                f"{m['batch']['answered'] * 100:.0f}%", f"{(1 - m['background']['answered']) * 100:.0f}%"])
    verdicts = "\n".join(f"{'pass' if holds else 'FAIL'}: {gate}" for gate, holds in gates(measured))
    return f"{table(head, rows)}\n\n{verdicts}"


def gates(measured):
    out = []
    for name, sides in measured.items():
        m = sides["bedplate"]
        if name == "50%":
            continue
        throttles, used = (0.03, 0.8) if "hidden" in name else (0.01, 0.9)
        out.append((f"{name}: at most {throttles:.0%} throttled", m["throttled"] <= throttles))
        out.append((f"{name}: at least {used:.0%} of the quota used", m["used"] >= used))
        if name == "300%":
            out.append((f"{name}: every interactive call is answered", m["interactive"]["answered"] == 1))
            if quiet := measured.get("50%"):
                most = quiet["bedplate"]["interactive"]["p99"] + 2
                out.append((f"{name}: interactive p99 within 2 s of that at 50%", m["interactive"]["p99"] <= most))
    return out
