"""A call that goes to another family of models is adapted to it: what real models refuse, the simulator refuses, too."""

import pytest
from botocore.exceptions import ClientError

from gateway import NOVA
from test_routes import BASE, called, converse, fault, header, record

CLAUDE, NEWEST, LLAMA, R1 = ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-opus-5",
                             "us.meta.llama3-3-70b-instruct-v1:0", "us.deepseek.r1-v1:0")
THINKS = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
POINT = {"cachePoint": {"type": "default"}}
FOREIGN = "left out: reasoning of another family, 1"


def chain(first, *rungs, takes=""):
    fallback = ", ".join(f'{{ target = {{ target = "b/{rung}"{takes} }} }}' for rung in rungs)
    return f'[[model]]\nname = "triage"\ntargets = ["a/{first}"]\nfallback = [{fallback}]\nattempts = {len(rungs) + 1}\n'


def user(text):
    return {"role": "user", "content": [{"text": text}]}


def first_turn(gateway):
    """A turn in which Claude reasons: its reasoning is signed, and goes back with the next one."""
    reply = converse(gateway, "Say yes.", additionalModelRequestFields=THINKS)
    message = reply["output"]["message"]
    assert message["content"][0]["reasoningContent"]["reasoningText"]["signature"]
    return [user("Say yes."), message, user("Say no.")]


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_is_left_out_where_another_family_answers(start, streamed):
    gateway = start(BASE + fault("unavailable", model="*claude*", every=2) + chain(CLAUDE, NOVA))
    messages = first_turn(gateway)
    client = gateway.client(retries={"total_max_attempts": 1})
    asked = {"messages": messages, "additionalModelRequestFields": THINKS,
             "inferenceConfig": {"maxTokens": 60, "temperature": 0.0}}
    # the simulator takes it of no other family
    with pytest.raises(ClientError) as failed:
        client.converse(modelId=NOVA, messages=messages)
    assert "signature" in failed.value.response["Error"]["Message"]
    if streamed:
        reply = client.converse_stream(modelId="triage", **asked)
        events = list(reply["stream"])
        assert "metadata" in events[-1]
        text = "".join(e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e)
    else:
        reply = client.converse(modelId="triage", **asked)
        text = reply["output"]["message"]["content"][-1]["text"]
    assert "no" in text.lower() and header(reply, "x-bedplate-degraded") == "lighter-model"
    row = record(gateway, reply)
    assert called(row) == [("a", CLAUDE, 503), ("b", NOVA, 200)]
    assert {"left out: additionalModelRequestFields", FOREIGN} <= set(row["call"]["edits"])
    # with its own family the conversation goes on as it was
    row = record(gateway, client.converse(modelId="triage", **asked))
    assert called(row) == [("a", CLAUDE, 200)] and not any("left out" in edit for edit in row["call"]["edits"])


def refused(gateway, model, **asked):
    with pytest.raises(ClientError) as failed:
        converse(gateway, model=model, **asked)
    assert failed.value.response["Error"]["Code"] == "ValidationException"
    return failed.value.response["Error"]["Message"]


def test_the_newest_claude_gets_no_sampling_and_no_prefill(start):
    gateway = start(BASE + chain(NEWEST))
    asked = {"inferenceConfig": {"temperature": 0.2, "topP": 0.9, "maxTokens": 60},
             "additionalModelRequestFields": {"top_k": 5}}
    assert "temperature" in refused(gateway, NEWEST, **asked)
    row = record(gateway, converse(gateway, **asked))
    assert called(row) == [("a", NEWEST, 200)]
    assert {f"left out: {name}" for name in ("inferenceConfig.temperature", "inferenceConfig.topP",
                                             "additionalModelRequestFields.top_k")} <= set(row["call"]["edits"])
    prefill = {"messages": [user("Say yes."), {"role": "assistant", "content": [{"text": "Well"}]}],
               "inferenceConfig": {"maxTokens": 60}}
    assert "prefill" in refused(gateway, NEWEST, **prefill)
    row = record(gateway, converse(gateway, **prefill))
    assert "left out: the assistant's prefill" in row["call"]["edits"]


def test_cache_points_and_tools_are_left_out_where_models_have_neither(start):
    tool = {"toolSpec": {"name": "clock", "inputSchema": {"json": {"type": "object"}}}}
    asked = {"system": [{"text": "Be short."}, POINT], "toolConfig": {"tools": [tool]}, "messages": [
        user("What time is it?"),
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "clock", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "It is noon."}]}}, POINT]}]}
    gateway = start(BASE + fault("unavailable", model="*claude*") + chain(CLAUDE, LLAMA))
    assert "prompt caching" in refused(gateway, LLAMA, **asked)
    row = record(gateway, converse(gateway, **asked))
    assert called(row)[-1] == ("b", LLAMA, 200) and "left out: cachePoint, 2" in row["call"]["edits"]
    assert not any("toolConfig" in edit for edit in row["call"]["edits"])
    gateway = start(BASE + fault("unavailable", model="*claude*") + chain(CLAUDE, R1))
    row = record(gateway, converse(gateway, **asked))
    assert called(row)[-1] == ("b", R1, 200)
    assert {"left out: toolConfig", "written as text: toolUse and toolResult, 2"} <= set(row["call"]["edits"])


def test_the_configuration_knows_better_than_the_list(start):
    gateway = start(BASE + fault("unavailable", model="*claude*") + chain(CLAUDE, NOVA, takes=", takes = { sampling = false }"))
    row = record(gateway, converse(gateway, inferenceConfig={"temperature": 0.5, "maxTokens": 60}))
    assert called(row)[-1] == ("b", NOVA, 200) and "left out: inferenceConfig.temperature" in row["call"]["edits"]


def test_a_model_that_is_named_gets_what_the_caller_wrote(start):
    gateway = start(BASE + chain(NEWEST))
    row = record(gateway, converse(gateway, model=NOVA, inferenceConfig={"temperature": 0.5, "maxTokens": 60}))
    assert not any("left out" in edit for edit in row["call"]["edits"])
