"""What calls have cost, summed by the ledger, against sums made here from single calls."""

import csv
import io
import json
import os
import re
import sqlite3
import time
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway import HAIKU, NOVA, recorder_config
from postgres import Postgres
from recorder import json_answer, stream_answer
from test_streams import hang_up_after_first_event, whole_stream

NOBODY = "nobody.knows-v1:0"
RULES = """
[[cache.rule]]
models = ["*"]
ttl = "1h"
"""
#: What a caller may name a model, to do harm in a spreadsheet or a page.
NASTY = ['=cmd|"/c calc"!A0', "<script>alert(1)</script>", "+1,2;3\"'"]


def answer(tokens=(100, 20), cached=(0, 0)):
    return json_answer(json.dumps({
        "output": {"message": {"role": "assistant", "content": [{"text": "an answer"}]}}, "stopReason": "end_turn",
        "usage": {"inputTokens": tokens[0], "outputTokens": tokens[1], "totalTokens": sum(tokens) + sum(cached),
                  "cacheReadInputTokens": cached[0], "cacheWriteInputTokens": cached[1]},
        "metrics": {"latencyMs": 5}}).encode())


def converse(gateway, text, key=None, model=NOVA, **more):
    asked = {"modelId": model, "messages": [{"role": "user", "content": [{"text": text}]}],
             "inferenceConfig": {"temperature": 0.0, "maxTokens": 400}}
    return gateway.client(key=key).converse(**(asked | more))


def settled(gateway, expected, seconds=15):
    """Every call of the ledger, once there are so many: the records, read without any sum of ours."""
    until = time.monotonic() + seconds
    while True:
        out = gateway.cli("calls", "tail", "-n", "100000", "--no-follow", "--format", "json").stdout
        calls = [json.loads(line) for line in out.splitlines()]
        if len(calls) >= expected:
            return calls
        assert time.monotonic() < until, f"{len(calls)} calls of {expected}"
        time.sleep(0.1)


def report(gateway, *arguments, **more):
    return json.loads(gateway.cli("cost", "report", "--format", "json", *arguments, **more).stdout)


def entries(calls):
    """Each upstream request, or a call without any: (names, sums)."""
    for record in calls:
        call, attempts = record["call"], record["attempts"]
        avoided = ((call.get("cache") or {}).get("avoided") or {}).get("cost") or {"state": "known", "nanos": 0}
        at = datetime.fromtimestamp(call["admitted_at"] / 1e6, UTC)
        for n, attempt in enumerate(attempts or [None]):
            usage = attempt["usage"] if attempt else {}
            cost = attempt["cost"] if attempt else {"state": "known", "nanos": 0}
            target = (attempt or {}).get("model") or (attempt or {}).get("target") or call["model"]
            names = {
                "team": call["team"], "feature": call["feature"], "environment": call["environment"],
                "key": call["key"] or "", "alias": call["model"], "model": target,
                "operation": call["operation"] or "", "outcome": call["ending"],
                "region": attempt["region"] if attempt else "", "provider": attempt["provider"] if attempt else "",
                "user": call["user"] or "", "day": f"{at:%Y-%m-%d}", "hour": f"{at:%Y-%m-%dT%H}:00+00:00",
            }
            yield names, {
                "calls": int(n == 0), "requests": int(attempt is not None), "retries": int(n > 0),
                "input_tokens": usage.get("input", 0), "output_tokens": usage.get("output", 0),
                "cache_read_tokens": usage.get("cache_read", 0),
                "spent_nano_usd": cost["nanos"], "unpriced": int(cost["state"] == "unknown"),
                "retries_nano_usd": cost["nanos"] if n else 0,
                "abandoned_nano_usd": cost["nanos"] if not n and call["ending"] == "abandoned" else 0,
                "avoided_nano_usd": avoided["nanos"] if n == 0 else 0,
                "cached": int(n == 0 and bool((call.get("cache") or {}).get("avoided"))),
            }


def summed(calls, by):
    sums = defaultdict(lambda: defaultdict(int))
    for names, values in entries(calls):
        for name, value in values.items():
            sums[tuple(names[of] for of in by)][name] += value
    return sums


@pytest.fixture
def postgres():
    server = Postgres()
    yield server
    server.end()


