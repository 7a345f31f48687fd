"""Makes models.json from the gathered list: what the price book needs, one model a line.

    python trim.py PATH_OF_THE_GATHERED_models.json > models.json

Numbers keep the very text they have in the source: prices are never read as floats.
"""
import json
import sys

KEEP = ["id", "endpoint", "provider", "base_model_id", "geo", "mode", "price", "price_tiers", "price_by_region",
        "price_long_context", "context_window", "max_output_tokens", "lifecycle"]
#: What a request may hold; where the source is silent there is nothing.
SUPPORTS = ["sampling_params", "assistant_prefill", "tools", "prompt_caching"]


class Number(float):
    """A number that remembers its text."""

    def __new__(cls, text):
        self = super().__new__(cls, text)
        self.text = text
        return self


encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def text(value):
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode.encode(k)}:{text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    return encode.encode(value)


with open(sys.argv[1], encoding="utf-8") as file:
    source = json.load(file, parse_float=Number, parse_int=Number)
head = {
    "generated": source["generated"],
    "source": "; ".join(f"{s['package']} {s['version']}" for s in source["sources"]),
    "price_unit": source["price_unit"],
    "default_region": "us-east-1",
    "guardrail_usd_per_unit": source["guardrail_usd_per_unit"],
}
print("{")
for name, value in head.items():
    print(f"{encode.encode(name)}:{text(value)},")
print('"models":[')
models = source["models"]
for i, model in enumerate(models):
    kept = {name: model[name] for name in KEEP if model.get(name) is not None}
    supports = {name: model["supports"][name] for name in SUPPORTS if model["supports"].get(name) is not None}
    if supports and model["mode"] == "chat":
        kept["supports"] = supports
    print(text(kept) + ("," if i + 1 < len(models) else ""))
print("]}")
