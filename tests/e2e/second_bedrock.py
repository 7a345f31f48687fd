"""A second, independent Bedrock: answers the requests of `bedplate conformance` with recorded samples.

`Bedrock.plant` puts another answer in a sample's place; the functions below make such answers out of samples.
"""

import base64
import json
from pathlib import Path

import frames
from gateway import UPSTREAM_KEY, UPSTREAM_SECRET
from recorder import Answer, Recorder, json_answer, stream_answer

SAMPLES = Path(__file__).parent / "samples"


def sample(name):
    return json.loads((SAMPLES / name).read_text())


def whole(name, change=None):
    recorded = sample(name)
    body = recorded["body"]
    if change:
        change(body)
    headers = [(n, v) for n, v in recorded["headers"].items() if n != "Content-Type"]
    return json_answer(json.dumps(body), recorded["status"], headers)


def error(name, status, message="As recorded."):
    return json_answer(json.dumps({"message": message}), status, [
        ("x-amzn-requestid", "7c9e0000-1111-4222-8333-444455550400"),
        ("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"),
    ])


def stream(name, change=None):
    data = (SAMPLES / f"eventstream/{name}.bin").read_bytes()
    headers = [("x-amzn-requestid", "7c9e0000-1111-4222-8333-444455556666")]
    if name.startswith("invoke-"):
        headers.append(("X-Amzn-Bedrock-Content-Type", "application/json"))
    if change:
        found, rest = frames.read(data)
        assert not rest
        data = b"".join(frames.frame(list(f.headers.items()), f.payload) for f in change(found))
    return stream_answer(data, headers=headers)


class Bedrock:
    """Answers as the samples say. `plant` puts other answers in their place, by the name of an answer."""

    def __init__(self):
        self.recorder = Recorder()
        self.recorder.answer = self.answer
        self.url = self.recorder.url
        self.planted = {}
        self.first = {}

    def plant(self, name, answer):
        self.planted[name] = answer

    def plant_once(self, name, answer):
        self.first[name] = answer

    def answer(self, seen):
        name = self.name(seen)
        if name in self.first:
            return self.first.pop(name)
        return self.planted.get(name) or self.faithful(name)

    def name(self, seen):
        if f"Credential={UPSTREAM_KEY}/" not in seen.header("authorization"):
            return "unknown key"
        try:
            seen.signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)
        except AssertionError as wrong:
            assert "bad signature" in str(wrong), wrong
            return "bad signature"
        path, body = seen.target.split("?")[0], seen.body.decode()
        if path.startswith(("/foundation-models", "/inference-profiles", "/guardrail-checks")):
            assert seen.method == ("POST" if "checks" in path else "GET")
            return "unknown profile" if "no-such" in path else path.split("/")[1]
        _, _, model, verb = path.split("/")
        if verb == "no-such-operation":
            return "unknown path"
        if "no-such-model" in model:
            return "unknown model"
        if verb == "converse" and model.startswith("anthropic."):
            return "profile-only model"
        if json.loads(body).get("inferenceConfig", {}).get("maxTokens") == 0:
            return "no tokens"
        family = "nova" if "nova" in model else "anthropic"
        if verb.startswith("invoke"):
            return f"{verb} {family}"
        kind = " tool" if "toolConfig" in body else " structured" if "outputConfig" in body else ""
        return verb + kind

    def faithful(self, name):
        return {
            "unknown key": lambda: error("UnrecognizedClientException", 403),
            "bad signature": lambda: error("InvalidSignatureException", 403),
            "unknown path": lambda: json_answer(
                '{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}', 404,
                [("x-amzn-requestid", "7c9e0000-1111-4222-8333-444455550404"),
                 ("x-amzn-errortype", "UnknownOperationException")]),
            "unknown model": lambda: whole("errors/validation.json"),
            "unknown profile": lambda: whole("errors/not-found.json"),
            "no tokens": lambda: whole("errors/validation.json"),
            "profile-only model": lambda: whole("errors/validation-on-demand.json"),
            "foundation-models": lambda: whole("responses/list-foundation-models.json"),
            "inference-profiles": lambda: whole("responses/get-inference-profile.json", system_profile),
            "guardrail-checks": lambda: whole("responses/invoke-guardrail-checks.json"),
            "count-tokens": lambda: whole("responses/count-tokens.json"),
            "converse": lambda: whole("responses/converse-text.json"),
            "converse tool": lambda: whole("responses/converse-tool-use.json", lambda b: tool(b, "city")),
            "converse structured": lambda: whole("responses/converse-structured-output.json"),
            "converse-stream": lambda: stream("converse-text"),
            "converse-stream tool": lambda: stream("converse-tool-use"),
            "invoke anthropic": lambda: whole("responses/invoke-anthropic.json"),
            "invoke-with-response-stream anthropic": lambda: stream("invoke-anthropic"),
            "invoke-with-response-stream nova": lambda: stream("invoke-nova"),
        }[name]()


def system_profile(body):
    body.update(type="SYSTEM_DEFINED", inferenceProfileId="us.amazon.nova-micro-v1:0")


def tool(body, member):
    """The sample's tool takes another member than the one that is offered here."""
    body["output"]["message"]["content"][1]["toolUse"]["input"] = {member: "Paris"}


# ---- samples with something wrong ----

def without(name):
    return lambda found: [f for f in found if f.name != name]


def with_event_before_the_last(name):
    def change(found):
        last = found[-1]
        extra = last._replace(headers=last.headers | {":event-type": name}, payload=b"{}")
        return [*found[:-1], extra, last]
    return change


def metadata_first(found):
    return [found[-1], *found[:-1]]


def with_start_of_text(found):
    start = found[0]._replace(headers=found[0].headers | {":event-type": "contentBlockStart"},
                              payload=b'{"contentBlockIndex":0,"start":{}}')
    return [found[0], start, *found[1:]]


def with_text_type(found):
    def typed(f):
        if f.name != "contentBlockDelta":
            return f
        payload = f.json()
        payload["delta"]["type"] = "text"
        return f._replace(payload=json.dumps(payload).encode())
    return [typed(f) for f in found]


def cut(found):
    return [f for f in found if f.name not in ("messageStop", "metadata")]


def with_exception(found):
    broken = frames.read(frames.exception("throttlingException", "Slow down."))[0]
    return [*found[:3], *broken]


def without_native_metrics(found):
    last = json.loads(base64.b64decode(found[-1].json()["bytes"]))
    del last["amazon-bedrock-invocationMetrics"]
    payload = {"bytes": base64.b64encode(json.dumps(last).encode()).decode()}
    return [*found[:-1], found[-1]._replace(payload=json.dumps(payload).encode())]


def drop(*path):
    def change(body):
        for name in path[:-1]:
            body = body[name]
        del body[path[-1]]
    return change


def put(value, *path):
    def change(body):
        for name in path[:-1]:
            body = body[name]
        body[path[-1]] = value
    return change


def no_header(answer, name):
    return Answer(answer.status, [(n, v) for n, v in answer.headers if n.lower() != name], answer.pieces)
