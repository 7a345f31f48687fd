"""`bedplate conformance`: against a stub that answers recorded samples, faithfully and with planted faults;
against a second simulator; against nobody."""

import json
import re
import socket
import subprocess

import pytest

from gateway import UPSTREAM_KEY, UPSTREAM_SECRET, binary, clean_environment
from recorder import Answer, json_answer
from second_bedrock import (
    Bedrock, cut, drop, error, metadata_first, no_header, put, stream, whole, with_event_before_the_last,
    with_exception, with_start_of_text, with_text_type, without, without_native_metrics,
)

#: The checks that the samples cover.
COVERED = (
    "list-foundation-models", "get-inference-profile", "count-tokens", "unknown-profile", "unknown-model",
    "unknown-model-stream", "unknown-model-invoke", "max-tokens-zero", "profile-only-model", "unknown-path",
    "unknown-key", "bad-signature", "converse-text", "converse-tool-use", "converse-structured-output",
    "converse-stream-text", "converse-stream-tool-use", "invoke-anthropic", "invoke-stream-anthropic",
    "invoke-stream-nova", "guardrail-checks",
)


def run(*arguments, expect, key=(UPSTREAM_KEY, UPSTREAM_SECRET), timeout=90, **environment):
    done = subprocess.run(
        [binary(), "conformance", *arguments], capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL,
        env=clean_environment(AWS_ACCESS_KEY_ID=key[0], AWS_SECRET_ACCESS_KEY=key[1]) | environment,
    )
    assert done.returncode == expect, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*arguments, **options):
    done = run(*arguments, "--format", "json", **options)
    report = json.loads(done.stdout)
    report["by"] = {c["check"]: c for c in report["checks"]}
    report["stderr"] = done.stderr
    return report


def only(*checks):
    return [a for check in checks for a in ("--only", check)]


@pytest.fixture
def bedrock():
    upstream = Bedrock()
    yield upstream
    upstream.recorder.stop()


def test_recorded_samples_show_no_difference(bedrock):
    report = run_json("--endpoint", bedrock.url, *only(*COVERED), expect=0)
    assert {name: c["result"] for name, c in report["by"].items()} == dict.fromkeys(COVERED, "same")
    assert report["summary"]["differences"] == 0
    # What one side may leave out is said all the same, with the reason.
    optional = {d["path"]: d for d in report["by"]["converse-text"]["optional"]}
    assert optional["body.serviceTier"]["simulator"] == "absent"
    assert "echoed" in optional["body.serviceTier"]["optional"]
    # One line of progress a check, on stderr.
    assert len(re.findall(r"^\[\d+/\d+\] ", report["stderr"], re.M)) == len(COVERED)


def test_each_check_asks_each_side_once(bedrock):
    run_json("--endpoint", bedrock.url, *only("converse-text", "count-tokens"), expect=0)
    assert sorted(s.target for s in bedrock.recorder.seen) == [
        "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens",
        "/model/us.amazon.nova-micro-v1%3A0/converse",
    ]
    for seen in bedrock.recorder.seen:
        seen.signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)


# ---- planted differences ----

