"""Clients for the simulator that a Rust test has started."""

import os

import boto3
from botocore.config import Config

URL = os.environ["SIM_URL"]
NOVA = "us.amazon.nova-lite-v1:0"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def client(service="bedrock-runtime", region="us-east-1", attempts=1, **more):
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, read_timeout=30)
    return boto3.client(service, region_name=region, endpoint_url=URL, config=config, **more)


def say(text):
    return [{"role": "user", "content": [{"text": text}]}]


def text_of(answer):
    return "".join(block.get("text", "") for block in answer["output"]["message"]["content"])


FACTS = "Refunds are paid within ten days. Parcels leave on Monday. The office is in Ulm."
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_order",
                "description": "Looks up an order by its id",
                "inputSchema": {
                    "json": {
                        "type": "object",
                        "properties": {"order_id": {"type": "string"}},
                        "required": ["order_id"],
                    }
                },
            }
        }
    ]
}
