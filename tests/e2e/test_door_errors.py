"""The vendors' doors when something is wrong: what their own SDKs make of it, and how each bad request is named."""

import json

import anthropic
import httpx
import httpx2
import openai
import pytest

from doors import CONFIG, WEATHER, anthropic_client, openai_client
from gateway import HAIKU, NOVA, Gateway
from test_budgets import budget
from test_rates import throttle
from test_reload import wait_until

MICRO, PRO = "us.amazon.nova-micro-v1:0", "us.amazon.nova-pro-v1:0"
BUSY = "We are busy; please try again."


class OpenAiDoor:
    """One way to ask and to read, whatever the SDK is called."""

    sdk, connect, path, http = openai, staticmethod(openai_client), "/v1/chat/completions", httpx
    limit = "x-ratelimit-limit-requests"

    @staticmethod
    def create(client, text="Say hello there", model="chat", **more):
        messages = more.pop("messages", [{"role": "user", "content": text}])
        return client.chat.completions.with_raw_response.create(
            **({"model": model, "messages": messages, "max_tokens": 100} | more))

    @staticmethod
    def text(reply):
        return reply.parse().choices[0].message.content

    @staticmethod
    def pieces(reply):
        for chunk in reply.parse():
            for choice in chunk.choices:
                yield choice.delta.content or ""

    @staticmethod
    def authorization(gateway):
        return {"Authorization": f"Bearer {gateway.ready['bearer_token']}"}

    @staticmethod
    def said(body, headers):
        """(type, message) of an error answer, every member of which is looked at."""
        assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}
        if body["error"]["param"] is not None:
            assert body["error"]["message"].startswith(f"`{body['error']['param']}`")
        assert headers["x-request-id"] == headers["x-bedplate-call-id"]
        return body["error"]["type"], body["error"]["message"]


class AnthropicDoor:
    sdk, connect, path, http = anthropic, staticmethod(anthropic_client), "/v1/messages", httpx2
    limit = "anthropic-ratelimit-requests-limit"

    @staticmethod
    def create(client, text="Say hello there", model="chat", **more):
        messages = more.pop("messages", [{"role": "user", "content": text}])
        return client.messages.with_raw_response.create(
            **({"model": model, "messages": messages, "max_tokens": 100} | more))

    @staticmethod
    def text(reply):
        return "".join(block.text for block in reply.parse().content if block.type == "text")

    @staticmethod
    def pieces(reply):
        for event in reply.parse():
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                yield event.delta.text

    @staticmethod
    def authorization(gateway):
        return {"x-api-key": gateway.ready["bearer_token"], "anthropic-version": "2023-06-01"}

    @staticmethod
    def said(body, headers):
        assert set(body) == {"type", "error", "request_id"} and body["type"] == "error"
        assert set(body["error"]) == {"type", "message"}
        assert body["request_id"] == headers["request-id"] == headers["x-bedplate-call-id"]
        return body["error"]["type"], body["error"]["message"]


DOORS = {"openai": OpenAiDoor, "anthropic": AnthropicDoor}


@pytest.fixture(params=DOORS)
def door(request):
    return DOORS[request.param]


def asks(door, gateway, **settings):
    """A client with the SDK's own number of retries, and the list of what it sent."""
    sent = []
    client = door.connect(
        gateway, max_retries=2,
        http_client=door.http.Client(event_hooks={"request": [sent.append]}, timeout=30), **settings)
    return client, sent


def refused(door, client, kind, **asked):
    """The SDK's exception of that name, its body and its headers."""
    with pytest.raises(getattr(door.sdk, kind)) as error:
        reply = door.create(client, **asked)
        list(door.pieces(reply)) if asked.get("stream") else reply.parse()
    response = error.value.response
    return response.json(), response.headers


def calls(gateway):
    lines = gateway.cli("calls", "tail", "--no-follow", "-n", "10000", "--format", "json").stdout.splitlines()
    return [json.loads(line)["call"] for line in lines]


def fault(kind, model, **more):
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    return f'\n[[sim.fault]]\nkind = "{kind}"\nmodel = "*{model}*"\n{lines}'