PLANTED = {
    "no contentBlockStop": (
        "converse-stream-text", "converse-stream", lambda: stream("converse-text", without("contentBlockStop")),
        "blocks.text", "contentBlockDelta contentBlockStop", "contentBlockDelta"),
    "contentBlockStart for text": (
        "converse-stream-text", "converse-stream", lambda: stream("converse-text", with_start_of_text),
        "blocks.text", "contentBlockDelta contentBlockStop",
        "contentBlockStart contentBlockDelta contentBlockStop"),
    "an event more": (
        "converse-stream-text", "converse-stream",
        lambda: stream("converse-text", with_event_before_the_last("surprise")),
        "events", "messageStart, content, messageStop, metadata",
        "messageStart, content, messageStop, surprise, metadata"),
    "no metadata": (
        "converse-stream-text", "converse-stream", lambda: stream("converse-text", without("metadata")),
        "events", "messageStart, content, messageStop, metadata", "messageStart, content, messageStop"),
    "metadata not last": (
        "converse-stream-text", "converse-stream", lambda: stream("converse-text", metadata_first),
        "events", "messageStart, content, messageStop, metadata",
        "metadata, messageStart, content, messageStop"),
    "a stray member in a delta": (
        "converse-stream-text", "converse-stream", lambda: stream("converse-text", with_text_type),
        "event.contentBlockDelta.delta.type", "absent", "text"),
    "a stream that is cut": (
        "converse-stream-text", "converse-stream", lambda: stream("converse-text", cut),
        "end", "well", "badly: the stream ended without messageStop"),
    "an exception in a stream": (
        "converse-stream-text", "converse-stream", lambda: stream("converse-text", with_exception),
        "events", "messageStart, content, messageStop, metadata",
        "messageStart, content, exception throttlingException"),
    "no tool in a stream": (
        "converse-stream-tool-use", "converse-stream tool", lambda: stream("converse-text"),
        "blocks.toolUse", "contentBlockStart contentBlockDelta contentBlockStop", "absent"),
    "no counts at the end of a native stream": (
        "invoke-stream-anthropic", "invoke-with-response-stream anthropic",
        lambda: stream("invoke-anthropic", without_native_metrics),
        "event.message_stop.amazon-bedrock-invocationMetrics", "object", "absent"),
    "a whole answer for a stream": (
        "converse-stream-text", "converse-stream", lambda: whole("responses/converse-text.json"),
        "status", "200", "0"),
    "no totalTokens": (
        "converse-text", "converse", lambda: whole("responses/converse-text.json", drop("usage", "totalTokens")),
        "body.usage.totalTokens", "number", "absent"),
    "a number as text": (
        "converse-text", "converse",
        lambda: whole("responses/converse-text.json", put("17", "usage", "outputTokens")),
        "body.usage.outputTokens", "number", "text"),
    "another role": (
        "converse-text", "converse",
        lambda: whole("responses/converse-text.json", put("user", "output", "message", "role")),
        "body.output.message.role", "assistant", "user"),
    "a member more": (
        "converse-text", "converse", lambda: whole("responses/converse-text.json", put([], "extra")),
        "body.extra", "absent", "list"),
    "text that is not of the schema": (
        "converse-structured-output", "converse structured",
        lambda: whole("responses/converse-structured-output.json",
                      put('{"sentiment":"mixed"}', "output", "message", "content", 0, "text")),
        "body.output.message.content[].text.topics", "list", "absent"),
    "no token count header": (
        "invoke-anthropic", "invoke anthropic",
        lambda: no_header(whole("responses/invoke-anthropic.json"), "x-amzn-bedrock-output-token-count"),
        "headers.x-amzn-bedrock-output-token-count", "a number", "absent"),
    "no request id": (
        "count-tokens", "count-tokens", lambda: no_header(whole("responses/count-tokens.json"), "x-amzn-requestid"),
        "headers.x-amzn-requestid", "a UUID", "absent"),
    "another error": (
        "unknown-model", "unknown model", lambda: error("ResourceNotFoundException", 404),
        "error", "ValidationException", "ResourceNotFoundException"),
    "another status for the same error": (
        "max-tokens-zero", "no tokens", lambda: error("ValidationException", 422), "status", "400", "422"),
    "an answer for an error": (
        "max-tokens-zero", "no tokens", lambda: whole("responses/converse-text.json"), "status", "400", "200"),
    "an error without a name": (
        "unknown-model", "unknown model", lambda: no_header(whole("errors/validation.json"), "x-amzn-errortype"),
        "headers.x-amzn-errortype", "an error's name", "absent"),
    "a bad signature let in": (
        "bad-signature", "bad signature", lambda: whole("responses/converse-text.json"), "status", "403", "200"),
    "a stranger let in": (
        "unknown-key", "unknown key", lambda: whole("responses/converse-text.json"), "status", "403", "200"),
    "no answer at all": (
        "converse-text", "converse", lambda: Answer(200, [("Content-Type", "application/json")], [b"{"], "chunked", "cut"),
        "status", "200", "0"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_found_and_named(bedrock, planted):
    check, name, make, path, simulator, target = PLANTED[planted]
    bedrock.plant(name, make())
    report = run_json("--endpoint", bedrock.url, *only(check, "list-foundation-models"), expect=1)
    assert report["by"]["list-foundation-models"]["result"] == "same"
    assert report["by"][check]["result"] == "differs"
    found = {d["path"]: (d["simulator"], d["target"]) for d in report["by"][check]["differences"]}
    assert found.get(path) == (simulator, target), found
    assert report["summary"]["differs"] == 1 and report["summary"]["differences"] == len(found)


def test_an_answer_that_cannot_be_read_says_why(bedrock):
    bedrock.plant("converse-stream", whole("responses/converse-text.json"))
    report = run_json("--endpoint", bedrock.url, *only("converse-stream-text"), expect=1)
    found = {d["path"]: d["target"] for d in report["by"]["converse-stream-text"]["differences"]}
    assert re.fullmatch(r"no answer: .+ \(BP4006\)", found["error"]), found
    # Bedrock may have charged for it all the same: the worst case counts.
    assert report["summary"]["cost_nanos"] > 0


def test_people_read_a_table_and_a_line_for_each_difference(bedrock):
    bedrock.plant("converse", whole("responses/converse-text.json", drop("usage", "totalTokens")))
    shown = run("--endpoint", bedrock.url, *only("converse-text", "count-tokens"), expect=1).stdout
    assert re.search(r"^ *converse-text +differs ", shown, re.M) and re.search(r"^ *count-tokens +same ", shown, re.M)
    assert "  body.usage.totalTokens: simulator number, target absent\n" in shown
    assert "(optional: echoed when asked for" in shown
    assert re.search(r"1 same, 1 differ, 0 not run; \$0\.\d+ of \$0\.10 spent", shown)


# ---- what is not run ----

def test_a_model_without_access_is_no_difference(bedrock):
    bedrock.plant("invoke anthropic", whole("errors/access-denied.json"))
    report = run_json("--endpoint", bedrock.url, *only("invoke-anthropic", "count-tokens"), expect=0)
    denied = report["by"]["invoke-anthropic"]
    assert denied["result"] == "not run" and "no access to global.anthropic.claude-haiku" in denied["why"]


def throttled(*hints):
    return json_answer('{"message":"Slow down."}', 429, [
        ("x-amzn-requestid", "7c9e0000-1111-4222-8333-444455550429"),
        ("x-amzn-errortype", "ThrottlingException"), *hints])


def test_a_throttled_check_is_asked_again_and_its_hints_are_compared(bedrock):
    bedrock.plant_once("count-tokens", throttled(("x-amz-retry-after", "300"), ("Retry-After", "1")))
    report = run_json("--endpoint", bedrock.url, *only("count-tokens", "retry-hints"), expect=0)
    assert report["by"]["count-tokens"]["result"] == report["by"]["retry-hints"]["result"] == "same"
    first, second = bedrock.recorder.seen
    assert 0.3 <= second.at - first.at < 1.0, "it waits as long as it is told"
    assert {d["path"] for d in report["by"]["retry-hints"]["optional"]} <= {
        "headers.x-amz-retry-after", "headers.retry-after"}


@pytest.mark.parametrize("answer, path", [
    (throttled(("x-amz-retry-after", "0.3s")), "headers.x-amz-retry-after (no whole number)"),
    (json_answer('{"message":"no"}', 429, [("x-amzn-errortype", "TooFast"), ("x-amz-retry-after", "10")]), "error"),
])
def test_another_way_to_throttle_is_a_difference(bedrock, answer, path):
    bedrock.plant_once("count-tokens", answer)
    report = run_json("--endpoint", bedrock.url, *only("count-tokens", "retry-hints"), expect=1)
    assert report["by"]["count-tokens"]["result"] == "same"
    assert path in {d["path"] for d in report["by"]["retry-hints"]["differences"]}


def test_a_passing_failure_is_asked_again_and_a_lasting_one_is_a_difference(bedrock):
    bedrock.plant_once("count-tokens", whole("errors/unavailable.json"))
    assert run_json("--endpoint", bedrock.url, *only("count-tokens"), expect=0)["summary"]["same"] == 1
    bedrock.plant("count-tokens", json_answer('{"message":"no"}', 503, [
        ("x-amzn-errortype", "ServiceUnavailableException"), ("x-amz-retry-after", "10")]))
    report = run_json("--endpoint", bedrock.url, *only("count-tokens"), expect=1)
    assert report["by"]["count-tokens"]["differences"][0] == {"path": "status", "simulator": "200", "target": "503"}


def test_a_check_that_is_always_throttled_is_not_run(bedrock):
    bedrock.plant("count-tokens", json_answer('{"message":"no"}', 429, [
        ("x-amzn-errortype", "ThrottlingException"), ("x-amz-retry-after", "10")]))
    report = run_json("--endpoint", bedrock.url, *only("count-tokens", "unknown-model"), expect=0)
    assert "throttled" in report["by"]["count-tokens"]["why"]
    assert [s.target.rsplit("/", 1)[1] for s in bedrock.recorder.seen].count("count-tokens") == 3


def test_with_no_money_nothing_that_is_charged_is_run(bedrock):
    report = run_json("--endpoint", bedrock.url, "--max-cost", "0", *only(*COVERED), expect=0)
    paid = [c["check"] for c in report["checks"] if c["result"] == "not run"]
    assert set(paid) == {
        "max-tokens-zero", "profile-only-model", "converse-text", "converse-tool-use", "converse-structured-output",
        "converse-stream-text", "converse-stream-tool-use", "invoke-anthropic", "invoke-stream-anthropic",
        "invoke-stream-nova", "guardrail-checks",
    }
    assert all("--max-cost" in report["by"][name]["why"] for name in paid)
    assert report["summary"]["cost_nanos"] == 0
    # Nothing that a model would have answered was sent.
    for seen in bedrock.recorder.seen:
        name = bedrock.name(seen)
        assert name in ("foundation-models", "inference-profiles", "unknown profile", "unknown model", "unknown path",
                        "unknown key", "bad signature", "count-tokens"), name


def test_costs_are_those_of_the_usage_that_is_said(bedrock):
    report = run_json("--endpoint", bedrock.url, *only("converse-text", "invoke-anthropic"), expect=0)
    # 24 and 17 tokens of Nova Micro at 0.035 and 0.14 USD a million, at the tier that was echoed: flex has no
    # price, so the worst case counts; 19 and 8 tokens of Claude Haiku 4.5, priority tier, likewise.
    listed = {c["check"]: c for c in map(json.loads, run("--list", "--format", "json", expect=0).stdout.splitlines())}
    for name in ("converse-text", "invoke-anthropic"):
        assert report["by"][name]["cost_nanos"] == listed[name]["at_most"]["nanos"]
    bedrock.plant("converse", whole("responses/converse-text.json", drop("serviceTier")))
    report = run_json("--endpoint", bedrock.url, *only("converse-text"), expect=0)
    assert report["summary"]["cost_nanos"] == 24 * 35 + 17 * 140


def test_the_money_runs_out_between_checks(bedrock):
    listed = {c["check"]: c for c in map(json.loads, run("--list", "--format", "json", expect=0).stdout.splitlines())}
    one = listed["invoke-anthropic"]["at_most"]["nanos"]
    report = run_json("--endpoint", bedrock.url, "--max-cost", f"{one / 1e9:.9f}",
                      *only("invoke-anthropic", "invoke-stream-anthropic"), expect=0)
    assert report["by"]["invoke-anthropic"]["result"] == "same"
    assert "--max-cost" in report["by"]["invoke-stream-anthropic"]["why"]
    assert report["summary"]["cost_nanos"] <= one


def test_nothing_compared_is_neither_good_nor_bad(bedrock):
    run("--endpoint", bedrock.url, "--max-cost", "0", *only("converse-text"), expect=5)
    assert not bedrock.recorder.seen


# ---- a second simulator ----

@pytest.fixture(scope="module")
def sim():
    process = subprocess.Popen([binary(), "sim", "--listen", "127.0.0.1:0", "--format", "json"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment())
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(10)


def test_a_second_simulator_shows_no_difference(sim):
    report = run_json("--endpoint", sim["endpoint"], expect=0,
                      key=(sim["access_key_id"], sim["secret_access_key"]))
    ran = {c["check"] for c in report["checks"] if c["result"] == "same"}
    assert {c["check"] for c in report["checks"]} - ran == {"retry-hints"}
    assert len(ran) >= 20 and report["summary"]["differences"] == 0
    assert not any(c["optional"] for c in report["checks"])
    assert 0 < report["summary"]["cost_nanos"] < 5_000_000


def test_another_region_and_other_models(sim):
    report = run_json("--endpoint", sim["endpoint"], "--region", "eu-west-1", *only("converse-text", "invoke-nova"),
                      "--model", "nova=eu.amazon.nova-lite-v1:0", expect=0,
                      key=(sim["access_key_id"], sim["secret_access_key"]))
    assert report["summary"]["same"] == 2


def test_a_proxy_for_https_is_not_asked_for_http(sim):
    report = run_json("--endpoint", sim["endpoint"], *only("count-tokens"), expect=0,
                      key=(sim["access_key_id"], sim["secret_access_key"]),
                      HTTPS_PROXY=f"http://127.0.0.1:{free_port()}")
    assert report["summary"]["same"] == 1


def test_a_project_says_where_aws_is(sim, tmp_path):
    (tmp_path / "bedplate.toml").write_text(
        '[[provider]]\nname = "private"\nkind = "bedrock"\nregion = "us-east-1"\n'
        f'endpoints = {{ runtime = "{sim["endpoint"]}", control = "{sim["endpoint"]}" }}\n')
    report = run_json("--aws", "--project", str(tmp_path), *only("converse-text", "list-foundation-models"), expect=0,
                      key=(sim["access_key_id"], sim["secret_access_key"]))
    assert report["target"] == sim["endpoint"] and report["summary"]["same"] == 2


# ---- targets that cannot be compared ----

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def test_a_target_that_is_not_there():
    done = run("--endpoint", f"http://127.0.0.1:{free_port()}", expect=4)
    assert "cannot be reached" in done.stderr and not done.stdout


def test_a_catalogue_that_is_not_there_is_said(bedrock):
    report = run_json("--endpoint", bedrock.url, "--control-endpoint", f"http://127.0.0.1:{free_port()}",
                      *only("list-foundation-models", "count-tokens"), expect=0)
    assert "catalogue cannot be reached" in report["by"]["list-foundation-models"]["why"]
    assert report["by"]["count-tokens"]["result"] == "same"


def test_credentials_that_the_target_refuses(bedrock):
    done = run("--endpoint", bedrock.url, *only("count-tokens"), expect=4, key=("AKIASOMEBODYELSE0000", "x"))
    assert "does not accept the credentials: UnrecognizedClientException" in done.stderr


def test_no_credentials():
    done = subprocess.run([binary(), "conformance", "--endpoint", "http://127.0.0.1:9", "--only", "count-tokens"],
                          capture_output=True, text=True, timeout=60, env=clean_environment())
    assert done.returncode == 2 and "AWS_ACCESS_KEY_ID" in done.stderr, done


# ---- the command line ----

def test_without_a_target_it_says_what_to_do():
    done = run(expect=2)
    assert "--aws" in done.stderr and "--endpoint" in done.stderr and not done.stdout


@pytest.mark.parametrize("arguments, word", [
    (["--aws", "--endpoint", "http://127.0.0.1:9"], "--endpoint"),
    (["--endpoint", "http://127.0.0.1:9", "--only", "converse-txt"], "converse-text"),
    (["--endpoint", "http://127.0.0.1:9", "--max-cost", "much"], "max-cost"),
    (["--endpoint", "http://127.0.0.1:9", "--model", "llama=x"], "titan-embed"),
    (["--endpoint", "127.0.0.1:9"], "127.0.0.1:9"),
])
def test_usage_errors_name_what_is_wrong(arguments, word):
    assert word in run(*arguments, expect=2).stderr


def test_the_list_names_every_check_and_its_worst_cost():
    listed = [json.loads(line) for line in run("--list", "--format", "json", expect=0).stdout.splitlines()]
    assert {c["check"] for c in listed} >= set(COVERED) | {"retry-hints"}
    assert all(c["at_most"]["state"] == "known" for c in listed)
    assert sum(c["at_most"]["nanos"] for c in listed) < 50_000_000
    shown = run("--list", expect=0).stdout
    assert "converse-stream-tool-use" in shown and "at most" in shown
