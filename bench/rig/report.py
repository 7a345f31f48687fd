"""The tables and the gates."""

import platform
import statistics

from .machine import QUIET


def quiet_rounds(rounds, key):
    """Values of a measured window in the rounds where it was quiet; in all, when it never was."""
    seen = [r[key] for r in rounds if key in r]
    return [w for w in seen if w.get("noise", 0) <= QUIET] or seen


def median(rounds, key, figure):
    values = [w[figure] for w in quiet_rounds(rounds, key) if w.get(figure) is not None]
    return statistics.median(values) if values else None


def plain(rounds, figure, pick=statistics.median):
    values = [r[figure] for r in rounds if r.get(figure) is not None]
    return pick(values) if values else None


def cpu_us(rounds):
    """Microseconds of CPU a request: the lower of 16 and 64 connections."""
    values = [median(rounds, key, "cpu_s_per_1k") for key in ("c16", "c64")]
    values = [v for v in values if v]
    return min(values) * 1e3 if values else None


def show(value, digits=2):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown CPU")
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) / 1024 / 1024
    import os
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, {platform.machine()}"


def requests_table(rows):
    direct, nginx, bare = (rows.get(name, []) for name in ("direct", "nginx", "bare hyper"))
    out = []
    for name, rounds in rows.items():
        mine = cpu_us(rounds) if name != "direct" else None
        over = lambda floor: show(mine / cpu_us(floor)) if mine and floor and cpu_us(floor) else "-"
        m = lambda key, figure: median(rounds, key, figure)
        added = lambda figure: m("q1000", figure) - median(direct, "q1000", figure) if m("q1000", figure) is not None and direct else None
        pair = lambda key: f"{show(m(key, 'p50_ms'))} / {show(m(key, 'p99_ms'))}"
        busy = max((m(f"c{c}", "busy") or 0 for c in (16, 64)), default=0)
        noise = max((w.get("noise", 0) for key in ("c1", "c16", "c64", "c256", "q1000") for w in quiet_rounds(rounds, key)), default=0)
        bad = sum(w.get("bad", 0) for r in rounds for w in r.values() if isinstance(w, dict))
        out.append([
            name, show(mine, 1), over(nginx), over(bare), *(show(m(f"c{c}", "rps"), 0) for c in (1, 16, 64, 256)),
            f"{busy * 100:.0f}%" if mine else "-", pair("c1"), pair("c64"), pair("q1000"),
            f"{show(added('p50_ms'))} / {show(added('p99_ms'))}" if name != "direct" else "-",
            show(plain(rounds, "idle_mib"), 1), show(plain(rounds, "peak_mib", max), 1), f"{noise * 100:.0f}%", str(bad),
        ])
    return table(
        ["gateway", "CPU µs / request", "x nginx", "x bare", "c=1 rps", "c=16 rps", "c=64 rps", "c=256 rps", "core busy",
         "c=1 p50 / p99 ms", "c=64 p50 / p99 ms", "1000/s p50 / p99 ms", "added p50 / p99 ms", "idle MiB", "peak MiB", "noise", "bad"],
        out,
    )


def streams_table(rows):
    out = []
    direct = rows.get("direct", [])
    for name, rounds in rows.items():
        if not rounds:
            continue
        m = lambda key, figure: median(rounds, key, figure)
        first = m("paced", "first_p50_ms")
        noise = max((w.get("noise", 0) for key in ("paced", "burst") for w in quiet_rounds(rounds, key)), default=0)
        out.append([
            name, f"{show(first)} / {show(m('paced', 'first_p99_ms'))}",
            show(first - median(direct, "paced", "first_p50_ms")) if direct and name != "direct" else "-",
            show(m("paced", "gap_p99_ms")), show(m("paced", "cpu_us_per_delta"), 1) if name != "direct" else "-",
            show((m("burst", "streams_per_s") or 0) * 200, 0), show(m("burst", "cpu_us_per_delta"), 2) if name != "direct" else "-",
            f"{noise * 100:.0f}%",
        ])
    return table(
        ["gateway", "paced: first text p50 / p99 ms", "added p50 ms", "longest gap p99 ms", "paced CPU µs / chunk",
         "burst chunks/s", "burst CPU µs / chunk", "noise"],
        out,
    )


