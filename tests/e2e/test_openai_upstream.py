"""`kind = "openai"`: a server that speaks OpenAI's chat completions, behind both doors."""

import dataclasses
import json
import threading

import pytest
from botocore.exceptions import ClientError, EventStreamError

import openai_server as srv
from gateway import NOVA, UPSTREAM_KEY, UPSTREAM_SECRET, cli, recorder_config
from openai_server import DONE, MODEL, SPENT, STOP
from recorder import json_answer

TOOL = {"toolSpec": {"name": "weather", "description": "The sky over a city", "inputSchema": {"json": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}}}


@pytest.fixture
def server():
    upstream = srv.server()
    yield upstream
    upstream.stop()


def config(server, more="", extra="", targets=f'"local/{MODEL}"'):
    return f"""
{extra}

[[provider]]
name = "sim"
kind = "sim"

[sim]
latency = "off"

[[provider]]
name = "local"
kind = "openai"
endpoints = {{ runtime = "{server.url}/v1" }}
{more}

[[model]]
name = "chat"
targets = [{targets}]
fallback = [{{ target = "sim/{NOVA}" }}]
attempts = 2

[[model]]
name = "alone"
targets = [{targets}]
attempts = 1
"""


def converse(gateway, model="alone", text="hi", **more):
    return gateway.client().converse(modelId=model, messages=[user(text)], **more)


def user(text):
    return {"role": "user", "content": [{"text": text}]}


def chat(gateway, body, headers=()):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    key = {"Authorization": f"Bearer {gateway.ready['bearer_token']}", "Content-Type": "application/json"}
    return gateway.raw("POST", "/v1/chat/completions", sent, key | dict(headers))


def record(gateway, headers):
    return gateway.record({k.lower(): v for k, v in dict(headers).items()}["x-bedplate-call-id"])


def of(reply):
    return reply["ResponseMetadata"]["HTTPHeaders"]


def said(reply):
    return [block["text"] for block in reply["output"]["message"]["content"] if "text" in block]


# ---- the Bedrock door ----


def test_converse_is_asked_and_answered_in_the_callers_words(start, server):
    gateway = start(config(server, 'bearer = { env = "KEY_OF_SERVER" }'), KEY_OF_SERVER="sk-local-1")
    reply = converse(gateway, system=[{"text": "Be short."}], inferenceConfig={"maxTokens": 9, "temperature": 0.5})
    assert said(reply) == ["hello there"] and reply["stopReason"] == "end_turn"
    assert reply["usage"]["inputTokens"] == 12 and reply["usage"]["outputTokens"] == 3
    assert reply["ResponseMetadata"]["RequestId"] == "req-srv-1"
    seen = server.only()
    assert (seen.method, seen.target) == ("POST", "/v1/chat/completions")
    assert seen.header("authorization") == "Bearer sk-local-1" and seen.header("x-amz-date") is None
    asked = json.loads(seen.body)
    assert asked["model"] == MODEL and asked["temperature"] == 0.5
    assert [m["role"] for m in asked["messages"]] == ["system", "user"]
    assert 9 in (asked.get("max_tokens"), asked.get("max_completion_tokens"))
    row = record(gateway, of(reply))
    [attempt] = row["attempts"]
    assert (attempt["provider"], attempt["target"], attempt["status"]) == ("local", MODEL, 200)
    assert row["call"]["usage"]["input"] == 12 and row["call"]["usage"]["output"] == 3


def test_converse_stream(start, server):
    gateway = start(config(server))
    reply = gateway.client().converse_stream(modelId="alone", messages=[user("hi")])
    events = list(reply["stream"])
    assert "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e) == "hellothere"
    assert [e["messageStop"]["stopReason"] for e in events if "messageStop" in e] == ["end_turn"]
    assert events[-1]["metadata"]["usage"]["inputTokens"] == 12
    asked = json.loads(server.only().body)
    assert asked["stream"] is True and asked["stream_options"] == {"include_usage": True}
    call = record(gateway, of(reply))["call"]
    assert call["usage"]["output"] == 3 and call["basis"] == "reported"


