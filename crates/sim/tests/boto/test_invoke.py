import json
import math
import unittest

from common import CLAUDE, FACTS, NOVA, client

QUESTION = "When do parcels leave?"
PROMPT = f"{FACTS}\n\n{QUESTION}"
ANSWER = "Parcels leave on Monday."
CHAT = {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 200}

# model, request, where the text is, where it is in a chunk
FAMILIES = [
    (
        CLAUDE,
        {"anthropic_version": "bedrock-2023-05-31", **CHAT},
        lambda b: b["content"][0]["text"],
        lambda c: c.get("delta", {}).get("text", ""),
    ),
    (
        NOVA,
        {"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": PROMPT}]}]},
        lambda b: b["output"]["message"]["content"][0]["text"],
        lambda c: c.get("contentBlockDelta", {}).get("delta", {}).get("text", ""),
    ),
    (
        "meta.llama3-8b-instruct-v1:0",
        {"prompt": f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n{PROMPT}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"},
        lambda b: b["generation"],
        lambda c: c["generation"],
    ),
    (
        "mistral.mistral-7b-instruct-v0:2",
        {"prompt": f"<s>[INST]{PROMPT}[/INST]", "max_tokens": 100},
        lambda b: b["outputs"][0]["text"],
        lambda c: c["outputs"][0]["text"],
    ),
    (
        "mistral.mistral-large-2407-v1:0",
        CHAT,
        lambda b: b["choices"][0]["message"]["content"],
        lambda c: c["choices"][0]["delta"].get("content", ""),
    ),
    (
        "us.deepseek.r1-v1:0",
        {"prompt": PROMPT, "max_tokens": 100},
        lambda b: b["choices"][0]["text"],
        lambda c: c["choices"][0]["text"],
    ),
    (
        "amazon.titan-text-express-v1",
        {"inputText": PROMPT, "textGenerationConfig": {"maxTokenCount": 100}},
        lambda b: b["results"][0]["outputText"],
        lambda c: c["outputText"],
    ),
    (
        "cohere.command-r-v1:0",
        {"message": QUESTION, "preamble": FACTS},
        lambda b: b["text"],
        lambda c: c.get("text", ""),
    ),
    (
        "cohere.command-text-v14",
        {"prompt": PROMPT},
        lambda b: b["generations"][0]["text"],
        lambda c: c.get("text", ""),
    ),
    (
        "openai.gpt-oss-20b-1:0",
        CHAT,
        lambda b: b["choices"][0]["message"]["content"].split("</reasoning>")[1],
        lambda c: c["choices"][0]["delta"].get("content", ""),
    ),
    (
        "ai21.jamba-1-5-mini-v1:0",
        CHAT,
        lambda b: b["choices"][0]["message"]["content"],
        lambda c: c["choices"][0]["delta"].get("content", ""),
    ),
    (
        "qwen.qwen3-32b-v1:0",
        CHAT,
        lambda b: b["choices"][0]["message"]["content"],
        lambda c: c["choices"][0]["delta"].get("content", ""),
    ),
]