def gates(results):
    """(name, limit, measured, holds) for each; `None` where nothing was measured."""
    rows, streams = results["requests"], results["streams"]
    ours, nginx, bare, direct = (rows.get(n, []) for n in ("bedplate", "nginx", "bare hyper", "direct"))
    ratio = lambda floor: cpu_us(ours) / cpu_us(floor) if ours and floor and cpu_us(ours) and cpu_us(floor) else None
    p99 = lambda rounds: median(rounds, "q1000", "p99_ms")
    added = p99(ours) - p99(direct) if ours and direct and p99(ours) is not None else None
    starts, held = results.get("starts") or {}, results["open"].get("bedplate", {})
    ready = statistics.median(starts["new_ready_ms"]) if starts.get("new_ready_ms") else None
    wanted = [
        ("CPU per request, x bare hyper", 1.6, ratio(bare)),
        ("CPU per request, x nginx", 3.0, ratio(nginx)),
        ("goal: CPU per request, x nginx", 2.0, ratio(nginx)),
        ("p99 added at 1000/s, ms", 1.0, added),
        ("CPU per streamed chunk in a burst, µs", 9.0, median(streams.get("bedplate", []), "burst", "cpu_us_per_delta")),
        (f"KiB for each of {held.get('streams', 0):,} open streams", 40.0, held.get("kib_per_stream")),
        ("idle RSS, MiB", 40.0, plain(ours, "idle_mib")),
        ("ready in a new project, ms", 150.0, ready),
    ]
    return [(name, limit, value, None if value is None else value <= limit) for name, limit, value in wanted]


def gates_table(results):
    verdict = {True: "pass", False: "FAIL", None: "not measured"}
    return table(
        ["gate", "at most", "measured", "verdict"],
        [[name, show(limit, 1), show(value), verdict[holds]] for name, limit, value, holds in gates(results)],
    )


def starts_line(starts):
    if not starts:
        return ""
    m = lambda key: f"{statistics.median(starts[key]):.0f} ms"
    return (f"Start of bedplate: in a new project ready in {m('new_ready_ms')}, first answer after {m('new_cold_ms')}; "
            f"again in the same project ready in {m('again_ready_ms')}, first answer after {m('again_cold_ms')}.")


def doors_table(rows):
    """Of a request and of a chunk: CPU, and what that is in nginx's."""
    out, floor = [], None
    for name, rounds in rows.items():
        each, chunk = cpu_us(rounds), median(rounds, "burst", "cpu_us_per_delta")
        floor = floor or each
        m = lambda key, figure: median(rounds, key, figure)
        noise = max(w.get("noise", 0) for key in ("c1", "c16", "c64", "paced", "burst") for w in quiet_rounds(rounds, key))
        out.append([
            name, show(each, 1), show(each / floor, 2), f"{show(m('c1', 'p50_ms') * 1e3, 0)} / {show(m('c1', 'p99_ms') * 1e3, 0)}",
            show(m("c64", "rps"), 0), show(chunk, 1), f"{show(m('paced', 'first_p50_ms'), 2)} / {show(m('paced', 'first_p99_ms'), 2)}", f"{noise * 100:.0f}%",
        ])
    return table(
        ["gateway", "CPU µs / request", "x nginx", "c=1 p50 / p99 µs", "c=64 rps", "burst CPU µs / chunk", "first text p50 / p99 ms", "noise"],
        out,
    )


def money_table(rows):
    out, first = [], None
    for name, rounds in rows.items():
        mine = cpu_us(rounds)
        first = first or mine
        m = lambda key, figure: median(rounds, key, figure)
        noise = max(w.get("noise", 0) for key in ("c1", "c16", "c64") for w in quiet_rounds(rounds, key))
        bad = sum(w.get("bad", 0) for r in rounds for w in r.values() if isinstance(w, dict))
        out.append([
            name, show(mine, 1), f"{mine - first:+.1f}", f"{show(m('c1', 'p50_ms') * 1e3, 0)} / {show(m('c1', 'p99_ms') * 1e3, 0)}",
            show(m("c64", "rps"), 0), show(plain(rounds, "ready_ms"), 0), show(plain(rounds, "peak_mib", max), 1), f"{noise * 100:.0f}%", str(bad),
        ])
    return table(
        ["bedplate with", "CPU µs / request", "more than without", "c=1 p50 / p99 µs", "c=64 rps", "ready ms", "peak MiB", "noise", "bad"],
        out,
    )
