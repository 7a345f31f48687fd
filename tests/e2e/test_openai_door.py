"""OpenAI's own SDK through the OpenAI door, with models of Bedrock behind it."""

import json

import openai
import pytest
from pydantic import BaseModel

from doors import CONFIG, PNG, WEATHER, openai_client
from gateway import Gateway, NOVA

TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather of a city", "parameters": WEATHER}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("openai"), CONFIG) as gateway:
        yield gateway


@pytest.fixture
def client(gateway):
    return openai_client(gateway)


def says(text):
    return [{"role": "system", "content": "You repeat."}, {"role": "user", "content": f"Say {text}"}]


@pytest.mark.parametrize("model", ["chat", "claude", "gpt-4o-mini", NOVA])
def test_a_question_is_answered_whatever_the_model_is_called(client, model):
    answer = client.chat.completions.create(model=model, messages=says("hello there"), max_tokens=100)
    assert answer.object == "chat.completion" and answer.model == model
    assert answer.id.startswith("chatcmpl-")
    [choice] = answer.choices
    assert "hello there" in choice.message.content.lower()
    assert choice.finish_reason == "stop" and choice.message.role == "assistant"
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_a_stream_has_role_first_usage_last_and_the_same_text(client, model):
    whole = client.chat.completions.create(model=model, messages=says("one two three four"), max_tokens=100)
    chunks = list(client.chat.completions.create(
        model=model, messages=says("one two three four"), max_tokens=100, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(c.usage is None for c in chunks[:-1])
    assert len({c.id for c in chunks}) == 1 and {c.model for c in chunks} == {model}


def test_usage_is_not_said_to_who_did_not_ask(client):
    chunks = list(client.chat.completions.create(model="chat", messages=says("hi"), stream=True))
    assert all(c.usage is None and c.choices for c in chunks)


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_tools_are_used_in_several_turns(client, model):
    messages = [{"role": "user", "content": "What is the weather of the city Paris?"}]
    first = client.chat.completions.create(model=model, messages=messages, tools=[TOOL], max_tokens=200)
    assert first.choices[0].finish_reason == "tool_calls"
    [call] = first.choices[0].message.tool_calls
    assert call.type == "function" and call.function.name == "get_weather"
    assert "city" in json.loads(call.function.arguments)
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 21 degrees."}]
    second = client.chat.completions.create(model=model, messages=messages, tools=[TOOL], max_tokens=200)
    assert second.choices[0].finish_reason == "stop" and "21" in second.choices[0].message.content


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_the_pieces_of_a_tool_call_are_put_together_by_the_sdk(client, model):
    messages = [{"role": "user", "content": "What is the weather of the city Paris?"}]
    with client.chat.completions.stream(model=model, messages=messages, tools=[TOOL], max_tokens=200) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls
    assert call.function.name == "get_weather" and "city" in json.loads(call.function.arguments)
    assert final.choices[0].finish_reason == "tool_calls"


def test_an_image_goes_as_bytes_and_none_is_fetched(client):
    def ask(url):
        return client.chat.completions.create(model="claude", max_tokens=50, messages=[
            {"role": "user", "content": [{"type": "text", "text": "Say seen"}, {"type": "image_url", "image_url": {"url": url}}]}])

    assert "seen" in ask(f"data:image/png;base64,{PNG}").choices[0].message.content.lower()
    with pytest.raises(openai.BadRequestError) as refused:
        ask("https://example.com/a.png")
    assert "data URL" in refused.value.message


def test_structured_output_is_parsed_by_the_sdk(client):
    class City(BaseModel):
        city: str

    answer = client.chat.completions.parse(
        model="claude", max_tokens=200, response_format=City,
        messages=[{"role": "user", "content": "Which city is it? The city is Lisbon."}])
    assert isinstance(answer.choices[0].message.parsed, City)


def test_what_has_no_place_is_said(client):
    raw = client.chat.completions.with_raw_response.create(
        model="claude", messages=says("hi"), seed=7, max_tokens=50, extra_body={"verbosity": "low"})
    dropped = set(raw.headers["x-bedplate-dropped"].split(", "))
    assert {"seed", "verbosity"} <= dropped
    assert raw.headers["x-request-id"] == raw.headers["x-bedplate-call-id"]


def test_errors_are_the_sdks_own(gateway, client):
    with pytest.raises(openai.AuthenticationError):
        openai_client(gateway, api_key="bp-nobody").chat.completions.create(model="chat", messages=says("hi"))
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="no-such-alias", messages=says("hi"))
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="chat", messages=[{"role": "user", "content": [{"type": "text"}]}])
    assert bad.value.param == "messages[0].content[0].text", bad.value.body
    with pytest.raises(openai.NotFoundError) as responses:
        client.responses.create(model="chat", input="hi")
    assert "chat completions" in responses.value.message
    assert bad.value.response.headers["x-bedplate-code"] == "BP1205"


def test_models_are_listed(client):
    names = {model.id for model in client.models.list()}
    assert {"chat", "claude"} <= names
    assert client.models.retrieve("chat").id == "chat"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such")


def test_the_record_says_how_it_was_asked(gateway, client):
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=says("hi"), user="u-7", max_tokens=20)
    call = gateway.record(raw.headers["x-bedplate-call-id"])["call"]
    assert call["dialect"] == "openai" and call["operation"] == "Converse" and call["user"] == "u-7"
    assert call["usage"]["input"] > 0


def test_a_client_that_leaves_is_settled(gateway, client):
    stream = client.chat.completions.create(model="chat", messages=says("a " * 400), stream=True, max_tokens=2000)
    next(iter(stream))
    stream.close()
    row = gateway.record(stream.response.headers["x-bedplate-call-id"])["call"]
    assert row["ending"] in ("answered", "abandoned") and row["usage"]["output"] > 0


@pytest.mark.parametrize("model", ["amazon.titan-embed-text-v2:0", "cohere.embed-english-v3"])
def test_texts_are_embedded_whatever_the_model_takes_at_once(gateway, client, model):
    texts = [f"text number {n}" for n in range(5)]
    raw = client.embeddings.with_raw_response.create(model=model, input=texts)
    embedded = raw.parse()
    assert [e.index for e in embedded.data] == list(range(5)) and embedded.model == model
    assert len({tuple(e.embedding) for e in embedded.data}) == 5 and len(embedded.data[0].embedding) >= 256
    assert embedded.usage.prompt_tokens > 0
    [one] = client.embeddings.create(model=model, input=texts[3], encoding_format="float").data
    assert one.embedding == pytest.approx(embedded.data[3].embedding, rel=1e-6)
    row = gateway.record(raw.headers["x-bedplate-call-id"])["call"]
    assert row["usage"]["input"] == embedded.usage.prompt_tokens


def test_a_model_that_does_not_embed_says_so(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="chat", input="hi")
    assert refused.value.param == "model"


def test_what_the_newest_models_refuse_is_left_out_and_said(gateway, client):
    raw = client.chat.completions.with_raw_response.create(
        model="us.anthropic.claude-opus-5", messages=says("hi"), temperature=0.5, max_tokens=50)
    assert raw.parse().choices[0].message.content
    assert "temperature" in raw.headers["x-bedplate-dropped"]
    assert "dropped temperature" in gateway.record(raw.headers["x-bedplate-call-id"])["call"]["edits"]


def test_several_answers_are_refused_where_there_is_one(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="chat", messages=says("hi"), n=2)
    assert refused.value.param == "n"