@pytest.fixture(params=["sqlite", "postgres"])
def spending(request, start, recorder):
    """A gateway that has served calls of every kind, and their number."""
    extra, environment = RULES, {}
    if request.param == "postgres":
        extra += '[store]\nledger = { postgres = { env = "LEDGER_URL" } }\n'
        environment = {"LEDGER_URL": request.getfixturevalue("postgres").url}
    gateway = start(recorder_config(recorder, extra=extra), **environment)
    plain_cli = gateway.cli
    gateway.cli = lambda *arguments, **more: plain_cli(*arguments, **(environment | more))
    return gateway, serve(gateway, recorder)


def serve(gateway, recorder):
    recorder.answer = lambda seen: answer()
    other = gateway.new_key(team="research", feature="digest", env="prod")
    until = time.monotonic() + 10
    while gateway.raw("GET", "/foundation-models", headers={"Authorization": f"Bearer {other['bearer_token']}"})[0] in (401, 403):
        assert time.monotonic() < until, "the key is not known"
        time.sleep(0.05)
    for n in range(5):
        converse(gateway, f"question {n}")
        converse(gateway, f"question {n}")  # from the cache
        converse(gateway, f"question {n}", key=other, model=HAIKU)
    recorder.answer = lambda seen: answer((10, 5), (900, 80))
    converse(gateway, "with a long prefix", key=other, model=HAIKU)
    converse(gateway, "what nobody priced", model=NOBODY)
    converse(gateway, "what nobody priced", model=NOBODY)  # from the cache: what it spared is unknown
    recorder.clear()
    recorder.will(json_answer(b'{"message":"no"}', 400, [("x-amzn-errortype", "ValidationException")]))
    with pytest.raises(Exception, match="ValidationException"):
        converse(gateway, "refused by Bedrock")
    recorder.will(stream_answer(*(x for piece in whole_stream() for x in (piece, 0.02))))
    gateway.record(hang_up_after_first_event(gateway), seconds=15)
    recorder.answer = lambda seen: answer()
    for model in NASTY:
        target = "/model/" + "".join(f"%{b:02X}" for b in model.encode()) + "/converse"
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": model}]}]}).encode()
        headers = {"Authorization": f"Bearer {gateway.ready['bearer_token']}", "Content-Type": "application/json"}
        gateway.raw("POST", target, body, headers)
    _, head, _ = gateway.raw("POST", "/model/made-up/converse", b"{}")  # by nobody known
    gateway.record(head["x-bedplate-call-id"])  # the last to be written
    return len(settled(gateway, 15 + 3 + 2 + len(NASTY) + 1))


def test_sums_are_those_of_single_calls(spending):
    gateway, expected = spending
    calls = settled(gateway, expected)
    for by in (["team"], ["feature", "model"], ["day", "team"], ["hour"], ["alias", "outcome"], ["key", "operation"],
               ["region", "provider", "environment"], ["user"]):
        found = report(gateway, "--by", ",".join(by), "--since", "1d", "--limit", "1000")
        sums = summed(calls, by)
        assert {tuple(row["by"][of] for of in by) for row in found["rows"]} == set(sums), by
        for row in found["rows"]:
            wanted = sums[tuple(row["by"][of] for of in by)]
            assert {name: row[name] for name in wanted} == wanted, (by, row["by"])
            assert Decimal(row["spent_usd"]) == Decimal(row["spent_nano_usd"]).scaleb(-9)
        (all_of_it,) = summed(calls, []).values()
        assert {name: found["total"][name] for name in all_of_it} == all_of_it
    total = found["total"]
    assert total["spent_nano_usd"] > 0 and total["avoided_nano_usd"] > 0 and total["abandoned_nano_usd"] > 0
    assert (total["cached"], total["avoided_unpriced"]) == (6, 1)
    assert total["unpriced"] >= 1, "a model that nobody priced"


def test_the_rest_is_summed_and_filters_hold(spending):
    gateway, expected = spending
    calls = settled(gateway, expected)
    found = report(gateway, "--by", "alias", "--limit", "2")
    assert [row["others"] for row in found["rows"]] == [False, False, True]
    for name in ("calls", "spent_nano_usd", "avoided_nano_usd", "input_tokens", "unpriced"):
        assert sum(row[name] for row in found["rows"]) == found["total"][name]
    only = report(gateway, "--by", "feature", "--team", "research", "--model", HAIKU)
    wanted = sum(v["spent_nano_usd"] for n, v in entries(calls) if n["team"] == "research" and n["model"] == HAIKU)
    assert only["total"]["spent_nano_usd"] == wanted > 0
    assert report(gateway, "--only", "operation=ConverseStream")["total"]["calls"] == 1
    nothing = gateway.cli("cost", "report", "--team", "nobody")
    assert "There are no such calls" in nothing.stderr


