"""Budgets as applications and operators meet them: boto3 on one side, the command line and the admin API on the other."""

import contextlib
import http.client
import json
import sqlite3
import threading
import time
import urllib.parse

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from gateway import NOVA, cli, recorder_config
from recorder import json_answer, stream_answer
from test_cli import admin_key
from test_reload import parts, replace, wait_until
from test_streams import hang_up_after_first_event, whole_stream

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
FAST = '[sim]\nlatency = "off"\n[log]\ncalls = "off"\n'
#: Nano-dollars.
DOLLAR = 1_000_000_000


def converse(gateway, model=NOVA, key=None, tokens=None, **config):
    asked = {"modelId": model, "messages": HELLO}
    if tokens:
        asked["inferenceConfig"] = {"maxTokens": tokens}
    return gateway.client(key=key, **config).converse(**asked)


def refusal(gateway, **asked):
    """What boto3 makes of a refusal: (error, status, headers)."""
    with pytest.raises(ClientError) as failed:
        converse(gateway, **asked)
    said = failed.value.response
    return said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"], said["ResponseMetadata"]["HTTPHeaders"]


def refused(gateway, **asked):
    try:
        converse(gateway, **asked)
        return False
    except ClientError:
        return True


def lost(gateway):
    """A call that nobody answers any more."""
    with contextlib.suppress(HTTPClientError):
        converse(gateway)


def budget(name="b", limit="1 USD", **more):
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[[budget]]\nname = "{name}"\nlimit = "{limit}"\n{lines}'


def status(gateway, name="b", **environment):
    """The one account of a budget."""
    (account,) = gateway.cli_json("budget", "status", name, **environment)["accounts"]
    return account


def admin(gateway, method, path, body=None):
    to = urllib.parse.urlsplit(gateway.control)
    connection = http.client.HTTPConnection(to.hostname, to.port, timeout=30)
    connection.request(method, f"/admin/v1/{path}", json.dumps(body) if body is not None else None,
                       {"Authorization": f"Bearer {admin_key(gateway)}"})
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, json.loads(text)


def metric(gateway, name, **labels):
    return gateway.metrics().get((name, frozenset(labels.items())), 0)


# ---- what callers get ----

def test_a_hard_stop_is_an_error_that_boto3_does_not_retry(start):
    gateway = start(FAST + budget(limit="0.0001 USD"))
    attempts = []
    client = gateway.client(retries={"total_max_attempts": 4, "mode": "standard"})
    client.meta.events.register("before-send", lambda **_: attempts.append(1) and None)
    with pytest.raises(client.exceptions.ServiceQuotaExceededException) as failed:
        client.converse(modelId=NOVA, messages=HELLO, inferenceConfig={"maxTokens": 4000})
    said = failed.value.response
    headers = said["ResponseMetadata"]["HTTPHeaders"]
    assert (len(attempts), said["ResponseMetadata"]["HTTPStatusCode"], headers["x-bedplate-code"]) == (1, 400, "BP1401")
    assert "x-amz-retry-after" not in headers and "retry-after" not in headers
    call_id = headers["x-bedplate-call-id"]
    blocked = gateway.record(call_id)["call"]["blocked"]
    assert (blocked["why"], blocked["limit"], blocked["unit"]) == ("too_large", 100_000, "usd")
    page = gateway.cli("budget", "why-blocked", call_id).stdout
    for word in ("BP1401", "too_large", "$0.0001", "a limit of", "maxTokens"):
        assert word in page, page
    _, explained = admin(gateway, "GET", f"calls/{call_id}/blocked")
    assert explained == gateway.cli_json("budget", "why-blocked", call_id)
    assert explained["need"] > explained["limit"] == 100_000
    wait_until(lambda: metric(gateway, "bedplate_budget_blocked_total", budget="b", why="too_large") == 1)


