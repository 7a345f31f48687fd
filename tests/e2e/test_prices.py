"""What calls cost: by the model behind an ARN, by the day, by how they were served; and what prices are shown."""

import csv
import datetime
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from gateway import NOVA, UPSTREAM_KEY, UPSTREAM_SECRET, cli, recorder_config
from recorder import json_answer

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
ACCOUNT = "123456789012"
PROFILE = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/a1b2c3d4e5f6"
PRO = "us.amazon.nova-pro-v1:0"
USED = {"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500}
PRO_COST = 1000 * 800 + 500 * 3200


def call_id(reply):
    return reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"]


def answer(usage=USED, **more):
    return json_answer(json.dumps({
        "output": {"message": {"role": "assistant", "content": [{"text": "recorded"}]}}, "stopReason": "end_turn",
        "usage": usage, "metrics": {"latencyMs": 5}, **more}))


def profile_of(model, *regions):
    arns = [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model}"} for region in regions]
    return json_answer(json.dumps({
        "inferenceProfileName": "tenant", "inferenceProfileArn": PROFILE, "inferenceProfileId": "a1b2c3d4e5f6",
        "models": arns, "status": "ACTIVE", "type": "APPLICATION"}))


def error(status, name, message="no"):
    return json_answer(json.dumps({"message": message}), status, [("x-amzn-errortype", name)])


class Catalogue:
    """What an upstream answers when it is asked where ARNs lead, by path."""

    def __init__(self, recorder):
        self.asked, self.paths = recorder.lookups, {}
        recorder.lookup = self.read

    def read(self, seen):
        return self.paths.get(seen.target, error(404, "ResourceNotFoundException"))

    def profile(self, arn, found):
        self.paths[f"/inference-profiles/{quote(arn, safe='')}"] = found


@pytest.fixture
def upstream(start, recorder):
    gateway = start(recorder_config(recorder))
    return gateway, recorder, Catalogue(recorder)


def priced(gateway, model, **more):
    reply = gateway.client().converse(modelId=model, messages=HELLO, **more)
    record = gateway.record(call_id(reply))
    return record["call"]["cost"], record["attempts"][0]


def taken_up(gateway, *arguments):
    """A client with a new key, once the gateway knows it."""
    client = gateway.client(key=gateway.new_key(*arguments))
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            client.apply_guardrail(guardrailIdentifier="g", guardrailVersion="1", source="INPUT", content=[])
        except ClientError as e:
            if headers(e).get("x-bedplate-code") == "BP1002":
                time.sleep(0.05)
                continue
        return client
    raise AssertionError("the key is not taken up")


def headers(refused):
    return refused.response["ResponseMetadata"]["HTTPHeaders"]


# ---- the model behind an ARN ----

def test_an_application_profile_costs_what_its_model_costs(upstream):
    gateway, recorder, catalogue = upstream
    catalogue.profile(PROFILE, profile_of("amazon.nova-pro-v1:0", "us-east-1", "us-east-2", "us-west-2"))
    recorder.will(answer(), answer())
    cost, attempt = priced(gateway, PROFILE)
    assert cost == {"state": "known", "nanos": PRO_COST}
    assert (attempt["target"], attempt["model"]) == (PROFILE, PRO)
    assert attempt["price_basis"] == "default-region price"
    # the profile itself is what is called, and asking is signed as everything is
    (asked,), (called,) = catalogue.asked, recorder.seen
    assert called.target == f"/model/{quote(PROFILE, safe='')}/converse"
    asked.signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)
    again = gateway.client().converse(modelId=PROFILE, messages=HELLO)
    assert len(catalogue.asked) == 1
    gateway.record(call_id(again))
    page = gateway.cli("calls", "show", call_id(again)).stdout
    assert f"which leads to {PRO}" in page and "priced by  default-region price" in page