@pytest.mark.parametrize("streams", [False, True])
def test_tools_in_two_turns(start, server, streams):
    gateway = start(config(server))

    def turn(messages):
        asked = {"modelId": "alone", "messages": messages, "toolConfig": {"tools": [TOOL]}}
        if not streams:
            reply = gateway.client().converse(**asked)
            return reply["output"]["message"]["content"], reply["stopReason"]
        content, stop = [], None
        for event in gateway.client().converse_stream(**asked)["stream"]:
            if "contentBlockStart" in event:
                content.append({"toolUse": event["contentBlockStart"]["start"]["toolUse"] | {"input": ""}})
            if "contentBlockDelta" in event:
                grown = event["contentBlockDelta"]["delta"]
                if "text" in grown:
                    content.append({"text": grown["text"]})
                else:
                    content[-1]["toolUse"]["input"] += grown["toolUse"]["input"]
            stop = event.get("messageStop", {}).get("stopReason", stop)
        for block in content:
            if "toolUse" in block:
                block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
        return content, stop

    content, stop = turn([user("The weather?")])
    [use] = [block["toolUse"] for block in content if "toolUse" in block]
    assert stop == "tool_use" and use["name"] == "weather" and use["input"] == {"city": "Zürich", "days": 2}
    result = {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"json": {"sky": "clear"}}]}}
    content, stop = turn([user("The weather?"), {"role": "assistant", "content": [{"toolUse": use}]},
                          {"role": "user", "content": [result]}])
    assert "".join(block["text"] for block in content) in ("It is clear.", "Itisclear.") and stop == "end_turn"
    again = json.loads(server.seen[-1].body)["messages"]
    assert again[1]["tool_calls"][0]["id"] == again[2]["tool_call_id"] == use["toolUseId"]


@pytest.mark.parametrize("status,name,of_aws", [
    (429, "ThrottlingException", 429), (400, "ValidationException", 400), (422, "ValidationException", 400),
    (403, "AccessDeniedException", 403), (404, "ResourceNotFoundException", 404), (408, "ModelTimeoutException", 408),
    (500, "InternalServerException", 500), (503, "ServiceUnavailableException", 503),
])
def test_errors_are_awss(start, server, status, name, of_aws):
    gateway = start(config(server))
    server.answer = lambda _: srv.error(status, "the server's own words", [("retry-after", "7")])
    with pytest.raises(ClientError) as failed:
        converse(gateway)
    reply = failed.value.response
    assert reply["Error"]["Code"] == name and reply["ResponseMetadata"]["HTTPStatusCode"] == of_aws
    assert "the server's own words" in reply["Error"]["Message"] and of(reply)["retry-after"] == "7"
    assert record(gateway, of(reply))["attempts"][0]["error"] == name


def test_a_key_that_the_server_does_not_take_is_not_told(start, server):
    gateway = start(config(server, 'bearer = { env = "KEY_OF_SERVER" }'), KEY_OF_SERVER="sk-secret-9")
    server.answer = lambda _: srv.error(401, "Incorrect API key provided: sk-secret-9")
    with pytest.raises(ClientError) as failed:
        converse(gateway)
    assert failed.value.response["Error"]["Code"] == "AccessDeniedException"
    status, _, body = chat(gateway, {"model": "alone", "messages": [{"role": "user", "content": "hi"}]})
    assert status == 403 and b"sk-secret" not in body and "sk-secret" not in str(failed.value)


def test_an_error_as_first_event_is_an_error_and_later_one_ends_the_stream(start, server):
    gateway = start(config(server))
    overloaded = b'data: {"error":{"message":"full","type":"overloaded_error","code":503}}\n\n'
    server.answer = lambda _: srv.stream(b": ready\n\n", overloaded)
    with pytest.raises(ClientError) as failed:
        gateway.client().converse_stream(modelId="alone", messages=[user("hi")])
    assert failed.value.response["Error"]["Code"] == "ServiceUnavailableException"
    server.answer = lambda _: srv.stream(*srv.text_events("a", "b"), overloaded, DONE)
    reply = gateway.client().converse_stream(modelId="alone", messages=[user("hi")])
    with pytest.raises(EventStreamError) as broke:
        list(reply["stream"])
    assert "full" in str(broke.value)
    assert record(gateway, of(reply))["call"]["ending"] == "cut"


@pytest.mark.parametrize("end,pieces", [("cut", []), ("keep", []), ("keep", [STOP[:-9]])])
def test_a_stream_that_stops_short_is_no_whole_one(start, server, end, pieces):
    gateway = start(config(server))
    server.answer = lambda _: srv.stream(*srv.text_events("a", "b"), *pieces, end=end)
    reply = gateway.client().converse_stream(modelId="alone", messages=[user("hi")])
    with pytest.raises(EventStreamError):
        list(reply["stream"])
    assert record(gateway, of(reply))["call"]["basis"] == "estimated"


