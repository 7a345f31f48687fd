"""What the doors of vendors cost: their words, translated into Converse and signed. Compared in one run."""

from . import report
from .machine import note
from .measure import CONVERSE, load
from .plates import NEEDLE, STREAM, Bare, Bedplate, Nginx, Streamer, Upstream

NOVA = "amazon.nova-lite-v1:0"
OPENAI = ("/v1/chat/completions", ["--words", "openai", "--model", NOVA, "--mode", "bearer"])
ANTHROPIC = ("/v1/messages", ["--words", "anthropic", "--model", NOVA, "--mode", "bearer"])
#: (name, plate, path of whole answers, path of streams, arguments)
ROWS = [
    ("nginx", Nginx, CONVERSE, STREAM, []),
    ("bare hyper", Bare, CONVERSE, STREAM, []),
    ("bedplate, Converse → Converse", Bedplate, CONVERSE, STREAM, []),
    ("bedplate, Converse → Converse, bearer key", Bedplate, CONVERSE, STREAM, ["--mode", "bearer"]),
    ("bedplate, OpenAI → Converse", Bedplate, OPENAI[0], OPENAI[0], OPENAI[1]),
    ("bedplate, Anthropic → Converse", Bedplate, ANTHROPIC[0], ANTHROPIC[0], ANTHROPIC[1]),
]


def doors(tools, quiet, a):
    measured = {}
    for round_ in range(a.rounds):
        for name, kind, path, streams, more in ROWS:
            row = whole(tools, quiet, a, kind, path, more)
            row |= streamed(tools, quiet, a, kind, streams, more)
            measured.setdefault(name, []).append(row)
            note(f"round {round_ + 1}, {name}: {report.cpu_us([row]):.1f} µs a request, "
                 f"{row['burst']['cpu_us_per_delta']:.1f} µs a chunk, first text p50 {row['paced']['first_p50_ms']:.2f} ms")
    print(f"{report.machine()}\n\n" + report.doors_table(measured))
    return 0


def whole(tools, quiet, a, kind, path, more):
    upstream = Upstream(tools)
    try:
        plate = kind(tools, upstream)
        try:
            run = lambda c: load(tools, plate, path, "--connections", c, "--expect", NEEDLE, *more, seconds=a.secs)
            return {f"c{c}": quiet.window(lambda c=c: run(c)) for c in (1, 16, 64)}
        finally:
            end(plate)
    finally:
        upstream.stop()


def streamed(tools, quiet, a, kind, path, more):
    row = {}
    for name, chunks, delay in (("paced", 50, 10_000), ("burst", 200, 0)):
        upstream = Streamer(tools, chunks, delay)
        plate = None
        try:
            plate = kind(tools, upstream)
            run = lambda: load(tools, plate, path, "--stream", "--connections", 8, *more, seconds=a.secs)
            row[name] = quiet.window(run)
            if row[name]["bad"] or row[name]["deltas_per_stream"] != chunks:
                raise SystemExit(f"bench: streams were damaged ({name}): {row[name]}")
        finally:
            if plate:
                end(plate)
            upstream.stop()
    return row


def end(plate):
    plate.forget() if isinstance(plate, Bedplate) else plate.stop()