def test_tables_and_spreadsheets(spending):
    gateway, expected = spending
    settled(gateway, expected)
    exact = report(gateway, "--by", "alias,team")
    text = gateway.cli("cost", "report", "--by", "alias,team", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(exact["rows"])
    for row, wanted in zip(rows, exact["rows"], strict=True):
        assert int(row["spent_nano_usd"]) == wanted["spent_nano_usd"] and row["spent_usd"] == wanted["spent_usd"]
        assert row["alias"].lstrip("'") == wanted["by"]["alias"].lstrip("'")
        assert not re.match(r"[=+\-@\t\r]", row["alias"]), "a formula"
    table = gateway.cli("cost", "report", "--by", "model", "--since", "1h").stdout
    assert "unknown" in table and "avoided" in table and "total" in table
    assert NOVA in table and "$0." in table


def test_a_change_of_calls_alone_is_the_number_of_calls(start, recorder):
    gateway = start(recorder_config(recorder))
    recorder.answer = lambda seen: answer()
    for n in range(4):
        converse(gateway, f"{n}")
    settled(gateway, 4)
    time.sleep(0.01)
    between = datetime.now(UTC)
    for n in range(10):
        converse(gateway, f"{n}")
    calls = settled(gateway, 14)
    tomorrow = between + timedelta(days=1)
    asked = ("--from", between.isoformat(), "--until", tomorrow.isoformat())
    found = json.loads(gateway.cli("cost", "explain", *asked, "--format", "json").stdout)
    each = calls[0]["call"]["cost"]["nanos"]
    assert found["change_nano_usd"] == 6 * each
    assert {name: nanos for name, nanos in found["parts_nano_usd"].items() if nanos} == {"calls": 6 * each}
    # the other way round
    said = gateway.cli("cost", "explain", "--from", (between - timedelta(days=1)).isoformat(), "--until",
                       between.isoformat(), "--against", between.isoformat(), "--by", "team").stdout
    assert "number of calls" in said and "-$0.0" in said


def test_parts_add_up_whatever_changed(spending, recorder):
    gateway, expected = spending
    settled(gateway, expected)
    time.sleep(0.01)
    between = datetime.now(UTC)
    recorder.answer = lambda seen: answer((333, 71), (17, 3))
    for n in range(7):
        converse(gateway, f"another {n}", model=HAIKU if n % 3 else NOVA)
    calls = settled(gateway, expected + 7)
    asked = ("--from", between.isoformat(), "--until", (between + timedelta(days=1)).isoformat())
    found = json.loads(gateway.cli("cost", "explain", *asked, "--by", "team,feature", "--format", "json").stdout)
    spent = [0, 0]
    for record in calls:
        spent[record["call"]["admitted_at"] >= between.timestamp() * 1e6] += record["call"]["cost"]["nanos"]
    assert [found[side]["spent_nano_usd"] for side in ("before", "after")] == spent
    for one in (found, *found["groups"]):
        sides = one["after"]["spent_nano_usd"] - one["before"]["spent_nano_usd"]
        assert sum(one["parts_nano_usd"].values()) == one["change_nano_usd"] == sides
    for part in found["parts_nano_usd"]:
        assert found["parts_nano_usd"][part] == sum(g["parts_nano_usd"][part] for g in found["groups"])
    rows = list(csv.DictReader(io.StringIO(gateway.cli("cost", "explain", *asked, "--format", "csv").stdout)))
    assert int(rows[0]["change_nano_usd"]) == spent[1] - spent[0]


def test_retries_are_told_apart(start, recorder):
    """Requests after the first: written into the ledger as a gateway that retries would."""
    gateway = start(recorder_config(recorder))
    recorder.answer = lambda seen: answer()
    converse(gateway, "hello")
    settled(gateway, 1)
    ledger = sqlite3.connect(gateway.project / ".bedplate/bedplate.db", timeout=10)
    (day,) = ledger.execute("SELECT day FROM ledger_day").fetchone()
    names = [row[1] for row in ledger.execute(f"PRAGMA table_info(call_{day})")]
    row = dict(zip(names, ledger.execute(f"SELECT * FROM call_{day}").fetchone(), strict=True))
    first = json.loads(row["attempts"])[0]
    once = row["cost_nanos"]
    row["attempts"] = json.dumps([first, first | {"n": 2, "region": "us-west-2"}], separators=(",", ":"))
    row |= {"id": uuid.uuid4().bytes, "cost_nanos": 2 * once, "input": 200, "output": 40}
    ledger.execute(f"INSERT INTO call_{day} ({','.join(row)}) VALUES ({','.join('?' * len(row))})", list(row.values()))
    ledger.commit()
    ledger.close()
    found = report(gateway, "--by", "region")
    by = {row["by"]["region"]: row for row in found["rows"]}
    assert (by["us-east-1"]["spent_nano_usd"], by["us-east-1"]["calls"]) == (2 * once, 2)
    assert (by["us-west-2"]["spent_nano_usd"], by["us-west-2"]["calls"]) == (once, 0)
    assert (found["total"]["retries"], found["total"]["retries_nano_usd"]) == (1, once)


@pytest.mark.parametrize("arguments, said", [
    (("--by", "taem"), "did you mean `team`?"),
    (("--by", "team,team"), "names `team` twice"),
    (("--by", "day,hour"), "name one of hour, day, week, month"),
    (("--from", "2999-01-01"), "is in the future"),
    (("--from", "2026-01-02", "--until", "2026-01-01"), "is not before"),
    (("--from", "yesterday"), "not a moment"),
    (("--since", "0d"), "no time at all"),
    (("--zone", "Mars/Olympus"), "not a time zone"),
    (("--only", "team"), "names no value"),
    (("--only", "regoin=x"), "did you mean `region`?"),
    (("--by", "hour", "--from", "2020-01-01", "--limit", "1000"), "too many"),
    (("--output", "/no/such/folder/x.csv"), "cannot be written"),
])
def test_bad_questions_say_what_is_wrong(simulated, arguments, said):
    done = simulated.cli("cost", "report", *arguments, ok=2)
    assert said in done.stderr and done.stdout == ""


def test_periods_that_overlap_are_refused(simulated):
    now = datetime.now(UTC)
    done = simulated.cli("cost", "explain", "--since", "7d", "--against", (now - timedelta(days=9)).isoformat(), ok=2)
    assert "overlap" in done.stderr


# ---- the page ----


@pytest.mark.browser
def test_the_page_stands_by_itself(start, recorder, browser, tmp_path):
    gateway = start(recorder_config(recorder, extra=RULES))
    serve(gateway, recorder)
    page = tmp_path / "report.html"
    gateway.cli("cost", "report", "--by", "alias,team", "--format", "html", "--output", str(page))
    text = page.read_text()
    assert "<script" not in text and not re.search(r"(?:src|href)=|url\(|@import", text)
    problems_of(browser, page)


def problems_of(driver, page):
    for scheme in ("light", "dark"):
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        for width in (1280, 390):
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                   {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500})
            driver.get(page.as_uri())
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"the page is {wide} wide on {width}"
            text = driver.find_element("tag name", "body").text
            for word in ("Spent over time", "Why it changed", "avoided", "<script>alert(1)</script>", "unknown"):
                assert word.lower() in text.lower(), word
            for table in driver.find_elements("css selector", "table"):
                spans = "return [...arguments[0].rows].map(r => [...r.cells].reduce((n, c) => n + c.colSpan, 0))"
                assert len(set(driver.execute_script(spans, table))) == 1, "every row has every column"
            drawn = driver.find_elements("css selector", "figure svg[role=img] rect")
            assert drawn and all(r.size["height"] >= 1 for r in drawn)
            if folder := os.environ.get("BEDPLATE_SCREENSHOTS"):
                shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
                import base64
                with open(os.path.join(folder, f"cost-{scheme}-{width}.png"), "wb") as file:
                    file.write(base64.b64decode(shot["data"]))
    assert [e for e in driver.get_log("browser") if e["level"] == "SEVERE"] == []
