"""Text that nobody scripted, through every door and back: a small language model behind all of them.

The model takes the likeliest word each time, so what it says to a question is the same whoever carries it.
"""

import json
import time
from collections import namedtuple

import pytest

import llm_server
from doors import anthropic_client, openai_client
from gateway import Gateway, HAIKU

pytestmark = pytest.mark.skipif(
    not llm_server.WEIGHTS, reason="BEDPLATE_TEST_MODEL is not set: there is no model (scripts/test gets it)")

SYSTEM = "You are a kind teacher.\nAnswer in one short sentence."
#: Quotes of both kinds, a tab, a newline, a backslash, two scripts, characters beyond 16 bits, and marks of another model's template.
ODD = ("Ann's sign </s>[INST] says:\n\t\"Welcome to 東京! 🦀🎉\" \\n\n"
       "Which city is it about, and what does \"welcome\" mean?")
#: It answers in Japanese, of which many characters are more than one token.
SIGN = "A sign says:\n\"Let's go to 東京 🦀!\"\nWhat does the sign say?"
FEW = 20
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"

Said = namedtuple("Said", "text ending input output")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with llm_server.Model(tmp_path_factory.mktemp("model")) as model:
        yield model


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, model):
    config = f"""
[drain]
hang_up = "0s"

[[provider]]
name = "own"
kind = "openai"
endpoints = {{ runtime = "{model.url}" }}
bearer = {{ env = "KEY_OF_THE_MODEL" }}

[[provider]]
name = "sim"
kind = "sim"

[sim]
latency = "off"
lifecycle = "ignore"

[[sim.fault]]
kind = "unavailable"

[[model]]
name = "small"
targets = ["own/{model.name}"]
attempts = 1

# Their bodies are those of the first target, which is never there.
[[model]]
name = "claude"
targets = ["sim/{HAIKU}"]
fallback = [{{ target = "own/{model.name}" }}]

[[model]]
name = "llama"
targets = ["sim/{LLAMA}"]
fallback = [{{ target = "own/{model.name}" }}]
"""
    with Gateway(tmp_path_factory.mktemp("real"), config, KEY_OF_THE_MODEL=llm_server.KEY) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def directly(model):
    """What the model says to each question when it is asked without bedplate."""
    def ask(text, most):
        status, answer = model.ask(messages=turns(text), max_tokens=most)
        [choice], used = answer["choices"], answer["usage"]
        assert status == 200
        return Said(choice["message"]["content"], choice["finish_reason"], used["prompt_tokens"], used["completion_tokens"])
    return {ODD: ask(ODD, 40), SIGN: ask(SIGN, FEW)}


def turns(text):
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


# ---- the doors: each asks in its own words and says what came back ----

def openai_whole(gateway, text, most):
    answer = openai_client(gateway).chat.completions.create(model="small", messages=turns(text), max_tokens=most)
    [choice], used = answer.choices, answer.usage
    return Said(choice.message.content, choice.finish_reason, used.prompt_tokens, used.completion_tokens)


def openai_stream(gateway, text, most):
    chunks = list(openai_client(gateway).chat.completions.create(
        model="small", messages=turns(text), max_tokens=most, stream=True, stream_options={"include_usage": True}))
    choices, used = [chunk.choices[0] for chunk in chunks if chunk.choices], chunks[-1].usage
    ending = [choice.finish_reason for choice in choices if choice.finish_reason]
    assert len(choices) > 4 and len(ending) == 1
    return Said("".join(choice.delta.content or "" for choice in choices), *ending, used.prompt_tokens, used.completion_tokens)


def converse_asked(text, most):
    return {"modelId": "small", "system": [{"text": SYSTEM}], "messages": [{"role": "user", "content": [{"text": text}]}],
            "inferenceConfig": {"maxTokens": most, "temperature": 0.0}}


def converse(gateway, text, most):
    answer = gateway.client().converse(**converse_asked(text, most))
    [block], used = answer["output"]["message"]["content"], answer["usage"]
    assert used["totalTokens"] == used["inputTokens"] + used["outputTokens"]
    return Said(block["text"], answer["stopReason"], used["inputTokens"], used["outputTokens"])


def converse_stream(gateway, text, most):
    events = list(gateway.client().converse_stream(**converse_asked(text, most))["stream"])
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    [ending] = [event["messageStop"]["stopReason"] for event in events if "messageStop" in event]
    used = events[-1]["metadata"]["usage"]
    assert len(deltas) > 4
    return Said("".join(deltas), ending, used["inputTokens"], used["outputTokens"])


def messages_asked(text, most):
    return {"system": SYSTEM, "messages": [{"role": "user", "content": text}], "max_tokens": most}


def anthropic_whole(gateway, text, most):
    answer = anthropic_client(gateway).messages.create(model="small", **messages_asked(text, most))
    [block] = answer.content
    return Said(block.text, answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens)


def anthropic_stream(gateway, text, most):
    with anthropic_client(gateway).messages.stream(model="small", **messages_asked(text, most)) as stream:
        pieces = list(stream.text_stream)
        answer = stream.get_final_message()
    assert len(pieces) > 4
    return Said("".join(pieces), answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens)


def of_claude(text, most):
    return json.dumps({"anthropic_version": "bedrock-2023-05-31"} | messages_asked(text, most))


def of_llama(text, most):
    def turn(role, words):
        return f"<|start_header_id|>{role}<|end_header_id|>\n\n{words}<|eot_id|>"
    prompt = f"<|begin_of_text|>{turn('system', SYSTEM)}{turn('user', text)}<|start_header_id|>assistant<|end_header_id|>\n\n"
    return json.dumps({"prompt": prompt, "max_gen_len": most, "temperature": 0})


