import os
import unittest

from botocore.exceptions import ClientError

from common import NOVA, client, say


class Bearer(unittest.TestCase):
    def ask(self, token):
        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = token
        runtime = client(verify=os.environ["SIM_CA"])
        return runtime.converse(modelId=NOVA, messages=say("Hi?"))

    def test_a_key_is_let_in_over_tls(self):
        self.assertEqual(self.ask("bedrock-api-key-test")["stopReason"], "end_turn")

    def test_another_is_not(self):
        with self.assertRaises(ClientError) as e:
            self.ask("bedrock-api-key-other")
        self.assertEqual(e.exception.response["Error"]["Code"], "AccessDeniedException")
