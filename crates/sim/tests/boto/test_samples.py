"""Every sample request is taken; those that ask for what is not there get AWS's refusal."""

import base64
import json
import pathlib
import unittest

from botocore.exceptions import ClientError

from common import client

SAMPLES = pathlib.Path(__file__).parent.parent / "samples" / "requests"
REFUSED = {
    "converse-prompt-arn": "ResourceNotFoundException",
    "get-async-invoke": "ValidationException",
}


def revive(value):
    """`{"$bytes": …}` stands for bytes."""
    if isinstance(value, dict):
        if set(value) == {"$bytes"}:
            return base64.b64decode(value["$bytes"])
        return {k: revive(v) for k, v in value.items()}
    if isinstance(value, list):
        return [revive(v) for v in value]
    return value


def method(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


class Samples(unittest.TestCase):
    def test_all(self):
        samples = sorted(SAMPLES.glob("*.json"))
        self.assertEqual(len(samples), 22)
        for path in samples:
            sample = json.loads(path.read_text())
            with self.subTest(sample=path.stem):
                call = getattr(client(sample["service"]), method(sample["operation"]))
                if path.stem in REFUSED:
                    with self.assertRaises(ClientError) as e:
                        call(**revive(sample["params"]))
                    self.assertEqual(e.exception.response["Error"]["Code"], REFUSED[path.stem])
                    continue
                got = call(**revive(sample["params"]))
                self.assertEqual(got["ResponseMetadata"]["HTTPStatusCode"], 200)
                events = list(got.get("stream") or got["body"]) if sample["operation"].endswith("Stream") else None
                if sample["operation"] == "ConverseStream":
                    self.assertIn("metadata", events[-1])