def test_who_stalls_is_left(start, server):
    gateway = start(config(server, extra='[timeout]\nidle = "300ms"\nfirst_token = "400ms"\n'))
    server.answer = lambda _: srv.stream(*srv.text_events("a"), 3.0, STOP, DONE)
    reply = gateway.client().converse_stream(modelId="alone", messages=[user("hi")])
    with pytest.raises(EventStreamError):
        list(reply["stream"])
    server.answer = lambda _: srv.stream(3.0, *srv.text_events("a"), STOP, DONE)
    with pytest.raises(ClientError) as failed:
        gateway.client().converse_stream(modelId="alone", messages=[user("hi")])
    assert of(failed.value.response)["x-bedplate-code"] == "BP4002"


def test_who_hangs_up_lets_the_server_go(start, server):
    gateway = start(config(server, extra='[drain]\nhang_up = "0s"\n'))
    gone = threading.Event()

    def words():
        for n in range(200):
            yield srv.delta(content=f"w{n} ")
            yield 0.02

    server.answer = lambda _: srv.stream(*srv.text_events("a"), *words(), gone.set)
    reply = gateway.client().converse_stream(modelId="alone", messages=[user("hi")])
    next(iter(reply["stream"]))
    reply["stream"].close()
    server.wait_for(1)
    assert server.seen[0].hung_up.wait(8) and not gone.is_set()
    assert record(gateway, of(reply))["call"]["ending"] == "abandoned"


def test_what_such_a_server_has_no_word_for_is_refused(start, server):
    gateway = start(config(server))
    with pytest.raises(ClientError) as failed:
        gateway.client().invoke_model(modelId="alone", body=b'{"inputText":"to embed"}')
    assert failed.value.response["Error"]["Code"] == "ValidationException"
    assert "ask with Converse" in failed.value.response["Error"]["Message"].replace("Ask", "ask")
    with pytest.raises(ClientError) as failed:
        gateway.client().count_tokens(modelId="alone", input={"converse": {"messages": [user("hi")]}})
    assert failed.value.response["Error"]["Code"] == "ValidationException"
    assert "CountTokens" in failed.value.response["Error"]["Message"]
    assert server.seen == []


# ---- the OpenAI door ----

#: What no normal form has is there to see that nothing is written anew.
ODD = (b'{ "messages" :[{"role":"user","content":"caf\\u00e9 \\"model\\""}],\n "model": "alone", "top_k":40,'
       b'"temperature":1.50,"n":2,"x_own":{"model":"z"}%s }')


def test_a_request_passes_but_for_the_model(start, server):
    gateway = start(config(server))
    server.answer = lambda _: json_answer(b'{"id":"x", "odd" : 1.50, "choices":[{"finish_reason":"stop"}],"usage":'
                                          b'{"prompt_tokens":5,"completion_tokens":2}}', headers=[("set-cookie", "a=b")])
    status, headers, body = chat(gateway, ODD % b"")
    assert status == 200 and body.startswith(b'{"id":"x", "odd" : 1.50,')
    assert "set-cookie" not in {name.lower() for name in dict(headers)}
    assert server.only().body == (ODD % b"").replace(b'"alone"', json.dumps(MODEL).encode())
    usage = record(gateway, headers)["call"]["usage"]
    assert (usage["input"], usage["output"]) == (5, 2)


def test_a_stream_with_usage_passes_as_it_is(start, server):
    gateway = start(config(server))
    more = b',"stream":true,"stream_options":{"include_usage":true}'
    pieces = [*srv.text_events("a", "b"), b": ping\n\n", STOP, SPENT, DONE]
    server.answer = lambda _: srv.stream(*pieces)
    status, headers, body = chat(gateway, ODD % more)
    assert status == 200 and body == b"".join(pieces)
    assert server.only().body == (ODD % more).replace(b'"alone"', json.dumps(MODEL).encode())
    call = record(gateway, headers)["call"]
    assert call["usage"]["output"] == 3 and call["basis"] == "reported"


def test_usage_is_asked_for_and_not_shown_to_who_did_not_ask(start, server):
    gateway = start(config(server))
    status, headers, body = chat(gateway, ODD % b',"stream":true')
    assert status == 200 and body == b"".join([*srv.text_events("hello", "there"), STOP, DONE])
    assert json.loads(server.only().body)["stream_options"] == {"include_usage": True}
    assert record(gateway, headers)["call"]["usage"]["input"] == 12


def test_an_error_is_the_servers_own(start, server):
    gateway = start(config(server))
    server.answer = lambda _: srv.error(422, "no such field", code="odd_code")
    status, headers, body = chat(gateway, ODD % b"")
    assert status == 422 and json.loads(body)["error"] == {
        "message": "no such field", "type": "some_error", "param": None, "code": "odd_code"}
    assert record(gateway, headers)["attempts"][0]["error"] == "ValidationException"