def alias(name, *targets, **more):
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'\n[[model]]\nname = "{name}"\ntargets = {json.dumps([f"sim/{t}" for t in targets])}\n{lines}'


# ---- what a policy refuses ----


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_spent_hard_budget_is_not_asked_again(start, door, stream):
    gateway = start(CONFIG + budget(limit="0.0001 USD"))
    client, sent = asks(door, gateway)
    kind, says = {
        "openai": ("RateLimitError", "insufficient_quota"), "anthropic": ("BadRequestError", "billing_error"),
    }[door.sdk.__name__]
    body, headers = refused(door, client, kind, max_tokens=4000, stream=stream)
    assert door.said(body, headers)[0] == says
    assert headers["x-bedplate-code"] == "BP1401" and "retry-after" not in headers
    assert len(sent) == 1
    assert gateway.record(headers["x-bedplate-call-id"])["call"]["ending"] == "refused"
    assert len(calls(gateway)) == 1


def test_a_rate_is_waited_for_by_the_sdk(start, door):
    gateway = start(CONFIG + throttle("all", rpm=30))
    client, sent = asks(door, gateway)
    for _ in range(30):
        assert door.text(door.create(client, "Say hi"))
    assert len(sent) == 30
    impatient = door.connect(gateway)
    body, headers = refused(door, impatient, "RateLimitError")
    door.said(body, headers)
    assert headers["x-bedplate-code"] == "BP1501" and 1 <= int(headers["retry-after"]) <= 2
    assert headers[door.limit] == "30"
    assert door.text(door.create(client, "Say hi"))
    assert len(sent) == 32, "refused once, then answered"


def test_a_model_that_the_key_may_not_call(gateway, door):
    key = gateway.new_key("--model", "us.amazon.nova-*")
    client, sent = asks(door, gateway, api_key=key["bearer_token"])
    wait_until(lambda: known(door, client))
    assert door.text(door.create(client, model=NOVA))
    sent.clear()
    body, headers = refused(door, client, "PermissionDeniedError", model="claude")
    assert door.said(body, headers)[0] == "permission_error" and headers["x-bedplate-code"] == "BP1101"
    assert len(sent) == 1


def known(door, client):
    try:
        client.models.list()
        return True
    except door.sdk.AuthenticationError:
        return False


# ---- time ----


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", [NOVA, HAIKU], ids=["nova", "claude"])
def test_a_deadline_ends_a_call_that_has_not_begun(start, door, model, stream):
    gateway = start(CONFIG + fault("slow_first_byte", model, delay="30s"))
    client = door.connect(gateway)
    body, headers = refused(door, client, "InternalServerError", model=model, stream=stream,
                            extra_headers={"x-bedplate-deadline": "300ms"})
    says = {"openai": "server_error", "anthropic": "timeout_error"}[door.sdk.__name__]
    assert door.said(body, headers)[0] == says
    assert headers["x-bedplate-code"] in ("BP4002", "BP4003", "BP4004")
    assert gateway.record(headers["x-bedplate-call-id"])["call"]["status"] == 504


def test_a_deadline_that_is_none_is_named(gateway, door):
    body, headers = refused(door, door.connect(gateway), "BadRequestError", extra_headers={"x-bedplate-deadline": "soon"})
    assert "x-bedplate-deadline" in door.said(body, headers)[1] and headers["x-bedplate-code"] == "BP1205"


# ---- an upstream that fails ----