class Invoke(unittest.TestCase):
    def setUp(self):
        self.runtime = client()

    def invoke(self, model, body, **more):
        got = self.runtime.invoke_model(modelId=model, body=json.dumps(body), **more)
        return json.loads(got["body"].read()), got

    def test_every_family_whole(self):
        for model, body, text, _ in FAMILIES:
            with self.subTest(model=model):
                out, got = self.invoke(model, body)
                self.assertEqual(text(out).strip(), ANSWER)
                headers = got["ResponseMetadata"]["HTTPHeaders"]
                if not model.startswith("cohere.command"):
                    self.assertGreater(int(headers["x-amzn-bedrock-input-token-count"]), 5)
                    self.assertGreater(int(headers["x-amzn-bedrock-output-token-count"]), 2)

    def test_every_family_streamed(self):
        for model, body, _, piece in FAMILIES:
            with self.subTest(model=model):
                got = self.runtime.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))
                self.assertEqual(got["contentType"], "application/json")
                chunks = [json.loads(e["chunk"]["bytes"]) for e in got["body"]]
                text = "".join(piece(c) or "" for c in chunks)
                self.assertEqual(text.split("</reasoning>")[-1].strip(), ANSWER)
                metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
                self.assertGreater(metrics["inputTokenCount"], 5)
                self.assertGreater(metrics["outputTokenCount"], 2)
                self.assertFalse(any("amazon-bedrock-invocationMetrics" in c for c in chunks[:-1]))

    def test_anthropic_cache_and_tools(self):
        body = {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 200,
            "system": [{"type": "text", "text": FACTS * 300, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "messages": [{"role": "user", "content": "Where is order A-77?"}],
            "tools": [
                {
                    "name": "get_order",
                    "description": "Looks up an order",
                    "input_schema": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
                }
            ],
        }
        first, _ = self.invoke(CLAUDE, body)
        second, got = self.invoke(CLAUDE, body)
        self.assertEqual(first["stop_reason"], "tool_use")
        self.assertEqual(first["content"][-1]["input"], {"order_id": "A-77"})
        wrote = first["usage"]["cache_creation"]["ephemeral_1h_input_tokens"]
        self.assertGreater(wrote, 4096)
        self.assertEqual(second["usage"]["cache_read_input_tokens"], wrote)
        self.assertEqual(got["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-cache-read-input-token-count"], str(wrote))
        got = self.runtime.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(body))
        chunks = [json.loads(e["chunk"]["bytes"]) for e in got["body"]]
        self.assertEqual(chunks[0]["message"]["usage"]["cache_read_input_tokens"], wrote)
        parts = [c["delta"]["partial_json"] for c in chunks if c.get("delta", {}).get("type") == "input_json_delta"]
        self.assertEqual(json.loads("".join(parts)), {"order_id": "A-77"})

    def test_tier_is_echoed(self):
        out, got = self.invoke(NOVA, FAMILIES[1][1], serviceTier="flex", performanceConfigLatency="optimized")
        self.assertEqual((got["serviceTier"], got["performanceConfigLatency"]), ("flex", "optimized"))

    def embed(self, model, text, **more):
        return self.invoke(model, {"inputText": text, **more})[0]["embedding"]

    def test_titan_embeddings(self):
        for model, size, more in [
            ("amazon.titan-embed-text-v1", 1536, {}),
            ("amazon.titan-embed-text-v2:0", 1024, {}),
            ("amazon.titan-embed-text-v2:0", 256, {"dimensions": 256, "normalize": True}),
        ]:
            a = self.embed(model, "How do I get a refund for my order?", **more)
            b = self.embed(model, "Refunds for orders are paid within ten days.", **more)
            c = self.embed(model, "The crane lifts a turbine.", **more)
            self.assertEqual(len(a), size)
            self.assertAlmostEqual(math.hypot(*a), 1.0, places=4)
            dot = lambda x, y: sum(p * q for p, q in zip(x, y))
            self.assertGreater(dot(a, b), dot(a, c))

    def test_cohere_embeddings_and_rerank(self):
        ask = {"texts": ["one text", "another"], "input_type": "search_document"}
        out, _ = self.invoke("cohere.embed-english-v3", ask)
        self.assertEqual((len(out["embeddings"]), len(out["embeddings"][0])), (2, 1024))
        out, _ = self.invoke("cohere.embed-v4:0", {**ask, "output_dimension": 512, "embedding_types": ["float", "int8"]})
        self.assertEqual(sorted(out["embeddings"]), ["float", "int8"])
        self.assertEqual(len(out["embeddings"]["int8"][0]), 512)
        rank = {"query": QUESTION, "documents": ["The office is in Ulm.", ANSWER, "Refunds take ten days."], "top_n": 2}
        for model, more in [("cohere.rerank-v3-5:0", {"api_version": 2}), ("amazon.rerank-v1:0", {})]:
            results = self.invoke(model, {**rank, **more})[0]["results"]
            self.assertEqual([len(results), results[0]["index"]], [2, 1])
            self.assertGreater(results[0]["relevance_score"], results[1]["relevance_score"])
