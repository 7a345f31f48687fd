"""A small server that speaks OpenAI's chat completions, for tests: it says back what it was asked, and shares no code
with bedplate."""

import json

from recorder import Answer, Recorder, json_answer

MODEL = "llama3.2:1b"
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def whole(text="hello there", finish="stop", usage=USAGE, **message):
    """The body of an answer."""
    body = {"id": "chatcmpl-srv1", "object": "chat.completion", "created": 1700000000, "model": MODEL,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text, **message},
                         "finish_reason": finish, "logprobs": None}], "system_fingerprint": "fp_ollama"}
    return body | ({"usage": usage} if usage else {})


def call(name, arguments, number=0, id_="call_0"):
    return {"index": number, "id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def event(choices, **more):
    body = {"id": "chatcmpl-srv1", "object": "chat.completion.chunk", "created": 1700000000, "model": MODEL,
            "choices": choices, **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def delta(finish=None, **grown):
    return event([{"index": 0, "delta": grown, "finish_reason": finish}])


def text_events(*words):
    return [delta(role="assistant", content=""), *(delta(content=word) for word in words)]


STOP, SPENT, DONE = delta(finish="stop"), event([], usage=USAGE), b"data: [DONE]\n\n"


def stream(*pieces, end="keep"):
    return Answer(200, [("Content-Type", "text/event-stream"), ("x-request-id", "req-srv-1")], list(pieces), "chunked", end)


def error(status, message, headers=(), **more):
    body = {"error": {"message": message, "type": "some_error", "param": None, "code": None} | more}
    return json_answer(json.dumps(body), status, headers)


def server():
    """One that answers every request: with tools first a call, then the words about its result."""
    recorder = Recorder()
    recorder.answer = answer
    return recorder


def answer(seen):
    if seen.method == "GET":
        return json_answer(json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}))
    asked = json.loads(seen.body)
    told = [m for m in asked["messages"] if m["role"] == "tool"]
    if asked.get("tools") and not told:
        place = json.dumps({"city": "Zürich", "days": 2})
        if not asked.get("stream"):
            made = [{k: v for k, v in call("weather", place, id_="call_7").items() if k != "index"}]
            return json_answer(json.dumps(whole(None, "tool_calls", tool_calls=made)))
        first = delta(role="assistant", tool_calls=[call("weather", "", id_="call_7")])
        rest = [delta(tool_calls=[{"index": 0, "function": {"arguments": part}}]) for part in (place[:9], place[9:])]
        return stream(first, *rest, delta(finish="tool_calls"), *spent(asked), DONE)
    said = f"It is {json.loads(told[0]['content'])['sky']}." if told else "hello there"
    if not asked.get("stream"):
        return json_answer(json.dumps(whole(said)), headers=[("x-request-id", "req-srv-1"), ("set-cookie", "a=b")])
    return stream(*text_events(*said.split(" ")), STOP, *spent(asked), DONE)


def spent(asked):
    """A server says what a stream used only to who asks for it."""
    return [SPENT] if (asked.get("stream_options") or {}).get("include_usage") else []
