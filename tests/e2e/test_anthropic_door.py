"""Anthropic's own SDK through the Anthropic door, and its Bedrock class through the Bedrock door."""

import anthropic
import pytest

from doors import CONFIG, PNG, WEATHER, anthropic_client
from gateway import HAIKU, Gateway

TOOL = {"name": "get_weather", "description": "The weather of a city", "input_schema": WEATHER}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("anthropic"), CONFIG) as gateway:
        yield gateway


@pytest.fixture
def client(gateway):
    return anthropic_client(gateway)


def says(text):
    return [{"role": "user", "content": f"Say {text}"}]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("model", ["chat", "claude", "claude-haiku-4-5", HAIKU])
def test_a_question_is_answered_whatever_the_model_is_called(client, model):
    message = client.messages.create(model=model, max_tokens=100, system="You repeat.", messages=says("hello there"))
    assert message.type == "message" and message.role == "assistant" and message.id.startswith("msg_")
    assert "hello there" in text_of(message).lower()
    # of Claude itself the answer passes through, and says which it is
    assert message.stop_reason == "end_turn" and (message.model == model or model != "chat" and "haiku" in message.model)
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_a_stream_is_put_together_by_the_sdk(client, model):
    whole = client.messages.create(model=model, max_tokens=100, messages=says("one two three four"))
    with client.messages.stream(model=model, max_tokens=100, messages=says("one two three four")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == text_of(whole) == text_of(final)
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens and final.model == whole.model


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_events_come_in_the_order_of_the_grammar(client, model):
    kinds = [e.type for e in client.messages.create(model=model, max_tokens=50, messages=says("one two"), stream=True)]
    kinds = [kind for kind in kinds if kind != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_tools_are_used_in_several_turns(client, model):
    messages = [{"role": "user", "content": "What is the weather of the city Paris?"}]
    first = client.messages.create(model=model, max_tokens=200, tools=[TOOL], messages=messages)
    assert first.stop_reason == "tool_use"
    [use] = [block for block in first.content if block.type == "tool_use"]
    assert use.name == "get_weather" and "city" in use.input
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "Sunny, 21 degrees."}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(model=model, max_tokens=200, tools=[TOOL], messages=messages)
    assert second.stop_reason == "end_turn" and "21" in text_of(second)


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_a_streamed_tool_use_has_its_whole_input(client, model):
    with client.messages.stream(model=model, max_tokens=200, tools=[TOOL],
                                messages=[{"role": "user", "content": "What is the weather of the city Paris?"}]) as stream:
        final = stream.get_final_message()
    [use] = [block for block in final.content if block.type == "tool_use"]
    assert use.name == "get_weather" and "city" in use.input and final.stop_reason == "tool_use"


def test_an_image_goes_as_bytes_and_none_is_fetched(client):
    def ask(model, source):
        return client.messages.create(model=model, max_tokens=50, messages=[
            {"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "Say seen"}]}])

    bytes_ = {"type": "base64", "media_type": "image/png", "data": PNG}
    assert "seen" in text_of(ask("claude", bytes_)).lower()
    assert "seen" in text_of(ask("chat", bytes_)).lower()
    with pytest.raises(anthropic.BadRequestError) as refused:
        ask("chat", {"type": "url", "url": "https://example.com/a.png"})
    assert "fetches nothing" in str(refused.value)


def test_thinking_and_betas_go_to_claude(client):
    message = client.beta.messages.create(
        model="claude", max_tokens=2000, betas=["interleaved-thinking-2025-05-14"],
        thinking={"type": "enabled", "budget_tokens": 1024}, messages=says("hi"))
    assert any(block.type == "thinking" for block in message.content)
    thinking = [block for block in message.content if block.type == "thinking"]
    assert thinking[0].signature


def test_errors_are_the_sdks_own(gateway, client):
    with pytest.raises(anthropic.AuthenticationError):
        anthropic_client(gateway, api_key="bp-nobody").messages.create(model="chat", max_tokens=9, messages=says("hi"))
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="no-such-alias", max_tokens=9, messages=says("hi"))
    with pytest.raises(anthropic.BadRequestError) as bad:
        client.messages.create(model="chat", max_tokens=9, messages=[{"role": "user", "content": [{"type": "text"}]}])
    assert "messages[0].content[0].text" in str(bad.value)
    assert bad.value.response.headers["request-id"] == bad.value.response.headers["x-bedplate-call-id"]
    assert bad.value.body["error"]["type"] == "invalid_request_error"


def test_a_key_is_taken_both_ways(gateway):
    token = gateway.ready["bearer_token"]
    by_token = anthropic.Anthropic(api_key=None, auth_token=token, base_url=f"{gateway.data}/anthropic", max_retries=0)
    assert by_token.messages.create(model="chat", max_tokens=20, messages=says("hi")).content


def test_models_are_listed(client):
    names = {model.id for model in client.models.list()}
    assert {"chat", "claude", "claude-haiku-4-5"} <= names


def test_the_bedrock_class_signs_and_streams(gateway):
    client = anthropic.AnthropicBedrock(
        aws_access_key=gateway.ready["access_key_id"], aws_secret_key=gateway.ready["secret_access_key"],
        aws_region="us-east-1", base_url=gateway.data, max_retries=0)
    message = client.messages.create(model=HAIKU, max_tokens=100, messages=says("hello there"))
    assert "hello there" in text_of(message).lower()
    with client.messages.stream(model=HAIKU, max_tokens=100, messages=says("one two")) as stream:
        assert "one two" in "".join(stream.text_stream).lower()


def test_the_record_says_how_it_was_asked(gateway, client):
    raw = client.messages.with_raw_response.create(
        model="claude", max_tokens=20, messages=says("hi"), metadata={"user_id": "u-7"})
    row = gateway.record(raw.headers["x-bedplate-call-id"])
    assert row["call"]["dialect"] == "anthropic" and row["call"]["user"] == "u-7"
    assert row["call"]["usage"]["output"] > 0


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_tokens_are_counted(client, model):
    short = client.messages.count_tokens(model=model, messages=says("hi")).input_tokens
    long = client.messages.count_tokens(model=model, messages=says("hi " * 200), system="You repeat.", tools=[TOOL]).input_tokens
    assert 0 < short < long


def test_what_bedplate_does_not_know_goes_to_claude_as_it_is(start, recorder):
    from gateway import recorder_config

    gateway = start(recorder_config(recorder))
    body = (b'{"model":"anthropic.claude-x-v1:0", "max_tokens":9,"messages":[{"role":"user","content":"hi"}],'
            b'"new_member":{"a":[1, 2]},"stream":false}')
    gateway.raw("POST", "/v1/messages", body, {
        "x-api-key": gateway.ready["bearer_token"], "anthropic-version": "2023-06-01", "anthropic-beta": "b-1",
        "content-type": "application/json"})
    seen = recorder.only()
    assert seen.target == "/model/anthropic.claude-x-v1%3A0/invoke"
    assert seen.body == (b'{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["b-1"], "max_tokens":9,"messages":'
                         b'[{"role":"user","content":"hi"}],"new_member":{"a":[1, 2]}}')