def test_a_call_without_a_length_is_bounded_and_95_per_cent_is_spent_before_the_first_refusal(start):
    gateway = start(FAST + budget(limit="0.02 USD"))
    client, bounded, calls = gateway.client(), [], 0
    long = [{"role": "user", "content": [{"text": "hello, and " * 800}]}]
    while True:
        try:
            reply = client.converse(modelId=NOVA, messages=long)
        except ClientError as e:
            assert e.response["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-code"] == "BP1401"
            break
        calls += 1
        said = reply["ResponseMetadata"]["HTTPHeaders"].get("x-bedplate-budget")
        bounded += [(said, reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])] if said else []
    spent = [json.loads(line)["call"]["charges"][0]["amount"] for line in gateway.cli(
        "calls", "tail", "--no-follow", "-n", "10000", "--format", "json").stdout.splitlines() if '"charges"' in line]
    assert len(spent) == calls
    assert 0.95 * 20_000_000 <= sum(spent) <= 20_000_000, (calls, sum(spent))
    account = status(gateway)
    assert account["settled"] == sum(spent) and account["settled"] + account["held"] <= 20_000_000
    header, call_id = bounded[-1]
    words, tokens = header.split("; max-tokens=")
    assert words == "bounded" and int(tokens) >= 256
    record = gateway.record(call_id)["call"]
    assert record["bounded"] == int(tokens)
    assert f"maxTokens {tokens}: a budget has room for no more" in record["edits"]
    assert metric(gateway, "bedplate_budget_bounded_total") == len(bounded)