def test_many_first_calls_make_one_question(upstream):
    gateway, recorder, catalogue = upstream
    catalogue.profile(PROFILE, profile_of("amazon.nova-pro-v1:0", "us-east-1"))
    with ThreadPoolExecutor(24) as pool:
        attempts = [attempt for _, attempt in pool.map(lambda _: priced(gateway, PROFILE), range(24))]
    assert {attempt["model"] for attempt in attempts} == {"amazon.nova-pro-v1:0"}
    assert len(catalogue.asked) == 1


@pytest.mark.parametrize("regions, geography", [
    (["us-east-1"], ""),
    (["us-east-1", ""], "global."),
    (["us-east-1", "us-west-2"], "us."),
    (["ca-central-1", "us-east-1"], "us."),
])
def test_a_profile_is_known_by_where_its_calls_go(upstream, regions, geography):
    gateway, _, catalogue = upstream
    catalogue.profile(PROFILE, profile_of("anthropic.claude-sonnet-4-6", *regions))
    assert priced(gateway, PROFILE)[1]["model"] == f"{geography}anthropic.claude-sonnet-4-6"


@pytest.mark.parametrize("found, why", [
    (error(403, "AccessDeniedException", "not authorized to perform: bedrock:GetInferenceProfile"),
     "GetInferenceProfile answered AccessDeniedException"),
    (error(404, "ResourceNotFoundException"), "GetInferenceProfile answered ResourceNotFoundException"),
    (json_answer("not json"), "the answer of GetInferenceProfile cannot be read"),
    (profile_of("amazon.nova-pro-v1:0", "eu-west-1", "us-east-1"),
     "the profile goes to models or regions that no system-defined one does"),
])
def test_what_cannot_be_found_out_is_unknown_and_said_and_the_call_goes_on(upstream, found, why):
    gateway, _, catalogue = upstream
    catalogue.profile(PROFILE, found)
    for _ in range(3):
        cost, attempt = priced(gateway, PROFILE)
        assert cost == {"state": "unknown", "nanos": 0}
        assert attempt["price_basis"] == f"no price: {why}"
        assert "model" not in attempt
    assert len(catalogue.asked) == 1


def test_a_prompt_router_costs_what_the_model_it_chose_costs(upstream):
    gateway, recorder, catalogue = upstream
    router = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:default-prompt-router/amazon.nova:1"
    models = [{"modelArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{m}"} for m in (NOVA, PRO)]
    catalogue.paths[f"/prompt-routers/{quote(router, safe='')}"] = json_answer(json.dumps(
        {"promptRouterName": "nova", "models": models, "fallbackModel": models[1], "status": "AVAILABLE"}))
    chosen = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{PRO}"
    recorder.will(answer(trace={"promptRouter": {"invokedModelId": chosen}}), answer())
    cost, attempt = priced(gateway, router)
    assert (cost, attempt["model"]) == ({"state": "known", "nanos": PRO_COST}, chosen)
    # an answer that does not say which model it was has no price
    cost, attempt = priced(gateway, router)
    assert cost == {"state": "unknown", "nanos": 0}
    assert "does not say which model the prompt router chose" in attempt["price_basis"]


def test_provisioned_throughput_is_not_priced_by_the_token(upstream):
    gateway, _, catalogue = upstream
    arn = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:provisioned-model/abcdefghijkl"
    base = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"
    catalogue.paths[f"/provisioned-model-throughput/{quote(arn, safe='')}"] = json_answer(json.dumps(
        {"provisionedModelName": "ours", "modelArn": base, "foundationModelArn": base, "status": "InService"}))
    cost, attempt = priced(gateway, arn)
    assert cost == {"state": "unknown", "nanos": 0}
    assert attempt["price_basis"] == "no price: provisioned throughput is paid by the hour"
    # a key that may call the model may call it there
    taken_up(gateway, "--model", "amazon.nova-pro-v1:0").converse(modelId=arn, messages=HELLO)