def claude_body(gateway, text, most):
    answer = json.loads(gateway.client().invoke_model(modelId="claude", body=of_claude(text, most))["body"].read())
    [block], used = answer["content"], answer["usage"]
    return Said(block["text"], answer["stop_reason"], used["input_tokens"], used["output_tokens"])


def llama_body(gateway, text, most):
    answer = json.loads(gateway.client().invoke_model(modelId="llama", body=of_llama(text, most))["body"].read())
    return Said(answer["generation"], answer["stop_reason"], answer["prompt_token_count"], answer["generation_token_count"])


def chunks(gateway, model, body):
    reply = gateway.client().invoke_model_with_response_stream(modelId=model, body=body)
    return [json.loads(event["chunk"]["bytes"]) for event in reply["body"]]


def claude_body_stream(gateway, text, most):
    events = chunks(gateway, "claude", of_claude(text, most))
    [last] = [event for event in events if event["type"] == "message_delta"]
    used = last["usage"]
    said = "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
    return Said(said, last["delta"]["stop_reason"], used["input_tokens"], used["output_tokens"])


def llama_body_stream(gateway, text, most):
    events = chunks(gateway, "llama", of_llama(text, most))
    metrics = events[-1]["amazon-bedrock-invocationMetrics"]
    [ending] = [event["stop_reason"] for event in events if event.get("stop_reason")]
    return Said("".join(event.get("generation") or "" for event in events), ending,
                metrics["inputTokenCount"], metrics["outputTokenCount"])


DOORS = [openai_whole, openai_stream, converse, converse_stream, anthropic_whole, anthropic_stream,
         claude_body, claude_body_stream, llama_body, llama_body_stream]
#: OpenAI's words for how an answer ended, in those of others.
ENDINGS = {"stop": {"stop", "end_turn"}, "length": {"length", "max_tokens"}}


# ---- the tests: 20 calls of at most 40 tokens ----

def test_the_model_is_a_model(directly):
    """Were these to fail, the rest would prove little: it reads, it knows, and it ends when it has nothing to add."""
    odd, sign = directly[ODD], directly[SIGN]
    assert "Tokyo" in odd.text and odd.ending == "stop" and 3 < odd.output < 40 and odd.input > 60
    assert sign.text.startswith('The sign says: "') and sign.ending == "length" and sign.output == FEW
    assert any("\u3040" <= c <= "\u9fff" for c in sign.text), sign.text


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_door_brings_the_same_question_and_the_same_answer(gateway, model, directly, door):
    expected = directly[ODD]
    said = door(gateway, ODD, 40)
    assert (said.text, said.input, said.output) == (expected.text, expected.input, expected.output)
    assert said.ending in ENDINGS["stop"]
    heard = model.heard()[-1]
    assert [(turn["role"], words(turn["content"])) for turn in heard["request"]["messages"]] == [
        ("system", SYSTEM), ("user", ODD)]
    assert 40 in (heard["request"].get("max_tokens"), heard["request"].get("max_completion_tokens"))
    assert heard["text"] == expected.text


def words(content):
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.parametrize("door", [openai_stream, converse_stream, anthropic_stream, llama_body], ids=lambda d: d.__name__)
def test_an_answer_that_is_too_long_says_so_and_half_characters_do_not_break_it(gateway, directly, door):
    expected = directly[SIGN]
    said = door(gateway, SIGN, FEW)
    assert (said.text, said.input, said.output) == (expected.text, expected.input, FEW)
    assert said.ending in ENDINGS["length"]


def test_a_stop_sequence_is_the_end_and_is_not_said(gateway, directly):
    before, stop, after = directly[SIGN].text.partition(" says")
    assert stop and after
    answer = openai_client(gateway).chat.completions.create(
        model="small", messages=turns(SIGN), max_tokens=FEW, stop=[stop, "never said"])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (before, "stop")
    reply = gateway.client().converse(**converse_asked(SIGN, FEW) | {
        "inferenceConfig": {"maxTokens": FEW, "stopSequences": [stop]}})
    assert reply["output"]["message"]["content"] == [{"text": before}]
    assert reply["usage"]["outputTokens"] < FEW


def test_who_leaves_mid_stream_stops_the_model(gateway, model):
    """It is allowed far more than it can say in the time that leaving takes."""
    asked = [{"role": "user", "content": "Write a long story about a fox."}]
    stream = openai_client(gateway).chat.completions.create(model="small", messages=asked, max_tokens=2000, stream=True)
    spoken = [chunk.choices[0].delta.content for chunk, _ in zip(stream, range(6), strict=False)]
    stream.close()
    until = time.monotonic() + 20
    while model.heard()[-1].get("request", {}).get("messages") != asked:
        assert time.monotonic() < until, "the model still speaks to nobody"
        time.sleep(0.05)
    heard = model.heard()[-1]
    assert heard["ending"] == "left" and heard["usage"]["completion_tokens"] < 200
    assert heard["text"].startswith("".join(filter(None, spoken)))


def test_what_the_model_cannot_do_is_said_in_the_callers_words(gateway, model):
    client = gateway.client()
    with pytest.raises(client.exceptions.ValidationException, match="temperature"):
        client.converse(**converse_asked(ODD, 5) | {"inferenceConfig": {"temperature": 0.9}})
    assert "temperature" in model.heard()[-1]["refused"]


def test_the_model_was_asked_little(model):
    spoken = [heard["usage"]["completion_tokens"] for heard in model.heard() if "usage" in heard]
    assert len(spoken) <= 20
