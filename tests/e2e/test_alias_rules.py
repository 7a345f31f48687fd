"""Aliases: rules that choose by the call, and conversations that stay on one target."""

import time

import pytest
from botocore.exceptions import ClientError

from gateway import cli
from test_reload import UP, wait_until
from test_routes import BASE, LITE, MICRO, PRO, alias, called, converse, converse_stream, fault, metric, record

RULES = f"""
[[model]]
name = "triage"
targets = ["a/{LITE}"]

[[model.rule]]
when = {{ team = "team-b", input = "> 2KiB" }}
targets = ["b/{PRO}"]

[[model.rule]]
when = {{ feature = "search" }}
targets = ["b/{MICRO}"]
"""
STICKY = alias(f"a/{LITE}", f"b/{LITE}", more='sticky = "conversation"\nsticky_for = "2s"')


def headers(client, **more):
    """The client, with headers on every request."""
    add = lambda request, **_: [request.headers.add_header(name, value) for name, value in more.items()]
    client.meta.events.register("before-sign.bedrock-runtime.*", add)
    return client


def test_the_call_chooses_among_targets(start):
    gateway = start(BASE + RULES)
    other = gateway.new_key("--may-name", "search", team="team-b")
    time.sleep(0.5)
    large = "many words " * 300
    assert called(record(gateway, converse(gateway)))[0][:2] == ("a", LITE)
    assert called(record(gateway, converse(gateway, large)))[0][:2] == ("a", LITE)
    assert called(record(gateway, converse(gateway, large, key=other)))[0][:2] == ("b", PRO)
    row = record(gateway, converse(gateway, key=other))
    assert called(row)[0][:2] == ("a", LITE) and row["call"]["model"] == "triage"
    client = headers(gateway.client(key=other), **{"x-bedplate-feature": "search"})
    asked = {"modelId": "triage", "messages": [{"role": "user", "content": [{"text": "hello"}]}]}
    assert called(record(gateway, client.converse(**asked)))[0][:2] == ("b", MICRO)


def test_explain_says_which_rule_a_call_has(start):
    gateway = start(BASE + RULES)
    explain = lambda *more: gateway.cli("model", "explain", "triage", *more).stdout
    assert "by its rule" not in explain() and f"100 %  a/{LITE}" in explain()
    chosen = explain("--team", "team-b", "--input", "40KiB")
    assert "by its rule for team team-b, input > 2KiB" in chosen and f"100 %  b/{PRO}" in chosen
    assert "by its rule" not in explain("--team", "team-b", "--input", "2KiB")
    shown = gateway.cli_json("model", "explain", "triage", "--feature", "search")
    assert shown["rule"] == 1 and shown["rules"][1]["when"] == {"feature": "search"}
    assert "for feature search: " in gateway.cli("model", "list").stdout


BAD = [
    ('when = {}\ntargets = ["a/x.y"]', "needs a condition", 13),
    ('when = { input = "> 8KiB, < 4KiB" }\ntargets = ["a/x.y"]', "contradicts itself", 13),
    ('when = { team = "x" }\ntargets = ["c/x.y"]', "there is no `[[provider]]` `c`", 14),
    ('when = { team = "x" }\ntargets = ["a/triage"]', "not to aliases", 14),
    ('when = { team = "x" }\ntargets = [{ target = "a/x.y", weight = 0 }]', "every weight is 0", 14),
    ('when = { team = "x" }\nalias = "other"\ntargets = ["a/x.y"]', "unknown field `alias`", 14),
]


@pytest.mark.parametrize("rule, said, line", BAD)
def test_bad_rules_are_refused_with_their_line(tmp_path, rule, said, line):
    config = BASE.replace("\n\n", "\n").strip() + f'\n[[model]]\nname = "triage"\ntargets = ["a/{LITE}"]\n[[model.rule]]\n{rule}\n'
    (tmp_path / "bedplate.toml").write_text(config)
    ended = cli("check", project=tmp_path, ok=2)
    (found,) = [text for text in (ended.stdout + ended.stderr).splitlines() if "bedplate.toml:" in text]
    assert said in found and f"bedplate.toml:{line}:" in found


def test_a_reload_with_a_bad_rule_changes_nothing(start):
    gateway = start(BASE + RULES)
    before = gateway.cli_json("model", "list")
    config = gateway.project / "bedplate.toml"
    good = config.read_text()
    config.write_text(good.replace(f'targets = ["b/{PRO}"]', 'targets = ["nowhere/x.y"]'))
    wait_until(lambda: gateway.metrics()[UP] == 0)
    assert gateway.cli_json("model", "list") == before
    reply = converse(gateway)
    config.write_text(good.replace(f'targets = ["b/{MICRO}"]', f'targets = ["a/{PRO}"]'))
    wait_until(lambda: gateway.metrics()[UP] == 1)
    assert gateway.cli_json("model", "list") != before
    assert called(record(gateway, reply))[0][:2] == ("a", LITE)


def first_asked(gateway, conversation=None, text="hello", then=(), key=None):
    client = gateway.client(key=key)
    if conversation:
        headers(client, **{"x-bedplate-conversation": conversation})
    turns = [text, *then]
    messages = [{"role": ("user", "assistant")[n % 2], "content": [{"text": turn}]} for n, turn in enumerate(turns)]
    row = record(gateway, client.converse(modelId="triage", messages=messages, inferenceConfig={"maxTokens": 20}))
    return called(row)[0][0]