FAULTS = {
    "throttled": {"kind": "throttle"},
    "unavailable": {"kind": "unavailable"},
    "an exception before content": {"kind": "exception_before_content", "exception": "throttlingException"},
    "another exception before content": {"kind": "exception_before_content", "exception": "internalServerException"},
    "a reset before the answer": {"kind": "reset"},
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("how", FAULTS)
def test_what_another_target_mends_is_not_seen(start, door, how, stream):
    told = dict(FAULTS[how])
    if not stream and told.pop("exception", None):
        told["kind"] = "internal"  # whole answers have no exceptions in them
    gateway = start(CONFIG + alias("pair", PRO, f"{MICRO}") + fault(told.pop("kind"), "nova-pro", **told))
    client, sent = asks(door, gateway)
    for _ in range(4):
        reply = door.create(client, model="pair", stream=stream)
        text = "".join(door.pieces(reply)) if stream else door.text(reply)
        assert "hello there" in text.lower()
    assert len(sent) == 4


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", [NOVA, HAIKU], ids=["nova", "claude"])
def test_a_throttle_of_the_upstream_is_waited_for_by_the_sdk(start, door, model, stream):
    gateway = start(CONFIG + fault("throttle", model, first=1, retry_after="700ms"))
    client, sent = asks(door, gateway)
    reply = door.create(client, model=model, stream=stream)
    assert "".join(door.pieces(reply)) if stream else door.text(reply)
    assert len(sent) == 2


@pytest.mark.parametrize("exception, kinds", [
    ("throttlingException", ("RateLimitError", "RateLimitError")),
    ("validationException", ("BadRequestError", "BadRequestError")),
    ("serviceUnavailableException", ("InternalServerError", "InternalServerError")),
])
@pytest.mark.parametrize("model", [NOVA, HAIKU], ids=["nova", "claude"])
def test_an_exception_before_content_is_an_error_and_not_a_200(start, door, model, exception, kinds):
    gateway = start(CONFIG + fault("exception_before_content", model, exception=exception))
    kind = kinds[door is AnthropicDoor]
    body, headers = refused(door, door.connect(gateway), kind, model=model, stream=True)
    door.said(body, headers)
    assert gateway.record(headers["x-bedplate-call-id"])["call"]["ending"] == "failed"


@pytest.mark.parametrize("kind, more", [
    ("exception_after_content", {"exception": "modelStreamErrorException", "after": 4}),
    ("exception_after_content", {"exception": "throttlingException", "after": 4}),
    ("truncated_frame", {"after": 4}), ("crc_damage", {"after": 4}),
])
@pytest.mark.parametrize("model", [NOVA, HAIKU], ids=["nova", "claude"])
def test_a_stream_is_never_silently_short(start, door, model, kind, more):
    gateway = start(CONFIG + fault(kind, model, **more))
    client, sent = asks(door, gateway)
    reply = door.create(client, "Say " + "one two three " * 30, model=model, stream=True, max_tokens=500)
    pieces = []
    with pytest.raises(door.sdk.APIError) as error:
        for piece in door.pieces(reply):
            pieces.append(piece)
    assert any(pieces), "what came before the error was given"
    assert str(error.value) and len(sent) == 1
    call = gateway.record(reply.headers["x-bedplate-call-id"])["call"]
    assert call["ending"] == "cut" and call["usage"]["output"] > 0


# ---- what comes instead ----


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_text_of_ones_own_comes_in_the_words_of_the_door(start, door, stream):
    gateway = start(CONFIG + alias("busy", PRO, fallback=f'[{{ answer = "{BUSY}" }}]') + fault("unavailable", "nova-pro"))
    reply = door.create(door.connect(gateway), model="busy", stream=stream)
    assert ("".join(door.pieces(reply)) if stream else door.text(reply)) == BUSY
    assert reply.headers["x-bedplate-degraded"] == "static"
    call = gateway.record(reply.headers["x-bedplate-call-id"])["call"]
    assert call["degraded"] == "static"


def test_a_text_of_ones_own_is_a_whole_answer(start):
    gateway = start(CONFIG + alias("busy", PRO, fallback=f'[{{ answer = "{BUSY}" }}]') + fault("unavailable", "nova-pro"))
    with anthropic_client(gateway).messages.stream(
            model="busy", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream:
        final = stream.get_final_message()
    assert (final.content[0].text, final.stop_reason, final.model) == (BUSY, "end_turn", "busy")
    with openai_client(gateway).chat.completions.stream(
            model="busy", messages=[{"role": "user", "content": "hi"}], stream_options={"include_usage": True}) as stream:
        final = stream.get_final_completion()
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == (BUSY, "stop")
    assert final.usage.total_tokens == 0


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    rule = '\n[[cache.rule]]\nmodels = ["chat", "claude"]\nttl = "1h"\n'
    with Gateway(tmp_path_factory.mktemp("keeping"), CONFIG + rule) as gateway:
        yield gateway


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", ["chat", "claude"])
def test_kept_answers_are_given_again(keeping, door, model, stream):
    def ask():
        reply = door.create(door.connect(keeping), "Say one and two", model=model, stream=stream,
                            extra_body={"temperature": 0})
        parsed = reply.parse()
        events = [event.model_dump() for event in parsed] if stream else parsed.model_dump()
        return reply.headers, events

    (first, said), (again, repeated) = ask(), ask()
    assert (first["x-bedplate-cache"], again["x-bedplate-cache"]) == ("miss", "hit")
    assert repeated == said
    assert first["x-bedplate-call-id"] != again["x-bedplate-call-id"]
    assert again["content-type"] == first["content-type"]
    assert keeping.record(again["x-bedplate-call-id"])["call"]["cost"] != keeping.record(first["x-bedplate-call-id"])["call"]["cost"]


# ---- what is not a request ----


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("door-errors"), CONFIG) as gateway:
        yield gateway


def post(gateway, door, body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, headers, answer = gateway.raw(
        "POST", door.path, raw, {"Content-Type": "application/json", **door.authorization(gateway)})
    return status, headers, answer


def message_of(gateway, door, body):
    """What a bad request is told: 400, in the words of the door."""
    status, headers, answer = post(gateway, door, body)
    assert (status, headers["content-type"]) == (400, "application/json"), answer[:300]
    kind, message = door.said(json.loads(answer), headers)
    assert kind == "invalid_request_error"
    assert gateway.record(headers["x-bedplate-call-id"])["call"]["status"] == 400
    return message


def asked(**more):
    body = {"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    return {name: value for name, value in (body | more).items() if value is not None}


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_ten_thousand_messages_are_a_conversation(gateway, door, model):
    turns = [{"role": ("user", "assistant")[n % 2], "content": "x"} for n in range(9_999)]
    status, _, answer = post(gateway, door, asked(model=model, messages=turns))
    assert status == 200, answer[:300]


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("body", [
    b'{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":' + DEEP + b"}]}",
    b'{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"a","input_schema":' + DEEP + b"}]}",
    DEEP,
], ids=["a message", "a tool", "the body"])
def test_what_is_nested_deeply_is_refused(gateway, door, body):
    assert message_of(gateway, door, body)


def test_what_is_nested_deeply_where_nobody_reads_does_no_harm(gateway, door):
    status, headers, _ = post(gateway, door, json.dumps(asked())[:-1].encode() + b',"later":' + DEEP + b"}")
    assert status == 200 and headers["x-bedplate-dropped"] == "later"


@pytest.mark.parametrize("model", [b"chat", b"claude"])
def test_bytes_that_are_no_text_are_refused(gateway, door, model):
    body = b'{"model":"' + model + b'","max_tokens":9,"messages":[{"role":"user","content":"\xff\xfe"}]}'
    assert "not the JSON object" in message_of(gateway, door, body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"model":"chat","model":"claude","messages":[]}'])
def test_what_is_no_object_is_refused(gateway, door, body):
    assert message_of(gateway, door, body)


TOOL_RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
THINK = {"type": "adaptive", "budget_tokens": 2000}
SCHEMA = {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": False}}
TOOL = {"name": "get_weather", "input_schema": WEATHER}
BAD = {
    OpenAiDoor: {
        # words of others
        "system": asked(system="You repeat."),
        "inferenceConfig": asked(inferenceConfig={"maxTokens": 5}),
        "anthropic_version": asked(anthropic_version="bedrock-2023-05-31"),
        "input": asked(input="hi"),
        "functions": asked(functions=[{"name": "f"}]),
        "tools[0].input_schema": asked(tools=[TOOL]),
        "messages[0].content[0].type": asked(messages=[{"role": "user", "content": [TOOL_RESULT]}]),
        # tools
        "messages[0].tool_call_id": asked(messages=[{"role": "tool", "tool_call_id": "c1", "content": "x"}]),
        "messages[1].tool_call_id": asked(messages=[
            {"role": "user", "content": "hi"}, {"role": "tool", "tool_call_id": "c1", "content": "x"}]),
        "tool_choice": asked(tool_choice="required"),
        "tool_choice.function.name": asked(
            tools=[{"type": "function", "function": {"name": "a"}}],
            tool_choice={"type": "function", "function": {"name": "b"}}),
        # contradictions
        "max_completion_tokens": asked(max_completion_tokens=60),
        "max_tokens": asked(max_tokens=0),
        "stream_options": asked(stream_options={"include_usage": True}),
        "top_logprobs": asked(top_logprobs=3),
        "n": asked(n=0),
        "temperature": asked(temperature=3),
        "response_format.json_schema": asked(response_format={"type": "json_schema"}),
        # members
        "model": asked(model=7),
        "stream": asked(stream="yes"),
        "messages": asked(messages=[]),
        "messages[0].role": asked(messages=[{"role": "narrator", "content": "hi"}]),
        "url": asked(messages=[{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]),
    },
    AnthropicDoor: {
        "max_completion_tokens": asked(max_completion_tokens=60),
        "response_format": asked(response_format={"type": "json_object"}),
        "inferenceConfig": asked(inferenceConfig={"maxTokens": 5}),
        "anthropic_version": asked(anthropic_version="bedrock-2023-05-31"),
        "messages[0].content[0].type": asked(messages=[{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:"}}]}]),
        "messages[0].content[0].tool_use_id": asked(messages=[{"role": "user", "content": [TOOL_RESULT]}]),
        "messages[2].content[0].tool_use_id": asked(messages=[
            {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"},
            {"role": "user", "content": [TOOL_RESULT]}]),
        "tool_choice": asked(tool_choice={"type": "any"}),
        "tool_choice.name": asked(tools=[TOOL], tool_choice={"type": "tool", "name": "b"}),
        "thinking.budget_tokens": asked(thinking=THINK),
        "output_format": asked(output_format=SCHEMA, output_config={"format": SCHEMA}),
        "max_tokens": asked(max_tokens=None),
        "temperature": asked(temperature=1.5),
        "model": asked(model=7),
        "stream": asked(stream="yes"),
        "messages": asked(messages=[]),
        "messages[0].role": asked(messages=[{"role": "narrator", "content": "hi"}]),
        "url": asked(messages=[{"role": "user", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}]}]),
    },
}


#: What the door itself reads of a body that goes to Claude in Anthropic's own words: all else is Claude's to say.
READ_AT_THE_DOOR = {"model", "stream", "anthropic_version"}


@pytest.mark.parametrize("door, member, model", [
    pytest.param(door, member, model, id=f"{door.sdk.__name__}-{member}-{model}")
    for door, bad in BAD.items() for member in bad for model in ("chat", "claude")
    if model == "chat" or door is OpenAiDoor or member in READ_AT_THE_DOOR])
def test_a_bad_member_is_named(gateway, door, member, model):
    body = BAD[door][member]
    message = message_of(gateway, door, body if member == "model" else body | {"model": model})
    assert message.startswith(f"`{member}"), message


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_claude_refuses_is_said_in_the_words_of_the_door(gateway, stream):
    body = asked(model="claude", stream=stream, messages=[{"role": "assistant", "content": "hi"}])
    assert "first message" in message_of(gateway, AnthropicDoor, body)


@pytest.mark.parametrize("model", ["chat", "claude"])
def test_a_conversation_that_the_vendor_would_hold_is_refused_as_its_sdk_expects(gateway, model):
    client = anthropic_client(gateway)
    with pytest.raises(anthropic.BadRequestError) as error:
        AnthropicDoor.create(client, model=model, extra_body={"thread": {"type": "create"}})
    details = error.value.body["error"]["details"]
    assert details == {"error_code": "thread_unsupported_request"}, "its tool runner goes on without on this"


def test_the_same_stands_in_param(gateway):
    with pytest.raises(openai.BadRequestError) as error:
        OpenAiDoor.create(openai_client(gateway), top_logprobs=3)
    assert error.value.param == "top_logprobs"
