import json
import unittest

from botocore.exceptions import ClientError, EventStreamError

from common import NOVA, client, say

PLAIN = {"modelId": NOVA, "messages": say("The office is in Ulm, by the river and the bridge. Where is the office?")}


class Errors(unittest.TestCase):
    def fails(self, code, status, attempts=1, runtime=None, **ask):
        runtime = runtime or client(attempts=3)
        with self.assertRaises(ClientError) as e:
            runtime.converse(**{**PLAIN, **ask})
        error = e.exception.response
        self.assertEqual((error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
        self.assertEqual(error["ResponseMetadata"]["RetryAttempts"], attempts - 1)
        return error["Error"]["Message"]

    def fault(self, text):
        return {"requestMetadata": {"sim-fault": text}}

    def test_unknown_and_profile_only_models(self):
        text = self.fails("ValidationException", 400, modelId="no.such-model")
        self.assertEqual(text, "The provided model identifier is invalid.")
        text = self.fails("ValidationException", 400, modelId="anthropic.claude-haiku-4-5-20251001-v1:0")
        self.assertIn("on-demand throughput", text)
        arn = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl"
        self.fails("ResourceNotFoundException", 404, modelId=arn)
        self.fails("ValidationException", 400, modelId="amazon.titan-embed-text-v2:0")

    def test_keys(self):
        unknown = client(aws_access_key_id="AKIANOBODY", aws_secret_access_key="x")
        self.fails("UnrecognizedClientException", 403, runtime=unknown)
        import os

        wrong = client(aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="x")
        self.fails("InvalidSignatureException", 403, runtime=wrong)

    def test_retries_are_the_sdks_own(self):
        for fault, code, status, attempts in [
            ("internal", "InternalServerException", 500, 3),
            ("unavailable", "ServiceUnavailableException", 503, 3),
            ("throttle", "ThrottlingException", 429, 3),
            ("access_denied", "AccessDeniedException", 403, 1),
            ("model_timeout", "ModelTimeoutException", 408, 1),
            ("model_error", "ModelErrorException", 424, 1),
            ("end_of_life", "ResourceNotFoundException", 404, 1),
        ]:
            with self.subTest(fault=fault):
                self.fails(code, status, attempts, **self.fault(fault))

    def test_a_fault_that_passes_is_retried_away(self):
        got = client(attempts=3).converse(**{**PLAIN, "modelId": "amazon.nova-premier-v1:0"})
        self.assertEqual(got["ResponseMetadata"]["RetryAttempts"], 2)

    def test_a_reset_is_a_connection_error(self):
        from botocore.exceptions import ConnectionClosedError, ConnectionError, HTTPClientError

        with self.assertRaises((ConnectionClosedError, ConnectionError, HTTPClientError)):
            client().converse(**PLAIN, **self.fault("reset"))

    def test_streams_break(self):
        runtime = client()
        read = lambda fault: list(runtime.converse_stream(**PLAIN, **self.fault(fault))["stream"])
        for name in ["throttlingException", "modelStreamErrorException"]:
            with self.assertRaises(EventStreamError) as e:
                read(f"exception_after_content,after=2,exception={name}")
            self.assertEqual(e.exception.response["Error"]["Code"], name)
        with self.assertRaises(EventStreamError):
            read("exception_before_content")
        with self.assertRaises(Exception) as e:
            read("crc_damage")
        self.assertIn("Checksum", type(e.exception).__name__)
        self.assertNotIn("metadata", [next(iter(x)) for x in read("no_usage")])
        self.assertNotIn("messageStop", [next(iter(x)) for x in read("truncated_frame")])

    def test_invoke_takes_faults_too(self):
        body = json.dumps({"messages": PLAIN["messages"]})
        with self.assertRaises(ClientError) as e:
            client().invoke_model(modelId=NOVA, body=body, requestMetadata=json.dumps({"sim-fault": "internal"}))
        self.assertEqual(e.exception.response["Error"]["Code"], "InternalServerException")
        for bad in ["{", "[]", "{}"]:
            with self.assertRaises(ClientError) as e:
                client().invoke_model(modelId=NOVA, body=bad)
            self.assertIn("Malformed input request", e.exception.response["Error"]["Message"])

    def test_quota(self):
        runtime = client()
        ask = {**PLAIN, "modelId": "us.amazon.nova-micro-v1:0"}
        runtime.converse(**ask)
        with self.assertRaises(runtime.exceptions.ThrottlingException) as e:
            runtime.converse(**ask)
        self.assertIn("Too many requests", str(e.exception))