def test_a_conversation_stays_on_one_target(start):
    gateway = start(BASE + STICKY)
    named = [[first_asked(gateway, f"c-{n}", text=f"turn {turn}") for turn in range(3)] for n in range(8)]
    assert all(len(set(asked)) == 1 for asked in named)
    assert {asked[0] for asked in named} == {"a", "b"}
    # without a name by how it began
    for n in range(8):
        first = first_asked(gateway, text=f"question {n}")
        assert first_asked(gateway, text=f"question {n}", then=["answer", "and then?"]) == first
        assert first_asked(gateway, text=f"question {n}", then=["answer", "why?", "so", "more"]) == first


def test_a_conversation_that_moved_stays_while_warm(start):
    down = fault("unavailable", model=LITE, first=1)
    gateway = start(BASE + down + STICKY)
    row = lambda: record(gateway, headers(gateway.client(), **{"x-bedplate-conversation": "c"}).converse(
        modelId="triage", messages=[{"role": "user", "content": [{"text": "hello"}]}]))
    (home, _, failed), (away, _, answered) = called(row())
    assert (failed, answered) == (503, 200) and home != away
    # the home is well again, but the prompt cache is elsewhere
    assert called(row())[0][0] == away
    time.sleep(2.2)
    assert called(row())[0][0] == home


def test_the_name_of_a_conversation_is_bounded(start):
    gateway = start(BASE + STICKY)
    with pytest.raises(ClientError) as failed:
        first_asked(gateway, "x" * 257)
    assert failed.value.response["Error"]["Code"] == "ValidationException"
    assert first_asked(gateway, "x" * 256)


LIVES = f'''[models."{LITE}"]
lifecycle = {{ state = "legacy", eol_date = "2099-01-01" }}
[models."{MICRO}"]
lifecycle = {{ state = "active", eol_date = "2099-02-01" }}
'''
ENDING = f'''
[prices]
overrides = "prices.toml"

[[model]]
name = "triage"
targets = [{{ target = "a/{LITE}", replacement = "a/{PRO}" }}]

[[model.rule]]
when = {{ feature = "search" }}
targets = ["b/{MICRO}"]
'''


def test_what_nears_its_end_is_said(start, tmp_path):
    (tmp_path / "project").mkdir(exist_ok=True)
    gateway = start(BASE)
    (gateway.project / "prices.toml").write_text(LIVES)
    config = gateway.project / "bedplate.toml"
    config.write_text(config.read_text() + ENDING)
    wait_until(lambda: metric(gateway, "bedplate_target_end_of_life_days", provider="a", model=LITE) > 20_000)
    left = lambda provider, model: metric(gateway, "bedplate_target_end_of_life_days", provider=provider, model=model)
    assert left("b", MICRO) == left("a", LITE) + 31

    warned = gateway.cli("check").stderr.splitlines()
    (first, second) = [line for line in warned if line.startswith("warning: ")]
    assert f"targets.0: a/{LITE}: LEGACY, ends in " in first and f"tested in its place is a/{PRO}" in first
    assert f"rule.0.targets.0: b/{MICRO}: ends in " in second and "replacement" in second
    lines = config.read_text().splitlines()
    for said, what in ((first, f'{{ target = "a/{LITE}"'), (second, f'"b/{MICRO}"')):
        path, line, column = said.removeprefix("warning: ").split(":")[:3]
        assert path == str(config) and lines[int(line) - 1][int(column) - 1:].startswith(what), said
    assert [f"warning: {said}" for said in gateway.cli_json("check")["warnings"]] == [first, second]

    (explained,) = gateway.cli_json("model", "list")
    assert explained["targets"][0]["life"] == {"legacy": True, "days": left("a", LITE), "replacement": f"a/{PRO}"}
    for shown in (gateway.cli("model", "list").stdout, gateway.cli("model", "explain", "triage").stdout):
        assert f"LEGACY, ends in {left('a', LITE):.0f} days" in shown and f"tested in its place is a/{PRO}" in shown

    (said,) = [edit for edit in record(gateway, converse(gateway))["call"]["edits"] if edit.startswith("model ")]
    assert said.startswith(f"model {LITE}: LEGACY, ends in ") and said.endswith(f"tested in its place is a/{PRO}")
    (bare,) = [e for e in record(gateway, converse(gateway, model=LITE))["call"]["edits"] if e.startswith("model ")]
    assert bare.startswith(f"model {LITE}: LEGACY, ends in ") and "tested" not in bare
    # far from its end nothing is said
    assert not [e for e in record(gateway, converse(gateway, model=MICRO))["call"]["edits"] if e.startswith("model ")]


def test_each_target_of_an_alias_has_its_own_times(start):
    slow = fault("slow_first_byte", model=LITE, first=1, delay="3s")
    gateway = start(BASE + slow + alias(f"a/{LITE}", f"b/{LITE}", more='timeout = { first_token = "1s" }'))
    reply, _ = converse_stream(gateway)
    (first, model, failed), (second, _, answered) = called(record(gateway, reply))
    assert (failed, answered) == (0, 200) and first != second
    of = lambda provider: {"alias": "triage", "provider": provider, "model": model}
    assert metric(gateway, "bedplate_upstream_timeouts_total", phase="first_token", **of(first)) == 1
    for times in ("duration", "first_token"):
        name = f"bedplate_upstream_{times}_seconds_count"
        assert (metric(gateway, name, **of(first)), metric(gateway, name, **of(second))) == (0, 1)
    assert metric(gateway, "bedplate_timeouts_total", model="triage", phase="first_token") == 1
