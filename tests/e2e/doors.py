"""A gateway whose doors have names for models of two families, and clients of the vendors' own SDKs."""

import anthropic
import openai

from gateway import HAIKU, NOVA

CONFIG = f"""
[[provider]]
name = "sim"
kind = "sim"

[sim]
latency = "off"

[[sim.model]]
id = "*"
error_rate = 0.0

[[model]]
name = "chat"
targets = ["sim/{NOVA}"]

[[model]]
name = "claude"
targets = ["sim/{HAIKU}"]

[doors.names]
"gpt-4o*" = "chat"
"claude-haiku-4-5" = "claude"
"""

#: A picture of one pixel.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "the name of the city"}},
    "required": ["city"],
}


def openai_client(gateway, **more):
    options = {"api_key": gateway.ready["bearer_token"], "base_url": f"{gateway.data}/v1", "max_retries": 0}
    return openai.OpenAI(**(options | more))


def anthropic_client(gateway, **more):
    options = {"api_key": gateway.ready["bearer_token"], "base_url": gateway.data, "max_retries": 0}
    return anthropic.Anthropic(**(options | more))
