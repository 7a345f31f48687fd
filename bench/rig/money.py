"""What money costs: budgets in a call's way, many of them, many keys, kept answers. Compared in one run."""

import http.client
import json
import threading
from urllib.parse import urlsplit

from . import report
from .machine import note
from .measure import CONVERSE, load
from .plates import NEEDLE, Bedplate, Upstream

THREE = """
[[budget]]
name = "all"
limit = "1000000 USD"
period = "month"

[[budget]]
name = "each-team"
scope = { team = "*" }
limit = "1000000 USD"
period = "day"

[[budget]]
name = "each-key"
scope = { key = "*" }
limit = "1000000000000 tokens"
period = "rolling 24h"
kind = "soft"
"""
ONE = THREE.split("\n\n", 1)[0] + "\n"
KEPT = '\n[[cache.rule]]\nmodels = ["*"]\nttl = "1h"\n'


def many(count):
    """Three that concern the calls, and others that do not."""
    return THREE + "".join(
        f'\n[[budget]]\nname = "key-{n}"\nscope = {{ key = "someone-{n}" }}\nlimit = "10 USD"\nperiod = "month"\n'
        for n in range(count - 3))


def add_keys(plate, count):
    """Makes keys through the admin API, four at a time."""
    to, token = urlsplit(plate.control), (plate.project / ".bedplate/admin-key").read_text().strip()
    body = json.dumps({"team": "many"})

    def some(n):
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=60)
        for _ in range(n):
            connection.request("POST", "/admin/v1/keys", body, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 201:
                raise SystemExit(f"bench: no key was made: {answer.status}")
        connection.close()

    threads = [threading.Thread(target=some, args=(count // 4,)) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]


def rows(quick):
    """(name, configuration, keys beside the first, same body)"""
    count = 10_000 if quick else 100_000
    return [
        ("no budget", "", 0, False),
        ("one budget", ONE, 0, False),
        ("three budgets", THREE, 0, False),
        (f"{count:,} budgets, three concern the call", many(count), 0, False),
        (f"{count:,} keys, three budgets", THREE, count, False),
        ("a kept answer, three budgets", KEPT + THREE, 0, True),
    ]


def money(tools, quiet, a):
    measured = {}
    upstream = Upstream(tools)
    try:
        for round_ in range(a.rounds):
            for name, more, keys, same in rows(a.quick):
                plate = Bedplate(tools, upstream, more=more)
                try:
                    add_keys(plate, keys)
                    row = {"ready_ms": plate.ready_ms}
                    for c in (1, 16, 64):
                        run = lambda c=c: load(tools, plate, CONVERSE, "--connections", c, "--expect", NEEDLE, *(["--same"] if same else []), seconds=a.secs)
                        row[f"c{c}"] = quiet.window(run)
                    row["peak_mib"] = plate.process.peak_mib()
                    measured.setdefault(name, []).append(row)
                    note(f"round {round_ + 1}, {name}: {report.cpu_us([row]):.1f} µs CPU each, c=1 p50 {row['c1']['p50_ms'] * 1000:.0f} µs")
                finally:
                    plate.forget()
        print(f"{report.machine()}\n\n" + report.money_table(measured))
    finally:
        upstream.stop()
    return 0
