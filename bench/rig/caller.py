"""Calls through boto3, many at a time, when they are due. Run by the Python of the tests, which has boto3.

Standard input is one JSON object (see `plan` of quota.py and incident.py), standard output one: what became of each call,
and what `watch` said between the phases.
"""

import json
import random
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.config
from botocore.exceptions import BotoCoreError, ClientError

CLASSES = ("interactive", "batch", "background")
#: Four characters each, as the simulator counts.
WORDS = "alfa brav char delt echo foxt golf hote indi juli kilo lima mike nove osca papa queb rome sier tang".split()


class Callers:
    """A client for each class of call."""

    def __init__(self, plan):
        self.plan = plan
        self.clients = {name: self.client(name) for name in CLASSES}
        self.fates, self.lock = [], threading.Lock()

    def client(self, name):
        config = botocore.config.Config(
            retries=self.plan["retries"], read_timeout=self.plan.get("read_timeout", 90), connect_timeout=10,
            max_pool_connections=self.plan["threads"])
        client = boto3.session.Session().client(
            "bedrock-runtime", region_name="us-east-1", endpoint_url=self.plan["endpoint"],
            aws_access_key_id=self.plan["access_key_id"], aws_secret_access_key=self.plan["secret_access_key"],
            config=config)
        client.meta.events.register(
            "before-sign.bedrock-runtime.*", lambda request, **_: request.headers.add_header("x-bedplate-priority", name))
        return client

    def call(self, began, due, name, prompt, writes, streamed):
        client = self.clients[name]
        asked = {
            "modelId": self.plan["model"],
            "system": [{"text": sentence(prompt)}],
            "messages": [{"role": "user", "content": [{"text": f"Say {sentence(writes)}"}]}],
            "inferenceConfig": {"maxTokens": self.plan["most"]},
        }
        fate = {"due": due, "class": name, "streamed": streamed, "first": None, "error": None, "where": None}
        try:
            if streamed:
                reply = client.converse_stream(**asked)
                for event in reply["stream"]:
                    if fate["first"] is None:
                        fate["first"] = time.monotonic() - began - due
                    if "messageStop" in event:
                        fate["stopped"] = True
                if not fate.get("stopped"):
                    fate["error"] = "the stream ended early"
            else:
                reply = client.converse(**asked)
            fate["tries"] = reply["ResponseMetadata"]["RetryAttempts"] + 1
        except ClientError as e:
            fate["error"] = e.response["Error"]["Code"]
            fate["where"] = e.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-bedplate-code")
        except (BotoCoreError, OSError) as e:
            fate["error"] = type(e).__name__
        fate["took"] = time.monotonic() - began - due
        if not streamed and not fate["error"]:
            fate["first"] = fate["took"]
        with self.lock:
            self.fates.append(fate)


def sentence(tokens):
    picks = random.choices(WORDS, k=max(1, tokens * 4 // 5))
    return " ".join(picks)


def watch(plan):
    if not plan.get("watch"):
        return None
    with urllib.request.urlopen(plan["watch"], timeout=10) as answer:
        return json.load(answer)


def main():
    plan = json.load(sys.stdin)
    dice = random.Random(plan["seed"])
    callers = Callers(plan)
    mix = plan["mix"]
    # sockets of the pool are opened before anything is timed
    pool = ThreadPoolExecutor(plan["threads"])
    began, at, watched = time.monotonic(), 0.0, []
    print("began", file=sys.stderr, flush=True)
    for phase in plan["phases"]:
        end = at + phase["secs"]
        due = at
        marks = {"from": at, "to": end, "before": watch(plan)}
        while phase["rate"]:
            due += dice.expovariate(phase["rate"])
            if due >= end:
                break
            name = dice.choices(CLASSES, weights=mix)[0]
            prompt, writes = dice.randint(*plan["prompt"]), dice.randint(*plan["writes"])
            streamed = dice.random() < plan["streamed"]
            time.sleep(max(0.0, began + due - time.monotonic()))
            pool.submit(callers.call, began, due, name, prompt, writes, streamed)
        time.sleep(max(0.0, began + end - time.monotonic()))
        marks["after"] = watch(plan)
        watched.append(marks)
        at = end
    pool.shutdown()
    json.dump({"fates": callers.fates, "phases": watched}, sys.stdout)


main()
