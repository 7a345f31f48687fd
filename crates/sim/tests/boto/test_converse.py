import json
import unittest

from common import CLAUDE, FACTS, NOVA, TOOLS, client, say, text_of


class Converse(unittest.TestCase):
    def setUp(self):
        self.runtime = client()

    def test_answers_from_the_prompt(self):
        got = self.runtime.converse(
            modelId=NOVA,
            system=[{"text": FACTS}],
            messages=say("When do parcels leave?"),
            inferenceConfig={"maxTokens": 200, "temperature": 0.25, "topP": 0.5, "stopSequences": ["###"]},
            requestMetadata={"team": "payments"},
            serviceTier={"type": "flex"},
            performanceConfig={"latency": "standard"},
            additionalModelResponseFieldPaths=["/stopReason"],
        )
        self.assertEqual(text_of(got), "Parcels leave on Monday.")
        self.assertEqual(got["stopReason"], "end_turn")
        self.assertEqual(got["serviceTier"], {"type": "flex"})
        self.assertEqual(got["performanceConfig"], {"latency": "standard"})
        self.assertEqual(got["additionalModelResponseFields"], {"stopReason": "end_turn"})
        usage = got["usage"]
        self.assertEqual(usage["totalTokens"], usage["inputTokens"] + usage["outputTokens"])
        self.assertEqual(got["ResponseMetadata"]["RetryAttempts"], 0)
        self.assertEqual(len(got["ResponseMetadata"]["RequestId"]), 36)

    def test_the_stream_says_the_same(self):
        ask = dict(modelId=NOVA, system=[{"text": FACTS}], messages=say("When do parcels leave?"))
        whole = self.runtime.converse(**ask)
        events = list(self.runtime.converse_stream(**ask)["stream"])
        names = [next(iter(e)) for e in events]
        self.assertEqual(names[0], "messageStart")
        self.assertEqual(names[-3:], ["contentBlockStop", "messageStop", "metadata"])
        text = "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e)
        self.assertEqual(text, text_of(whole))
        self.assertEqual(events[-1]["metadata"]["usage"], whole["usage"])
        self.assertEqual(events[-2]["messageStop"]["stopReason"], "end_turn")

    def test_tools_are_called_and_told(self):
        messages = say("Where is my order A-77?")
        first = self.runtime.converse(modelId=NOVA, messages=messages, toolConfig=TOOLS)
        self.assertEqual(first["stopReason"], "tool_use")
        call = next(b["toolUse"] for b in first["output"]["message"]["content"] if "toolUse" in b)
        self.assertEqual((call["name"], call["input"]), ("get_order", {"order_id": "A-77"}))
        result = {"toolUseId": call["toolUseId"], "content": [{"json": {"status": "shipped"}}]}
        messages += [first["output"]["message"], {"role": "user", "content": [{"toolResult": result}]}]
        second = self.runtime.converse(modelId=NOVA, messages=messages, toolConfig=TOOLS)
        self.assertEqual(second["stopReason"], "end_turn")
        self.assertIn("shipped", text_of(second))

    def test_streamed_tool_input_is_json_in_pieces(self):
        events = list(
            self.runtime.converse_stream(
                modelId=NOVA,
                messages=say("Order A-77 please"),
                toolConfig={**TOOLS, "toolChoice": {"any": {}}},
            )["stream"]
        )
        start = next(e["contentBlockStart"] for e in events if "contentBlockStart" in e)
        self.assertEqual(start["start"]["toolUse"]["name"], "get_order")
        pieces = [e["contentBlockDelta"]["delta"]["toolUse"]["input"] for e in events if "contentBlockDelta" in e]
        self.assertEqual(json.loads("".join(pieces)), {"order_id": "A-77"})

    def test_structured_output(self):
        schema = {
            "type": "object",
            "properties": {
                "sentiment": {"type": "string", "enum": ["good", "bad", "mixed"]},
                "topics": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["sentiment", "topics"],
            "additionalProperties": False,
        }
        got = self.runtime.converse(
            modelId=CLAUDE,
            messages=say("Review: a bad box, fast delivery."),
            outputConfig={
                "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}
            },
        )
        value = json.loads(text_of(got))
        self.assertEqual(value["sentiment"], "bad")
        self.assertTrue(value["topics"])

    def test_reasoning(self):
        extra = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        ask = dict(modelId=CLAUDE, system=[{"text": FACTS}], messages=say("Where is the office?"))
        got = self.runtime.converse(**ask, additionalModelRequestFields=extra)
        first, second = got["output"]["message"]["content"]
        self.assertTrue(first["reasoningContent"]["reasoningText"]["signature"])
        self.assertEqual(second["text"], "The office is in Ulm.")
        stream = self.runtime.converse_stream(**ask, additionalModelRequestFields=extra)["stream"]
        kinds = [next(iter(e["contentBlockDelta"]["delta"])) for e in stream if "contentBlockDelta" in e]
        self.assertEqual((kinds[0], kinds[-1]), ("reasoningContent", "text"))

    def test_documents_images_and_limits(self):
        content = [
            {"text": "What is the deposit?"},
            {"document": {"name": "contract", "format": "txt", "source": {"bytes": b"The deposit is 40 EUR. The rent is 9 EUR."}}},
            {"image": {"format": "png", "source": {"bytes": b"not really a picture"}}},
        ]
        got = self.runtime.converse(modelId=NOVA, messages=[{"role": "user", "content": content}])
        self.assertEqual(text_of(got), "The deposit is 40 EUR.")
        cut = self.runtime.converse(
            modelId=NOVA, system=[{"text": FACTS}], messages=say("When do parcels leave?"), inferenceConfig={"maxTokens": 2}
        )
        self.assertEqual((cut["stopReason"], cut["usage"]["outputTokens"]), ("max_tokens", 2))
        stop = self.runtime.converse(
            modelId=NOVA,
            system=[{"text": FACTS}],
            messages=say("When do parcels leave?"),
            inferenceConfig={"stopSequences": [" on"]},
        )
        self.assertEqual((stop["stopReason"], text_of(stop)), ("stop_sequence", "Parcels leave"))

    def test_cache_points_write_then_read(self):
        system = [{"text": FACTS * 300}, {"cachePoint": {"type": "default"}}]
        ask = dict(modelId=CLAUDE, system=system, messages=say("When do parcels leave?"))
        first, second = self.runtime.converse(**ask)["usage"], self.runtime.converse(**ask)["usage"]
        self.assertGreater(first["cacheWriteInputTokens"], 4096)
        self.assertEqual(first["cacheDetails"][0]["ttl"], "5m")
        self.assertEqual(second["cacheReadInputTokens"], first["cacheWriteInputTokens"])
        self.assertEqual(second["totalTokens"], first["totalTokens"])

    def test_every_kind_of_model_id(self):
        for model in [
            "amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        ]:
            self.assertEqual(self.runtime.converse(modelId=model, messages=say("Hi?"))["stopReason"], "end_turn")

    def test_count_tokens_agrees_with_usage(self):
        parts = dict(system=[{"text": FACTS}], messages=say("When do parcels leave?"))
        model = CLAUDE.removeprefix("us.")
        counted = self.runtime.count_tokens(modelId=model, input={"converse": parts})["inputTokens"]
        self.assertEqual(counted, self.runtime.converse(modelId=CLAUDE, **parts)["usage"]["inputTokens"])
        native = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi?"}]}
        got = self.runtime.count_tokens(modelId=model, input={"invokeModel": {"body": json.dumps(native).encode()}})
        self.assertGreater(got["inputTokens"], 0)