@pytest.mark.parametrize("listed, named, allowed", [
    (PRO, PROFILE, True),
    (PROFILE, PROFILE, True),
    ("us.amazon.*", PROFILE, True),
    ("amazon.nova-pro-v1:0", PROFILE, False),
    (NOVA, PROFILE, False),
    (NOVA, f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{NOVA}", True),
    (NOVA, f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{PRO}", False),
    (NOVA, f"arn:aws:bedrock:us-east-1:{ACCOUNT}:prompt/PROMPT1234:1", False),
    (NOVA, f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/zzzzzzzzzzzz", False),
])
def test_a_profile_is_no_way_round_a_list_of_models(upstream, listed, named, allowed):
    gateway, recorder, catalogue = upstream
    catalogue.profile(PROFILE, profile_of("amazon.nova-pro-v1:0", "us-east-1", "us-east-2", "us-west-2"))
    client = taken_up(gateway, "--model", listed)
    recorder.seen.clear()
    if allowed:
        client.converse(modelId=named, messages=HELLO)
        return
    with pytest.raises(ClientError) as refused:
        client.converse(modelId=named, messages=HELLO)
    assert headers(refused.value)["x-bedplate-code"] == "BP1101"
    assert recorder.seen == []


def test_the_simulator_has_application_profiles(start):
    gateway = start("""
[sim]
latency = "off"
[[sim.application_profile]]
id = "a1b2c3d4e5f6"
name = "payments"
model = "us.amazon.nova-pro-v1:0"
""")
    arn = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/a1b2c3d4e5f6"
    cost, attempt = priced(gateway, arn)
    used = gateway.record(gateway_last(gateway))["call"]["usage"]
    assert attempt["model"] == PRO
    assert cost == {"state": "known", "nanos": used["input"] * 800 + used["output"] * 3200}


def gateway_last(gateway):
    line = gateway.cli("calls", "tail", "--no-follow", "-n", "1", "--format", "json").stdout.splitlines()[-1]
    return json.loads(line)["call"]["id"]


# ---- the day, and how it was served ----

def test_announced_prices_hold_from_their_day(start, recorder, tmp_path):
    today = datetime.datetime.now(datetime.UTC).date()
    # not at midnight: a day on either side is far from any clock
    past, future = today - datetime.timedelta(2), today + datetime.timedelta(2)
    project = tmp_path / "dated"
    project.mkdir()
    (project / "prices.toml").write_text(f"""
[[models."{NOVA}"]]
price = {{ input = 1, output = 1 }}
[[models."{NOVA}"]]
from = "{past}"
price = {{ input = 2, output = 2 }}
[[models."{NOVA}"]]
from = {future}
price = {{ input = 3, output = 3 }}
""")
    gateway = start(recorder_config(recorder, extra='[prices]\noverrides = "prices.toml"\n'), project=project)
    recorder.will(answer())
    cost, attempt = priced(gateway, NOVA)
    assert cost == {"state": "known", "nanos": 1500 * 2000}
    assert attempt["price_basis"] == f"default-region price from {past}"
    for day, dollars in [("2020-01-01", 1), (past, 2), (future, 3)]:
        shown = gateway.cli_json("cost", "prices", "show", NOVA, "--at", str(day))
        assert shown["rows"][0]["prices"]["input"] == dollars
        assert shown["changes"] == [str(past), str(future)]


def test_latency_optimised_calls_cost_what_they_are_said_to_cost(start, recorder, tmp_path):
    project = tmp_path / "optimized"
    project.mkdir()
    (project / "prices.toml").write_text(f'[models."{PRO}"]\nprice_latency_optimized = {{ input = 1, output = 4 }}\n')
    gateway = start(recorder_config(recorder, extra='[prices]\noverrides = "prices.toml"\n'), project=project)
    fast = {"latency": "optimized"}
    recorder.will(answer(performanceConfig=fast), answer(), answer(performanceConfig=fast), answer())
    cost, attempt = priced(gateway, PRO, performanceConfig=fast)
    assert (cost, attempt["tier"]) == ({"state": "known", "nanos": 1000 * 1000 + 500 * 4000}, "optimized")
    assert attempt["price_basis"] == "price of latency-optimised inference"
    # asked for and not given: what the answer says counts
    assert priced(gateway, PRO, performanceConfig=fast)[0] == {"state": "known", "nanos": PRO_COST}
    # nobody said what it costs
    cost, attempt = priced(gateway, NOVA, performanceConfig=fast)
    assert cost == {"state": "unknown", "nanos": 0} and "latency-optimised" in attempt["price_basis"]
    # native bodies say it in a header
    recorder.script.queue.clear()
    native = json.dumps({"output": {}, "stopReason": "end_turn", "usage": {"inputTokens": 1000, "outputTokens": 500}})
    recorder.will(json_answer(native, headers=[("X-Amzn-Bedrock-PerformanceConfig-Latency", "optimized")]))
    reply = gateway.client().invoke_model(modelId=PRO, body=b"{}", performanceConfigLatency="optimized")
    assert gateway.record(call_id(reply))["call"]["cost"]["nanos"] == 1000 * 1000 + 500 * 4000


TRACE = {"guardrail": {"inputAssessment": {"gr0abc": {"invocationMetrics": {"usage": {
    "contentPolicyUnits": 2, "topicPolicyUnits": 1, "wordPolicyUnits": 1}}}}}}
GUARD = {"guardrailIdentifier": "gr0abc", "guardrailVersion": "1"}


def test_what_a_guardrail_used_is_known_by_its_trace_alone(recorded):
    gateway, recorder = recorded
    recorder.will(answer(trace=TRACE), answer(), answer({"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}, stopReason="guardrail_intervened"))
    tokens = 1000 * 60 + 500 * 240
    cost, _ = priced(gateway, NOVA, guardrailConfig=GUARD | {"trace": "enabled"})
    assert cost == {"state": "known", "nanos": tokens + 2 * 150_000 + 150_000}
    # without a trace AWS does not say: what is known is kept, and the rest is not nothing
    cost, attempt = priced(gateway, NOVA, guardrailConfig=GUARD)
    assert cost == {"state": "unknown", "nanos": tokens}
    assert attempt["price_basis"].endswith("what the guardrail used was not told")
    # a guardrail that the account enforces shows when it steps in
    cost, _ = priced(gateway, NOVA)
    assert cost == {"state": "unknown", "nanos": 0}


# ---- prices shown ----

def test_prices_are_shown_with_what_is_unknown(tmp_path):
    shown = json.loads(cli("cost", "prices", "show", PRO, "--format", "json", project=tmp_path).stdout)
    rows = {(row["tier"], row["above_input_tokens"]): row for row in shown["rows"]}
    assert rows["standard", None]["prices"] == {
        "input": 0.8, "output": 3.2, "cache_read": 0.2, "cache_write_5m": 0.8, "cache_write_1h": 0.8}
    assert rows["batch", None]["prices"]["input"] == 0.4 and rows["batch", None]["prices"]["cache_read"] is None
    assert not rows["optimized", None]["known"] and "latency-optimised" in rows["optimized", None]["basis"]
    human = cli("cost", "prices", "show", PRO, "--tier", "batch", project=tmp_path).stdout
    assert "0.4" in human and "unknown" in human and "2026-11-22" in human
    long = cli("cost", "prices", "show", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", project=tmp_path).stdout
    assert "prompts above 200000 tokens" in long
    away = cli("cost", "prices", "show", "amazon.nova-lite-v1:0", "--region", "eu-west-1", project=tmp_path).stdout
    assert "does not know the region" in away


def test_all_prices_are_a_table_for_programs(tmp_path):
    table = cli("cost", "prices", "show", "--format", "csv", project=tmp_path).stdout
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len({row["model"] for row in rows}) > 300
    (one,) = [r for r in rows if (r["model"], r["tier"], r["counter"]) == (NOVA, "standard", "input")]
    assert (one["usd"], one["per"], one["region"]) == ("0.06", "million tokens", "us-east-1")


def test_a_misspelt_model_is_answered_with_near_ones(tmp_path):
    done = cli("cost", "prices", "show", "us.amazon.nova-pr-v1:0", project=tmp_path, ok=1)
    assert f"Did you mean `{PRO}`" in done.stderr and done.stdout == ""
    done = cli("cost", "prices", "show", PROFILE, project=tmp_path, ok=1)
    assert "does not say its model" in done.stderr
    assert "2027-01-31" in cli("cost", "prices", "show", PRO, "--at", "soon", project=tmp_path, ok=2).stderr


def test_a_price_file_is_compared(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(f"""
[[models."{NOVA}"]]
price = {{ input = 0.07, output = 0.24 }}
[[models."{NOVA}"]]
from = "2027-01-01"
price = {{ input = 0.09, output = 0.24 }}
[models."acme.own-v1:0"]
price = {{ input = 1, output = 2 }}
""")
    lines = cli("cost", "prices", "diff", str(file), "--format", "json", project=tmp_path).stdout.splitlines()
    found = {(d["model"], d["row"], d["counter"], d["from"]): d for d in map(json.loads, lines)}
    changed = found[NOVA, "price", "input", None]
    assert (changed["kind"], changed["old"], changed["new"], changed["change_percent"]) == ("changed", 0.06, 0.07, 16.67)
    assert found[NOVA, "price", "input", "2027-01-01"]["new"] == 0.09
    assert found["acme.own-v1:0", "price", "output", None]["kind"] == "added"
    # the batch price belonged to the list's price
    assert found[NOVA, "price_tiers.batch", "input", None]["kind"] == "removed"
    assert (NOVA, "price", "output", None) not in found
    human = cli("cost", "prices", "diff", str(file), project=tmp_path).stdout
    assert "+16.67 %" in human and "added" in human
    same = cli("cost", "prices", "diff", str(file), "--against", str(file), project=tmp_path).stdout
    assert same.startswith("0 changed, 0 added, 0 removed")
    assert "nothing to compare" in cli("cost", "prices", "diff", project=tmp_path, ok=2).stderr


@pytest.mark.parametrize("text, said", [
    ("price = { input = -1, output = 1 }", 'models."a.b".price.input: not a price: `-1` is below zero'),
    ("price = { input = 1 }", 'models."a.b".price: `output` is missing'),
    ("price = { input = 1, output = 1, inputs = 1 }", 'models."a.b".price.inputs: no such price'),
    ("prize = { input = 1 }", 'models."a.b".prize: no such member'),
    ('from = "2027-02-30"\nprice = { input = 1, output = 1 }', 'models."a.b".from: not a day: `2027-02-30`'),
])
def test_a_bad_price_file_is_refused_with_its_place(tmp_path, text, said):
    (tmp_path / "prices.toml").write_text(f'[models."a.b"]\n{text}\n')
    (tmp_path / "bedplate.toml").write_text('[prices]\noverrides = "prices.toml"\n')
    for command in (["check"], ["cost", "prices", "diff", str(tmp_path / "prices.toml")], ["cost", "prices", "show"]):
        done = cli(*command, project=tmp_path, ok=2)
        assert said in done.stderr, done.stderr


def test_rows_that_overlap_are_refused(tmp_path):
    row = '[[models."a.b"]]\nfrom = "2027-01-01"\nprice = { input = 1, output = 1 }\n'
    (tmp_path / "prices.toml").write_text(row + row)
    (tmp_path / "bedplate.toml").write_text('[prices]\noverrides = "prices.toml"\n')
    assert 'models."a.b"[1]: overlaps' in cli("check", project=tmp_path, ok=2).stderr
