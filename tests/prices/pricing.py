"""What a call costs, worked out a second time: from the list itself, in Decimal, by the rules of docs/metering.md.

Shares nothing with bedplate but models.json. Entries stay dictionaries with the list's own member names.
"""

import copy
import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

LIST = Path(__file__).resolve().parents[2] / "crates/cost/data/models.json"
MILLION = Decimal(1_000_000)

#: What usage calls it, and what a price does.
TOKENS = {"input": "input", "output": "output", "cache_read": "cache_read", "cache_write_5m": "cache_write_5m",
          "cache_write_1h": "cache_write_1h"}
PIECES = {"query": "usd_per_query", "input_image": "usd_per_input_image", "output_image": "usd_per_output_image",
          "input_video_second": "usd_per_input_video_second", "input_audio_second": "usd_per_input_audio_second"}
GUARDRAIL = {"guardrail_content": "contentPolicyUnits", "guardrail_topic": "topicPolicyUnits",
             "guardrail_word": "wordPolicyUnits", "guardrail_sensitive": "sensitiveInformationPolicyUnits",
             "guardrail_sensitive_free": "sensitiveInformationPolicyFreeUnits",
             "guardrail_grounding": "contextualGroundingPolicyUnits",
             "guardrail_reasoning": "automatedReasoningPolicyUnits",
             "guardrail_image": "contentPolicyImageUnits"}
#: The rows that belong to a price and go when an operator writes a new one.
BESIDE = ("price_tiers", "price_by_region", "price_long_context", "price_latency_optimized")
#: Regions where the default price is the price.
AT_HOME = {"us-east-1", "us-east-2", "us-west-2"}


def load():
    """The list: ({id: model} of bedrock-runtime, {unit: dollars}, every model)."""
    book = json.loads(LIST.read_text(), parse_float=Decimal, parse_int=Decimal)
    models = {m["id"]: m for m in book["models"] if m["endpoint"] == "bedrock-runtime"}
    for model in models.values():
        model["varies"] = any(commercial(r) and r not in AT_HOME for r in model.get("price_by_region", {}))
    for model in models.values():
        local = [m["price"] for m in models.values()
                 if m["base_model_id"] == model["base_model_id"] and m.get("geo") not in (None, "global", "us-gov")]
        if model.get("geo") is None and len({(p.get("input"), p.get("output")) for p in local}) > 1:
            model["varies"] = True
    return models, book["guardrail_usd_per_unit"], book["models"]


def commercial(region):
    return not region.startswith(("us-gov-", "us-iso", "cn-", "eusc-", "eu-iso"))


def rows_in_order(tree):
    """An operator's rows of one thing: [(day or None, row)], the one without a day first."""
    rows = [dict(row) for row in (tree if isinstance(tree, list) else [tree])]
    rows = [(row.pop("from", None), row) for row in rows]
    return sorted(rows, key=lambda pair: pair[0] or "")


def written_over(entry, row):
    """What stands once an operator's row is written over an entry."""
    entry = copy.deepcopy(entry)
    if "price" in row:
        for name in BESIDE:
            entry.pop(name, None)
        entry["varies"] = False
        entry["price"] = {**entry.get("price", {}), **row["price"]}
    for name in ("price_tiers", "price_by_region"):
        if name in row:
            entry[name] = {**entry.get(name, {}), **row[name]}
    for name in ("price_long_context", "price_latency_optimized", "provider", "max_output_tokens"):
        if name in row:
            entry[name] = row[name]
    return entry


def on_day(before, tree, day, write):
    """What holds on a day. A price that is announced holds from midnight UTC of its day."""
    now = before
    for begins, row in rows_in_order(tree):
        if begins is None or begins <= day:
            now = write(now, row)
    return now


def named(name):
    """The id in a name; an ARN may hide its model."""
    if not name.startswith("arn:"):
        return name
    resource = name.split(":", 5)[5] if name.count(":") >= 5 else ""
    for kind in ("foundation-model/", "inference-profile/"):
        if resource.startswith(kind):
            return resource[len(kind):]
    return None


class Book:
    """The list with an operator's file over it."""

    def __init__(self, overrides=None):
        self.models, self.guardrail, _ = load()
        self.overrides = overrides or {}

    def entry(self, name, day):
        overrides = self.overrides.get("models", {})
        for id in (name, named(name)):
            if id is None:
                continue
            found = self.models.get(id)
            if id in overrides:
                found = on_day(found, overrides[id], day, lambda now, row: written_over(now or {}, row))
            if found is not None:
                return found
            if id in overrides or id in self.models:
                return None  # it has no price yet
        return None

    def units(self, day):
        tree = self.overrides.get("guardrail_usd_per_unit", {})
        return on_day(self.guardrail, tree, day, lambda now, row: {**now, **row})

    def cost(self, model, region, tier, usage, day):
        """(whether all of it is known, nano-dollars of what is)."""
        entry = self.entry(model, day)
        dollars, known = Decimal(0), True
        mine = {n: q for n, q in usage.items() if q and n not in GUARDRAIL}
        rates = self.rates(entry, region, tier, usage) if mine else {}
        if rates is None:
            known, rates = False, {}
            mine = {}
        for name, quantity in mine.items():
            member = TOKENS.get(name) or PIECES[name]
            rate = price_of(rates, member, entry)
            if rate is None:
                known = False
            else:
                dollars += rate * quantity / (MILLION if name in TOKENS else 1)
        units = self.units(day)
        for name, member in GUARDRAIL.items():
            if usage.get(name):
                if member in units:
                    dollars += units[member] * usage[name]
                else:
                    known = False
        return known, int((dollars * 10**9).quantize(Decimal(1), ROUND_HALF_UP))

    @staticmethod
    def rates(entry, region, tier, usage):
        """The row that applies; None when none does."""
        if entry is None:
            return None
        standard = tier in ("", "default", "standard")
        prompt = sum(usage.get(n, 0) for n in ("input", "cache_read", "cache_write_5m", "cache_write_1h"))
        exceeded = [row for row in entry.get("price_long_context", []) if prompt > row["above_input_tokens"]]
        long = max(exceeded, key=lambda row: row["above_input_tokens"], default=None)
        default = entry.get("price", {})
        own = entry.get("price_by_region", {}).get(region)
        if own is not None and not same(own, default):
            return own if standard and long is None else None
        if own is None and not (
            region in AT_HOME
            or (commercial(region) and not entry.get("varies", False))
            or (entry.get("geo") == "us-gov" and region.startswith("us-gov-"))
        ):
            return None
        if standard:
            return long if long is not None else default
        if long is not None:
            return None
        if tier == "optimized":
            return entry.get("price_latency_optimized")
        return entry.get("price_tiers", {}).get(tier)


def same(a, b):
    members = [*TOKENS.values(), *PIECES.values()]
    return all(a.get(m) == b.get(m) for m in members)


def price_of(rates, member, entry):
    """Amazon charges cache writes as plain input; a picture whose price depends on its size has none."""
    if member == "usd_per_output_image" and len(set(rates.get("usd_per_output_image_by_size", {}).values())) > 1:
        return None
    if member in rates:
        return rates[member]
    if member.startswith("cache_write") and entry.get("provider") == "amazon":
        return rates.get("input")
    return None
