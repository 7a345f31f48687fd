"""What the controls that keep calls alive cost, each by itself and all together. Compared in one run."""

from . import report
from .machine import note
from .measure import CONVERSE, load
from .plates import MODEL, NEEDLE, Bedplate, Upstream

BARE = MODEL.replace("%3A", ":")
ALIAS = "/model/bench/converse"


def second(url):
    """Another provider to fall back to, in a region of its own."""
    return f'\n[[provider]]\nname = "other"\nkind = "bedrock"\nregion = "us-west-2"\nendpoints = {{ runtime = "{url}" }}\nrequest_metadata = true\n'


def alias(*more, targets=(f"up/{BARE}",)):
    return "\n[[model]]\nname = \"bench\"\ntargets = [" + ", ".join(f'"{t}"' for t in targets) + "]\n" + "".join(line + "\n" for line in more)


ROUTE = alias(
    "sticky = \"conversation\"", f'fallback = [{{ target = "other/{BARE}" }}, {{ answer = "We are busy." }}]',
    'timeout = { connect = "2s", first_token = "8s", idle = "20s", total = "60s" }',
    targets=(f"up/{BARE}", f"other/{BARE}"),
)
QUOTA = 'quota = { from = "config", rpm = 9000000, tpm = 9000000000 }\n'
RATES = "".join(
    f'\n[[throttle]]\nname = "rate-{name}"\nscope = {{ {name} = "*" }}\nrpm = 100000000\ntpm = 9000000000\n' for name in ("key", "team", "feature"))
SLOTS = "".join(
    f'\n[[throttle]]\nname = "slots-{name}"\nscope = {{ {name} = "*" }}\nconcurrency = 5000\n' for name in ("key", "team", "feature", "alias"))


def rows(url):
    """(name, configuration, path)"""
    return [
        ("a bare id, no control", "", CONVERSE),
        ("an alias of one target (its breaker, its adaptive limit)", alias(), ALIAS),
        ("an alias of two targets, sticky, with fallbacks and deadlines", second(url) + ROUTE, ALIAS),
        ("a bare id, quota", QUOTA, CONVERSE),
        ("a bare id, rates by key, team and feature", RATES, CONVERSE),
        ("a bare id, slots by key, team, feature and alias", SLOTS, CONVERSE),
        ("all of them", QUOTA + second(url) + QUOTA + ROUTE + RATES + SLOTS, ALIAS),
    ]


def controls(tools, quiet, a):
    measured, upstream = {}, Upstream(tools)
    try:
        for round_ in range(a.rounds):
            for name, more, path in rows(upstream.url):
                plate = Bedplate(tools, upstream, more=more)
                try:
                    row = {"ready_ms": plate.ready_ms}
                    for c in (1, 16, 64):
                        row[f"c{c}"] = quiet.window(lambda c=c: load(tools, plate, path, "--connections", c, "--expect", NEEDLE, seconds=a.secs))
                    row["peak_mib"] = plate.process.peak_mib()
                    measured.setdefault(name, []).append(row)
                    note(f"round {round_ + 1}, {name}: {report.cpu_us([row]):.1f} µs CPU each, c=1 p50 {row['c1']['p50_ms'] * 1000:.0f} µs")
                finally:
                    plate.forget()
        print(f"{report.machine()}\n\n" + report.money_table(measured))
    finally:
        upstream.stop()
    return 0