def test_what_the_upstream_is_asked_for_is_what_the_header_says(start, recorder):
    gateway = start(recorder_config(recorder, extra=budget(limit="0.001 USD")))
    reply = converse(gateway)
    tokens = int(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-budget"].split("=")[1])
    assert json.loads(recorder.only().body)["inferenceConfig"]["maxTokens"] == tokens


def test_room_that_calls_on_their_way_hold_is_an_error_that_boto3_retries(start, recorder):
    # room for one call at a time: 1,024 tokens and a little are added to what the caller wrote
    extra = '[budgets]\nwait = "100ms"\n' + budget(limit="0.0003 USD")
    gateway = start(recorder_config(recorder, extra=extra))
    go_on, asked = threading.Event(), threading.Event()

    def hold(_seen):
        asked.set()
        assert go_on.wait(20)
        return json_answer(recorder.CONVERSE)

    recorder.answer = hold
    first = threading.Thread(target=converse, args=[gateway], kwargs={"tokens": 700})
    first.start()
    try:
        assert asked.wait(10)
        error, code, headers = refusal(gateway, tokens=700)
        assert (error, code, headers["x-bedplate-code"]) == ("ThrottlingException", 429, "BP1402")
        assert (headers["x-amz-retry-after"], headers["retry-after"]) == ("100", "1")
        call_id = headers["x-bedplate-call-id"]
        client = gateway.client(retries={"total_max_attempts": 8, "mode": "standard"})
        client.meta.events.register("needs-retry", lambda **_: go_on.set())
        reply = client.converse(modelId=NOVA, messages=HELLO, inferenceConfig={"maxTokens": 700})
        assert reply["ResponseMetadata"]["RetryAttempts"] >= 1
    finally:
        go_on.set()
        first.join(20)
    gateway.record(call_id)
    explained = gateway.cli_json("budget", "why-blocked", call_id)
    assert explained["why"] == "held" and explained["held_here"] > 0
    assert "waiting for calls on their way" in explained["fits_with"][0]
    assert metric(gateway, "bedplate_budget_blocked_total", budget="b", why="held") >= 1


def test_a_soft_stop_is_retried_and_succeeds_when_there_is_room(start):
    gateway = start(FAST)
    gateway.cli("budget", "create", "soft", "--limit", "900 tokens", "--kind", "soft", "--period", "rolling 24h")
    wait_until(lambda: refused(gateway))
    error, code, headers = refusal(gateway)
    assert (error, code, headers["x-bedplate-code"]) == ("ThrottlingException", 429, "BP1403")
    assert int(headers["x-amz-retry-after"]) == 60_000 and headers["retry-after"] == "60"
    client = gateway.client(retries={"total_max_attempts": 2, "mode": "standard"})
    # boto3 waits some seconds at most, whatever it is told; meanwhile an operator makes room
    client.meta.events.register(
        "needs-retry", lambda **_: cli("budget", "remove", "soft", project=gateway.project, ok=None) and None)
    reply = client.converse(modelId=NOVA, messages=HELLO)
    assert reply["ResponseMetadata"]["RetryAttempts"] == 1


def test_a_model_without_a_price_is_refused_under_a_hard_budget(start, recorder):
    gateway = start(recorder_config(recorder, extra=budget()))
    error, code, headers = refusal(gateway, model="acme.unpriced-v1:0")
    assert (error, code, headers["x-bedplate-code"]) == ("ServiceQuotaExceededException", 400, "BP1404")
    assert recorder.seen == []
    assert gateway.record(headers["x-bedplate-call-id"])["call"]["blocked"]["why"] == "unpriced"
    fits = gateway.cli_json("budget", "why-blocked", headers["x-bedplate-call-id"])["fits_with"]
    assert any("acme.unpriced-v1:0" in fit for fit in fits)


# ---- what is charged ----

def test_streams_are_charged_also_when_the_caller_hangs_up(start, recorder):
    gateway = start(recorder_config(recorder, extra=budget()))
    recorder.will(stream_answer(*whole_stream(deltas=4)))
    for _ in gateway.client().converse_stream(modelId=NOVA, messages=HELLO)["stream"]:
        pass
    wait_until(lambda: status(gateway)["settled"] > 0)
    streamed = status(gateway)["settled"]
    recorder.will(stream_answer(*(x for piece in whole_stream(deltas=8) for x in (piece, 0.05))))
    call = gateway.record(hang_up_after_first_event(gateway), seconds=15)["call"]
    assert call["ending"] == "abandoned"
    (charge,) = call["charges"]
    assert charge["amount"] == call["cost"]["nanos"] > 0
    wait_until(lambda: status(gateway)["settled"] == streamed + charge["amount"])


def test_an_answer_that_is_only_estimated_counts_as_its_worst_case(start, recorder):
    gateway = start(recorder_config(recorder, extra='[drain]\nhang_up = "0s"\n' + budget()))
    first, delta = whole_stream()[:2]
    recorder.will(stream_answer(first, *(x for _ in range(200) for x in (delta, 0.05))))
    call = gateway.record(hang_up_after_first_event(gateway), seconds=15)["call"]
    assert call["basis"] == "estimated"
    assert call["charges"][0]["amount"] > call["cost"]["nanos"]


def test_a_stop_gives_everything_back(start):
    gateway = start(FAST + budget() + budget("each", "100000 tokens", scope='{ key = "*" }'))
    for _ in range(5):
        converse(gateway)
    gateway.stop()
    for name in ("b", "each"):
        account = status(gateway, name)
        assert account["settled"] > 0 and (account["held"], account["unknown"]) == (0, 0), account


def test_a_kill_leaves_what_is_unknown_and_somebody_says_what_became_of_it(start, recorder):
    config = recorder_config(recorder, extra='[budgets]\nlease = "5s"\n' + budget())
    gateway = start(config)
    asked = threading.Event()
    recorder.answer = lambda _seen: (asked.set(), time.sleep(20), json_answer(recorder.CONVERSE))[2]
    threading.Thread(target=lost, args=[gateway], daemon=True).start()
    assert asked.wait(10)
    gateway.kill()
    again = start(config, project=gateway.project)
    wait_until(lambda: status(again)["unknown"] > 0, 20)
    account = status(again)
    assert account["unknown"] + account["left"] + account["settled"] + account["held"] == DOLLAR
    (slice_,) = [json.loads(line) for line in again.cli("budget", "reconcile", "b", "--format", "json").stdout.splitlines()]
    assert slice_["unknown"] == account["unknown"] and slice_["unit"] == "nano_usd"
    listed = again.cli("budget", "reconcile", "b").stdout
    assert slice_["node"] in listed and slice_["window"] in listed
    wait_until(lambda: metric(again, "bedplate_budget_unknown", budget="b", account="all", unit="usd") > 0, 20)
    for spent, code in (("5 USD", 2), ("5 tokens", 2), ("some", 2)):
        again.cli("budget", "reconcile", "b", "--node", slice_["node"], "--spent", spent, ok=code)
    again.cli("budget", "reconcile", "b", "--node", "nobody", "--spent", "0 USD", ok=1)
    done = again.cli_json("budget", "reconcile", "b", "--node", slice_["node"], "--spent", "0.00001 USD")
    assert (done["spent"], done["freed"]) == (10_000, slice_["unknown"] - 10_000)
    account = status(again)
    assert (account["unknown"], account["settled"]) == (0, 10_000)
    again.cli("budget", "reconcile", "b", "--spent", "0 USD", ok=1)


# ---- what operators do ----

def test_budgets_are_made_and_removed_while_calls_go_on(start):
    gateway = start(FAST)
    converse(gateway)
    made = gateway.cli_json("budget", "create", "tiny", "--limit", "0.000000001 USD", "--team", "demo")
    assert (made["limit"], made["unit"], made["source"]) == (1, "nano_usd", "made")
    key = gateway.new_key(team="demo")
    wait_until(lambda: refused(gateway, key=key, tokens=10) and refusal(gateway, key=key, tokens=10)[2].get("x-bedplate-code") == "BP1401")
    converse(gateway)
    gateway.cli("budget", "remove", "tiny")
    wait_until(lambda: not refused(gateway, key=key, tokens=10))
    gateway.cli("budget", "remove", "tiny", ok=2)
    tokens = {"name": "tiny", "limit": "1 tokens", "scope": {"team": "demo"}}
    code, said = admin(gateway, "POST", "budgets", tokens)
    assert code == 400 and "the other unit" in said["error"]["message"], "what was spent stays with the name"
    assert admin(gateway, "POST", "budgets", tokens | {"name": "few"})[0] == 201
    wait_until(lambda: refused(gateway, key=key, tokens=10))
    assert admin(gateway, "POST", "budgets/few/remove")[0] == 200
    wait_until(lambda: not refused(gateway, key=key, tokens=10))


def test_a_stored_budget_that_cannot_be_read_makes_the_gateway_not_ready(start):
    gateway = start(FAST)
    gateway.cli("budget", "create", "newer", "--limit", "1 USD", "--alias", "nobody.asks-for-it")
    said = lambda: parts(gateway)[1]["budgets"]  # noqa: E731
    assert (parts(gateway)[0], said()["state"]) == (200, "ok")
    # as a version writes it that knows more; the step of versions is taken as it takes it
    with contextlib.closing(sqlite3.connect(gateway.project / ".bedplate/bedplate.db", timeout=10)) as ledger, ledger:
        ((spec,),) = ledger.execute("SELECT spec FROM budget WHERE id = 'newer'")
        ((version,),) = ledger.execute("UPDATE change_counter SET value = value + 1 RETURNING value")
        ledger.execute("UPDATE budget SET spec = ?, version = ? WHERE id = 'newer'",
                       (json.dumps(json.loads(spec) | {"per_minute": 7}), version))
    wait_until(lambda: parts(gateway)[0] == 503)
    for word in ("`newer`", "per_minute", "version of bedplate", "bedplate budget remove"):
        assert word in said()["reason"], said()
    assert gateway.log().count("cannot be read, and is not in force") == 1
    for command in (["budget", "list"], ["budget", "status"]):
        told = gateway.cli(*command)
        assert "newer cannot be read, and is not in force: " in told.stderr and "per_minute" in told.stderr
        assert "per_minute" in gateway.cli_json(*command)["unreadable"]
    assert "unreadable" in gateway.cli("budget", "list").stdout
    assert "cannot be read" in gateway.cli("budget", "status", "newer", ok=1).stderr
    (unread,) = admin(gateway, "GET", "budgets")[1]["unreadable"]
    assert unread["name"] == "newer"
    gateway.stop()
    gateway.start()
    assert parts(gateway)[0] == 503 and "`newer`" in said()["reason"], "also after a start"
    # one of the configuration stands over it, and is enforced
    replace(gateway.project / "bedplate.toml", FAST + budget("newer"))
    wait_until(lambda: said()["state"] == "ok", 20)
    replace(gateway.project / "bedplate.toml", FAST)
    wait_until(lambda: said()["state"] == "failing", 20)
    gateway.cli("budget", "remove", "newer")
    wait_until(lambda: parts(gateway)[0] == 200)


def test_a_reload_takes_up_budgets_and_refuses_bad_ones_whole(start):
    gateway = start(FAST)
    replace(gateway.project / "bedplate.toml", FAST + budget(limit="0.000000001 USD"))
    wait_until(lambda: refused(gateway, tokens=10))
    replace(gateway.project / "bedplate.toml", FAST + budget(limit="0 USD") + budget("c"))
    wait_until(lambda: metric(gateway, "bedplate_config_last_reload_successful") == 0)
    assert refused(gateway, tokens=10), "the old one stands"
    assert [b["name"] for b in admin(gateway, "GET", "budgets")[1]["budgets"]] == ["b"]
    replace(gateway.project / "bedplate.toml", FAST)
    wait_until(lambda: not refused(gateway, tokens=10))


def test_the_command_line_and_the_admin_api_say_the_same(start):
    gateway = start(FAST + budget("all", "10 USD"))
    gateway.cli("budget", "create", "each", "--limit", "9000 tokens", "--key", "*", "--period", "rolling 24h",
                "--kind", "soft", "--ladder", "50%=warn,100%=block", "--outage", "closed")
    wait_until(lambda: len(converse(gateway)) > 0 and len(gateway.cli_json("budget", "status", "each")["accounts"]) == 1)
    # what is granted ahead changes with every call, and here no more come
    said = [json.loads(line) for line in gateway.cli("budget", "status", "--format", "json").stdout.splitlines()]
    assert [s["name"] for s in said] == ["all", "each"]
    for one in said:
        _, same = admin(gateway, "GET", f"budgets/{one['name']}")
        assert {k: same[k] for k in ("scope", "limit", "unit", "ladder", "outage", "source")} == {
            k: one[k] for k in ("scope", "limit", "unit", "ladder", "outage", "source")}
        assert [a["account"] for a in same["accounts"]] == [a["account"] for a in one["accounts"]]
    each = said[1]
    assert (each["limit"], each["unit"], each["kind"], each["outage"]) == (9000, "tokens", "soft", "closed")
    assert each["ladder"] == [{"at": "50%", "do": "warn"}, {"at": "100%", "do": "block"}]
    assert each["accounts"][0]["account"].startswith("key=key_")
    people = gateway.cli("budget", "status").stdout
    assert "█" in people or "▒" in people or "·" in people
    for word in ("all", "each", "$10.00 a month (hard)", "9000 tokens in 24h (soft)", "RESETS"):
        assert word in people, people
    listed = [json.loads(line) for line in gateway.cli("budget", "list", "--format", "json").stdout.splitlines()]
    assert listed == [{k: v for k, v in one.items() if k not in ("accounts", "more_accounts")} for one in said]
    assert "each key" in gateway.cli("budget", "list").stdout
    wait_until(lambda: gateway.cli_json("budget", "history", "all")["windows"][0]["settled"] > 0)
    history = gateway.cli_json("budget", "history", "all", "--since", "40d")
    assert [w["account"] for w in history["windows"]] == [""]
    assert admin(gateway, "GET", "budgets/all/history?since=40d")[1]["windows"][0]["starts"] == history["windows"][0]["starts"]
    assert history["windows"][0]["ends"] in gateway.cli("budget", "history", "all").stdout


@pytest.mark.parametrize("arguments, word", [
    (["--limit", "0 USD"], "not above 0"), (["--limit=-1 USD"], "not above 0"), (["--limit", "5 EUR"], "`EUR`"),
    (["--limit", "5"], "250 USD"), (["--limit", "1 USD", "--period", "fortnight"], "fortnight"),
    (["--limit", "1 USD", "--zone", "Mars"], "Mars"), (["--limit", "1 USD", "--alias", "*"], "alias"),
    (["--limit", "1 USD", "--ladder", "80%"], "80%=warn"), (["--limit", "1 USD", "--ladder", "0%=warn"], "0%"),
    (["--limit", "1 USD", "--ladder", "90%=lighter-model"], "not there yet"), (["--limit", "1 USD", "--kind", "firm"], "firm"),
    (["--limit", "9 USD"], "the budget `all` counts the same"), ([], "--limit"),
])
def test_a_bad_budget_is_refused_and_nothing_is_made(tmp_path, arguments, word):
    (tmp_path / "bedplate.toml").write_text(budget("all"))
    done = cli("budget", "create", "new", *arguments, project=tmp_path, ok=2)
    assert word in done.stderr, done.stderr
    assert [json.loads(line)["name"] for line in cli(
        "budget", "list", "--format", "json", project=tmp_path).stdout.splitlines()] == ["all"]


def test_what_is_not_there_is_said(tmp_path):
    for arguments in (("status", "none"), ("history", "none"), ("remove", "none"), ("reconcile", "none"),
                      ("why-blocked", "nonsense")):
        assert arguments[1] in cli("budget", *arguments, project=tmp_path, ok=2).stderr
    unknown = "00000000-0000-7000-8000-000000000000"
    assert unknown in cli("budget", "why-blocked", unknown, project=tmp_path, ok=1).stderr
    assert "budget create" in cli("budget", "status", project=tmp_path).stderr
    assert "bedplate.toml" in cli("budget", "create", "--help").stdout or "Examples" in cli("budget", "create", "--help").stdout
    assert "why-blocked" in cli("completions", "bash").stdout


def test_a_call_that_no_budget_blocked_says_so(start):
    gateway = start(FAST)
    call_id = converse(gateway)["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"]
    gateway.record(call_id)
    assert "no budget blocked" in gateway.cli("budget", "why-blocked", call_id, ok=1).stderr


def test_a_dearer_tier_that_a_call_asks_for_is_held(start, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "prices.toml").write_text(
        f'[models."{NOVA}"]\nprice_tiers.priority = {{ input = 60, output = 240 }}\n'
        'price_latency_optimized = { input = 600, output = 2400 }\n')
    gateway = start(FAST + budget(limit="0.5 USD") + '[prices]\noverrides = "prices.toml"\n', project=project)
    client = gateway.client()
    asked = {"modelId": NOVA, "messages": HELLO, "inferenceConfig": {"maxTokens": 4000}}
    native = {"modelId": NOVA, "body": json.dumps(
        {"messages": HELLO, "inferenceConfig": {"maxTokens": 4000}})}
    client.converse(**asked)
    dear = [lambda: client.converse(**asked, serviceTier={"type": "priority"}),
            lambda: client.converse(**asked, performanceConfig={"latency": "optimized"}),
            lambda: client.invoke_model(**native, serviceTier="priority"),
            lambda: client.invoke_model(**native, performanceConfigLatency="optimized")]
    needs = []
    for call in dear:
        with pytest.raises(client.exceptions.ServiceQuotaExceededException) as failed:
            call()
        headers = failed.value.response["ResponseMetadata"]["HTTPHeaders"]
        blocked = gateway.record(headers["x-bedplate-call-id"])["call"]["blocked"]
        assert blocked["why"] == "too_large"
        needs.append(blocked["need"] / DOLLAR)
    # 4,000 tokens at $240 and $2,400 a million, and the prompt
    assert 0.96 < needs[0] < 1.1 and 9.6 < needs[1] < 11 and 0.96 < needs[2] < 1.1 and 9.6 < needs[3] < 11, needs


@pytest.mark.parametrize("rung", ["cache-only", "block"])
def test_a_full_budget_gives_what_is_kept_and_at_cache_only_also_what_is_beyond_its_time(start, rung):
    rule = '[[cache.rule]]\nmodels = ["*"]\nttl = "2s"\nstale_if_error = "1h"\n'
    gateway = start(FAST + rule + budget(limit="20000 tokens", ladder=f'[{{ at = "90%", do = "{rung}" }}]'))
    client = gateway.client()

    def ask(text):
        return client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": text}]}],
                               inferenceConfig={"temperature": 0.0, "maxTokens": 3000})

    def marked():
        return ask("hello")["ResponseMetadata"]["HTTPHeaders"].get("x-bedplate-cache")

    def others_are_refused():
        for n in range(2000):
            try:
                ask(f"spend {n}")
            except client.exceptions.ServiceQuotaExceededException:
                return True
        return False

    assert marked() == "miss"
    assert others_are_refused()
    if rung == "cache-only":
        wait_until(lambda: marked() == "stale")
        reply = ask("hello")["ResponseMetadata"]["HTTPHeaders"]
        call = gateway.record(reply["x-bedplate-call-id"])["call"]
        assert (call["cache"]["mark"], call["blocked"]["why"], call.get("charges")) == ("stale", "spent", None)
    else:
        with pytest.raises(client.exceptions.ServiceQuotaExceededException):
            wait_until(lambda: marked() == "stale")
    with pytest.raises(client.exceptions.ServiceQuotaExceededException):
        ask("something else")


def test_what_is_expected_of_prompts_is_learned_and_its_error_told(start):
    gateway = start(FAST)
    client = gateway.client()
    records = []
    for n in range(30):
        text = "a question about order number %d and where it went " % n * (20 + n % 3)
        reply = client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": text}]}])
        records.append(gateway.record(reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["attempts"][0])
    misses = [abs(a["expected"] - a["usage"]["input"]) / a["usage"]["input"] for a in records]
    assert sum(misses[10:]) / 20 < 0.03 < misses[0], misses
    expected, told = (sum(n) for n in zip(*((a["expected"], a["usage"]["input"]) for a in records), strict=True))
    wait_until(lambda: metric(gateway, "bedplate_prompt_told_tokens_total", model=NOVA) == told)
    assert metric(gateway, "bedplate_prompt_expected_tokens_total", model=NOVA) == expected
    assert 0 < metric(gateway, "bedplate_prompt_missed_tokens_total", model=NOVA) < told
