"""What a hard budget holds for calls whose cost is not plain from their bytes."""

import json

import pytest

from gateway import NOVA, recorder_config
from recorder import json_answer
from test_budgets import DOLLAR, FAST, HELLO, budget, status
from test_reload import replace, wait_until

LLAMA, MISTRAL = "us.meta.llama3-1-8b-instruct-v1:0", "mistral.mistral-7b-instruct-v0:2"


def blocked(gateway, call):
    """What a call needed that a budget had no room for."""
    client = gateway.client()
    with pytest.raises(client.exceptions.ServiceQuotaExceededException) as failed:
        call(client)
    headers = failed.value.response["ResponseMetadata"]["HTTPHeaders"]
    return gateway.record(headers["x-bedplate-call-id"])["call"]["blocked"]


@pytest.mark.parametrize("model", [LLAMA, MISTRAL])
def test_a_model_whose_cache_writes_have_no_price_is_called_unless_the_call_writes(start, model):
    gateway = start(FAST + budget(limit="5 USD"))
    client = gateway.client()
    asked = {"modelId": model, "inferenceConfig": {"maxTokens": 100}}
    client.converse(messages=HELLO, **asked)
    point = [{"role": "user", "content": [{"text": "hello"}, {"cachePoint": {"type": "default"}}]}]
    assert blocked(gateway, lambda client: client.converse(messages=point, **asked))["why"] == "unpriced"


def test_a_document_holds_the_whole_window_and_an_image_its_own_measure(start):
    gateway = start(FAST + budget(limit="0.0006 USD"))
    text = {"text": "what is this?"}
    document = {"document": {"name": "d", "format": "txt", "source": {"bytes": b"hello"}}}
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n"}}}
    ask = lambda *parts: lambda client: client.converse(  # noqa: E731
        modelId=NOVA, messages=[{"role": "user", "content": [text, *parts]}], inferenceConfig={"maxTokens": 10})
    ask()(gateway.client())
    # 300,000 tokens at 6 cents a million, and four images of 8,192
    assert blocked(gateway, ask(document))["need"] / DOLLAR == pytest.approx(0.018, rel=0.01)
    assert blocked(gateway, ask(image, image, image, image))["need"] / DOLLAR == pytest.approx(0.00207, rel=0.05)


def test_an_answer_is_bounded_in_the_member_that_its_family_takes(start, recorder):
    recorder.will(json_answer(b'{"outputs":[{"text":"hi","stop_reason":"stop"}]}', headers=[
        ("x-amzn-bedrock-input-token-count", "9"), ("x-amzn-bedrock-output-token-count", "2")]))
    gateway = start(recorder_config(recorder, extra=budget(limit="0.0006 USD")))
    body = json.dumps({"prompt": "hello", "max_completion_tokens": 1})
    reply = gateway.client().invoke_model(modelId=MISTRAL, body=body)
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-budget"].startswith("bounded; max-tokens=")
    sent = json.loads(recorder.only().body)
    assert sent["max_completion_tokens"] == 1 and 256 <= sent["max_tokens"] < 4096


def test_several_answers_hold_as_often_as_many(start):
    gateway = start(FAST + budget(limit="0.000000001 USD"))
    body = lambda n: json.dumps({"prompt": "hello", "max_tokens": 1000, "n": n})  # noqa: E731
    needs = [blocked(gateway, lambda client, n=n: client.invoke_model(modelId=MISTRAL, body=body(n)))["need"] for n in (1, 2, 9)]
    one = needs[1] - needs[0]
    assert one > 0 and needs[2] - needs[0] == 8 * one, needs


@pytest.mark.parametrize("limit, bounded, because", [
    # 8,192 tokens at $2 a million, and the prompt: it fits, and nothing is short
    ("1 USD", lambda tokens: tokens == 8192, "how long an answer of the model may be is not known"),
    ("0.01 USD", lambda tokens: 256 <= tokens < 8192, "a budget has room for no more"),
])
def test_a_model_without_a_known_maximum_is_bounded_and_the_record_says_why(start, recorder, tmp_path, limit, bounded, because):
    project = tmp_path / "project"
    project.mkdir()
    (project / "prices.toml").write_text('[models."acme.new-v1:0"]\nprice = { input = 1, output = 2 }\n')
    config = budget(limit=limit) + '[prices]\noverrides = "prices.toml"\n'
    gateway = start(recorder_config(recorder, extra=config), project=project)
    asked = {"modelId": "acme.new-v1:0", "messages": HELLO}
    headers = gateway.client().converse(**asked)["ResponseMetadata"]["HTTPHeaders"]
    words, tokens = headers["x-bedplate-budget"].split("; max-tokens=")
    assert words == "bounded" and bounded(int(tokens)), headers
    assert json.loads(recorder.only().body)["inferenceConfig"]["maxTokens"] == int(tokens)
    record = gateway.record(headers["x-bedplate-call-id"])["call"]
    assert record["bounded"] == int(tokens)
    assert [edit for edit in record["edits"] if edit.startswith("maxTokens")] == [f"maxTokens {tokens}: {because}"]
    # one that says how long its answer may be is not bounded
    said = gateway.client().converse(**asked, inferenceConfig={"maxTokens": 300})["ResponseMetadata"]["HTTPHeaders"]
    assert "x-bedplate-budget" not in said
    assert json.loads(recorder.seen[-1].body)["inferenceConfig"]["maxTokens"] == 300


def test_an_alias_budget_counts_a_model_by_each_of_its_names(start, recorder):
    config = budget(limit="0.0001 USD", scope=f'{{ alias = "{NOVA}" }}')
    gateway = start(recorder_config(recorder, extra=config))
    arn = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{NOVA}"
    for name in (NOVA, arn):
        need = blocked(gateway, lambda client, name=name: client.converse(
            modelId=name, messages=HELLO, inferenceConfig={"maxTokens": 4000}))
        assert need["why"] == "too_large", name
    gateway.client().converse(modelId=LLAMA, messages=HELLO)


def test_a_zone_that_is_changed_forgets_no_money(start):
    config = FAST + budget(limit="2 USD", zone='"Asia/Tokyo"')
    gateway = start(config)
    gateway.client().converse(modelId=NOVA, messages=HELLO)
    wait_until(lambda: status(gateway)["settled"] > 0)
    before = status(gateway)
    for zone in ("America/Los_Angeles", "UTC", "Pacific/Kiritimati"):
        replace(gateway.project / "bedplate.toml", config.replace("Asia/Tokyo", zone))
        wait_until(lambda last=before: status(gateway)["resets"] != last["resets"], 20)
        assert status(gateway)["settled"] == before["settled"], zone
        before = status(gateway)
