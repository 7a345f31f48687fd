"""Native bodies of one family, answered by a model of another: in the shape that the caller expects."""

import json

import pytest

from doors import PNG
from gateway import HAIKU, NOVA, Gateway

LLAMA, MISTRAL = "us.meta.llama3-3-70b-instruct-v1:0", "mistral.mistral-large-2402-v1:0"


def alias(name, first, other):
    return f'[[model]]\nname = "{name}"\ntargets = ["sim/{first}"]\nfallback = [{{ target = "sim/{other}" }}]\n'


CONFIG = f"""
[[provider]]
name = "sim"
kind = "sim"

[sim]
latency = "off"
lifecycle = "ignore"

[[sim.model]]
id = "*"
error_rate = 0.0

[[sim.fault]]
kind = "unavailable"
operation = "InvokeModel"

[[sim.fault]]
kind = "unavailable"
operation = "InvokeModelWithResponseStream"

{alias("claude", HAIKU, NOVA)}
{alias("nova", NOVA, HAIKU)}
{alias("llama", LLAMA, NOVA)}
{alias("mistral", MISTRAL, NOVA)}
"""

CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 60, "system": "You repeat.", "top_k": 5,
          "messages": [{"role": "user", "content": "Say hello there"}]}
BODIES = {
    "claude": (CLAUDE, lambda a: a["content"][0]["text"], lambda a: a["usage"]["output_tokens"]),
    "nova": ({"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "Say hello there"}]}],
              "inferenceConfig": {"maxTokens": 60}},
             lambda a: a["output"]["message"]["content"][0]["text"], lambda a: a["usage"]["outputTokens"]),
    "llama": ({"prompt": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nSay hello there<|eot_id|>"
                         "<|start_header_id|>assistant<|end_header_id|>\n\n", "max_gen_len": 60},
              lambda a: a["generation"], lambda a: a["generation_token_count"]),
    "mistral": ({"prompt": "<s>[INST] Say hello there [/INST]", "max_tokens": 60},
                lambda a: a["outputs"][0]["text"], lambda a: len(a["outputs"])),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("families"), CONFIG) as gateway:
        yield gateway


@pytest.mark.parametrize("name", BODIES)
def test_another_family_answers_in_the_callers_shape(gateway, name):
    body, text, count = BODIES[name]
    reply = gateway.client().invoke_model(modelId=name, body=json.dumps(body))
    answer = json.loads(reply["body"].read())
    assert "hello there" in text(answer).lower() and count(answer) > 0, answer
    headers = reply["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-bedplate-degraded"] == "lighter-model"
    if name == "claude":
        assert answer["type"] == "message" and answer["stop_reason"] == "end_turn"
        assert "top_k" in headers.get("x-bedplate-dropped", "top_k")


@pytest.mark.parametrize("name", BODIES)
def test_streams_too(gateway, name):
    body, *_ = BODIES[name]
    reply = gateway.client().invoke_model_with_response_stream(modelId=name, body=json.dumps(body))
    chunks = [json.loads(event["chunk"]["bytes"]) for event in reply["body"]]
    text = {
        "claude": lambda c: c.get("delta", {}).get("text", ""),
        "nova": lambda c: c.get("contentBlockDelta", {}).get("delta", {}).get("text", ""),
        "llama": lambda c: c.get("generation") or "",
        "mistral": lambda c: "".join(o.get("text") or "" for o in c.get("outputs", [])),
    }[name]
    assert "hello there" in "".join(map(text, chunks)).lower(), chunks
    if name == "claude":
        assert [c["type"] for c in chunks][0] == "message_start" and chunks[-1]["type"] == "message_stop"
    if name == "nova":
        assert "messageStart" in chunks[0] and "metadata" in chunks[-1]


def test_tools_and_images_cross_too(gateway):
    tool = {"name": "get_weather", "description": "The weather of a city",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    body = CLAUDE | {"tools": [tool], "messages": [
        {"role": "user", "content": [image, {"type": "text", "text": "What is the weather of the city Paris?"}]}]}
    answer = json.loads(gateway.client().invoke_model(modelId="claude", body=json.dumps(body))["body"].read())
    [use] = [block for block in answer["content"] if block["type"] == "tool_use"]
    assert use["name"] == "get_weather" and "city" in use["input"] and answer["stop_reason"] == "tool_use"