def test_connections_are_kept(start, server):
    gateway = start(config(server, extra="[listen]\nworkers = 1\n"))
    for more in (b"", b',"stream":true', b"", b',"stream":true'):
        assert chat(gateway, ODD % more)[0] == 200
    assert server.connections == 1


# ---- Bedrock's own paths in vendors' words ----


@pytest.mark.parametrize("path,target,body", [
    ("/v1/chat/completions", "/openai/v1/chat/completions", b'{ "model":"oss", "top_k":1,"messages":[{"role":"user","content":"hi"}]}'),
    ("/v1/messages", "/anthropic/v1/messages", b'{ "model":"oss", "max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'),
])
def test_bedrocks_compatible_paths_get_the_bytes_signed(start, recorder, path, target, body):
    model = "openai.gpt-oss-20b-1:0"
    gateway = start(recorder_config(recorder, metadata=True, provider='api = "compatible"')
                    + f'[[model]]\nname = "oss"\ntargets = ["recorder/{model}"]\n')
    said = {"usage": {"prompt_tokens": 5, "completion_tokens": 2, "input_tokens": 5, "output_tokens": 2}}
    recorder.answer = lambda _: json_answer(json.dumps(said))
    key = {"Authorization": f"Bearer {gateway.ready['bearer_token']}", "Content-Type": "application/json",
           "anthropic-version": "2023-06-01"}
    status, headers, answered = gateway.raw("POST", path, body, key)
    assert status == 200 and json.loads(answered) == said
    seen = recorder.only()
    assert seen.target == target and seen.body == body.replace(b'"oss"', json.dumps(model).encode())
    seen.signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)
    usage = record(gateway, headers)["call"]["usage"]
    assert (usage["input"], usage["output"]) == (5, 2)


# ---- both ----


def test_when_the_server_is_gone_the_fallback_answers(start, server):
    gateway = start(config(server))
    # what is kept open would still be served
    server.answer = lambda seen: dataclasses.replace(srv.answer(seen), end="close")
    assert said(converse(gateway, "chat")) == ["hello there"]
    server.stop()
    reply = converse(gateway, "chat")
    row = record(gateway, of(reply))
    assert [a["provider"] for a in row["attempts"]] == ["local", "sim"] and said(reply) != ["hello there"]
    status, headers, body = chat(gateway, {"model": "chat", "messages": [{"role": "user", "content": "hi"}]})
    assert status == 200 and json.loads(body)["choices"][0]["message"]["content"]
    assert record(gateway, headers)["attempts"][-1]["provider"] == "sim"


def test_a_model_without_a_price_is_unknown_and_one_that_costs_nothing_says_so(start, server, tmp_path):
    project = tmp_path / "priced"
    project.mkdir()
    gateway = start(config(server), project=project)
    cost = record(gateway, of(converse(gateway)))["call"]["cost"]
    assert "unknown" in json.dumps(cost).lower() or cost is None
    (project / "prices.toml").write_text(f'[models."{MODEL}"]\nprice = {{ input = 0, output = 0 }}\n')
    gateway.stop()
    priced = start(config(server, extra='[prices]\noverrides = "prices.toml"\n'), project=project)
    free = record(priced, of(converse(priced)))["call"]["cost"]
    assert "unknown" not in json.dumps(free).lower() and free != cost


def test_names_may_hold_slashes_dots_and_colons(start, server):
    name = "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M"
    gateway = start(config(server, targets=f'"local/{name}"'))
    reply = converse(gateway)
    assert json.loads(server.only().body)["model"] == name
    assert record(gateway, of(reply))["attempts"][0]["target"] == name


def test_check_and_doctor_know_the_kind(start, server, tmp_path):
    project = tmp_path / "checked"
    project.mkdir()
    file = project / "bedplate.toml"
    file.write_text(config(server))
    assert cli("check", project=project).returncode == 0
    found = cli("doctor", "--format", "json", project=project, ok=None).stdout
    assert "local runtime" in found and "1 on the server" in found
    file.write_text(config(server, targets='"local/other"'))
    assert "without other" in cli("doctor", "--format", "json", project=project, ok=None).stdout
    file.write_text(config(server, 'role_arn = "arn:aws:iam::123456789012:role/x"\nprofile = "p"'))
    wrong = cli("check", project=project, ok=None)
    assert wrong.returncode != 0
    assert "role_arn" in wrong.stdout + wrong.stderr and "only Bedrock has that" in wrong.stdout + wrong.stderr
    file.write_text(config(server).replace("endpoints = ", "# "))
    wrong = cli("check", project=project, ok=None)
    assert wrong.returncode != 0 and "where is the server?" in wrong.stdout + wrong.stderr
