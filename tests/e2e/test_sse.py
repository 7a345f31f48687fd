"""Streams as vendors' own decoders read them, however the network cuts them."""

import json

import openai._streaming as of_openai
import anthropic._streaming as of_anthropic
import pytest

from doors import CONFIG
from gateway import Gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("sse"), CONFIG) as gateway:
        yield gateway


def raw_stream(gateway, path, model):
    body = {"model": model, "max_tokens": 60, "stream": True, "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": "The sign reads äöü \u2028 'quoted' \\ 😀 now. What does the sign read?"}]}
    if "messages" in path.split("/"):
        del body["stream_options"]
    status, headers, bytes_ = gateway.raw("POST", path, json.dumps(body).encode(), {
        "authorization": f"Bearer {gateway.ready['bearer_token']}", "content-type": "application/json"})
    assert status == 200, bytes_
    return bytes_


@pytest.mark.parametrize("path,model,decoder", [
    ("/v1/chat/completions", "chat", of_openai.SSEDecoder),
    ("/v1/messages", "chat", of_anthropic.SSEDecoder),
    ("/v1/messages", "claude", of_anthropic.SSEDecoder),
])
def test_every_cut_gives_the_same_events(gateway, path, model, decoder):
    whole = raw_stream(gateway, path, model)
    events = lambda chunks: [(e.event, e.data) for e in decoder().iter_bytes(iter(chunks))]
    want = events([whole])
    assert len(want) > 4 and all(data == "[DONE]" or json.loads(data) for _, data in want)
    text = "".join(find(json.loads(data)) for _, data in want if data != "[DONE]")
    assert "😀" in text and "'quoted'" in text
    for at in range(1, len(whole)):
        assert events([whole[:at], whole[at:]]) == want, f"cut at {at}"
    assert events([whole[i : i + 1] for i in range(len(whole))]) == want


def find(event):
    """The text of an event, of either vendor."""
    if choices := event.get("choices"):
        return choices[0]["delta"].get("content") or ""
    return event.get("delta", {}).get("text", "") if event.get("type") == "content_block_delta" else ""
