"""Random calls and what they cost, a JSON object a line, for `crates/cost/tests/it/generated.rs`.

    python3 cases.py [SEED [NUMBER]]

Lines with `book` bring a price file in TOML or JSON; lines with `model` are calls by the prices of a book.
"""

import json
import random
import sys
from decimal import Decimal

from pricing import GUARDRAIL, PIECES, TOKENS, Book, load

DAYS = ["2026-11-30", "2027-01-01", "2027-02-28", "2027-06-15", "2028-02-29"]
REGIONS = ["us-east-1", "us-east-2", "us-west-2", "us-west-1", "ca-central-1", "eu-west-1", "eu-central-1",
           "eu-north-1", "ap-northeast-1", "ap-south-1", "ap-southeast-2", "sa-east-1", "us-gov-west-1",
           "us-gov-east-1", "cn-north-1", "eusc-de-east-1"]
TIERS = ["", "", "", "", "default", "standard", "batch", "batch", "flex", "priority", "optimized", "reserved",
         "ultrafast", "nonsense"]
BOOKS = 40


class Generator:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        models, _, everything = load()
        self.models = models
        self.ids = sorted(models)
        self.mantle = sorted({m["id"] for m in everything if m["endpoint"] != "bedrock-runtime"} - set(models))

    def number(self, places):
        """A price: none, small, large, with few or many decimals."""
        chance = self.chance
        if chance.random() < 0.05:
            return Decimal(0)
        digits = chance.randint(1, places)
        whole = chance.choice((0, 0, chance.randint(0, 3), chance.randint(0, 90)))
        return Decimal(whole) + Decimal(chance.randint(1, 10**digits - 1)).scaleb(-digits)

    def price(self):
        chance = self.chance
        row = {"input": self.number(6), "output": self.number(6)}
        for member in ("cache_read", "cache_write_5m", "cache_write_1h"):
            if chance.random() < 0.5:
                row[member] = self.number(6)
        for member in PIECES.values():
            if chance.random() < 0.1:
                row[member] = self.number(9)
        return row

    def row(self):
        """What an operator may write of a model, whole."""
        chance = self.chance
        row = {"price": self.price()}
        if chance.random() < 0.4:
            tiers = chance.sample(["batch", "flex", "priority", "house"], chance.randint(1, 3))
            row["price_tiers"] = {tier: self.price() for tier in tiers}
        if chance.random() < 0.4:
            regions = chance.sample(REGIONS, chance.randint(1, 3))
            row["price_by_region"] = {region: self.price() for region in regions}
        if chance.random() < 0.4:
            above = chance.sample([1_000, 100_000, 200_000, 272_000], chance.randint(1, 2))
            row["price_long_context"] = [{"above_input_tokens": Decimal(n), **self.price()} for n in above]
        if chance.random() < 0.4:
            row["price_latency_optimized"] = self.price()
        if chance.random() < 0.2:
            row["provider"] = chance.choice(("amazon", "acme"))
        if chance.random() < 0.15 and len(row) > 1:
            del row["price"]  # beside the list's price
        return row

    def overrides(self):
        chance = self.chance
        models = {}
        for n in range(chance.randint(3, 12)):
            known = chance.random() < 0.7
            id = chance.choice(self.ids) if known else f"acme.model-{n}-v1:0"
            if chance.random() < 0.1:
                id = f"arn:aws:bedrock:us-east-1:123456789012:provisioned-model/{n}"
            rows = []
            for day in [None, *sorted(chance.sample(DAYS, chance.randint(0, 3)))]:
                row = self.row()
                if id not in self.models:
                    row.setdefault("price", self.price())
                rows.append({"from": day, **row} if day else row)
            if len(rows) > 1 and chance.random() < 0.3:
                rows.pop(0)
            chance.shuffle(rows)
            models[id] = rows[0] if len(rows) == 1 else rows
        file = {"models": models}
        if chance.random() < 0.6:
            members = chance.sample(sorted(GUARDRAIL.values()), 3)
            units = {member: self.number(9) for member in members}
            later = {"from": chance.choice(DAYS), members[0]: self.number(9)}
            file["guardrail_usd_per_unit"] = chance.choice((units, [units, later], [later]))
        return file

    def usage(self, entry):
        chance = self.chance

        def quantity():
            return chance.choice((1, 2, 3, chance.randint(1, 999), chance.randint(1, 300_000), chance.randint(1, 10**9)))

        usage = {}
        for name in TOKENS:
            # mostly what the model has a price for
            priced = TOKENS[name] in (entry or {}).get("price", {})
            if chance.random() < (0.7 if priced else 0.05):
                usage[name] = quantity()
        thresholds = [int(row["above_input_tokens"]) for row in (entry or {}).get("price_long_context", [])]
        if thresholds and chance.random() < 0.7:
            # at the threshold, one more, or far off
            whole = chance.choice(thresholds) + chance.choice((-1, 0, 1, 1, 2, 5_000))
            read = chance.randint(0, whole)
            usage = {"input": whole - read, "cache_read": read, "output": chance.randint(0, 5_000)}
            if chance.random() < 0.3 and usage["input"] > 10:
                usage["input"] -= 10
                usage["cache_write_5m"], usage["cache_write_1h"] = 4, 6
        priced = [name for name, member in sorted(PIECES.items()) if member in (entry or {}).get("price", {})]
        for name in priced if chance.random() < 0.5 else chance.sample(sorted(PIECES), chance.random() < 0.05):
            usage[name] = chance.randint(1, 500)
        if chance.random() < 0.15:
            for name in chance.sample(sorted(GUARDRAIL), 2):
                usage[name] = chance.randint(1, 500)
        if chance.random() < 0.03:
            usage = {}
        return usage

    def name(self, file):
        chance = self.chance
        mine = sorted(file.get("models", {}))
        if mine and chance.random() < 0.6:
            return chance.choice(mine)
        id = chance.choice(self.ids)
        return chance.choices(
            [
                id,
                f"arn:aws:bedrock:us-east-1::foundation-model/{id}",
                f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/{id}",
                f"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/{chance.randint(0, 99)}",
                chance.choice(self.mantle),
                id + "x",
                "",
            ],
            [80, 6, 6, 2, 2, 3, 1],
        )[0]

    def call(self, number, book, file):
        chance = self.chance
        model, day = self.name(file), chance.choice(DAYS)
        second = chance.choice(("T00:00:00Z", "T00:00:00.000001Z", "T23:59:59.999999Z", "T12:34:56Z"))
        entry = book.entry(model, day)
        priced = list((entry or {}).get("price_by_region", {}))
        region = chance.choice((chance.choice(REGIONS), chance.choice(priced or ["us-west-2"]), "us-east-1", "us-east-1"))
        tiers = [*(entry or {}).get("price_tiers", {}), *(["optimized"] if "price_latency_optimized" in (entry or {}) else [])]
        tier = chance.choice((chance.choice(TIERS), chance.choice(tiers or [""]), "", ""))
        usage = self.usage(entry)
        known, nanos = book.cost(model, region, tier, usage, day)
        return {"by": number, "at": day + second, "model": model, "region": region, "tier": tier, "usage": usage,
                "known": known, "nanos": nanos}


def toml(value):
    """A value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(n)} = {toml(v)}" for n, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value)


def written(file, chance):
    """A price file, in one of its formats."""
    if chance.random() < 0.5:
        return plain_json(file)
    return "".join(f"{name} = {toml(value)}\n" for name, value in file.items())


def plain_json(value):
    """JSON whose numbers keep their digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(n)}:{plain_json(v)}" for n, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(plain_json, value)) + "]"
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value)


def main(seed=1, number=24_000):
    generator = Generator(seed)
    files = [{}] + [generator.overrides() for _ in range(BOOKS)]
    books = [Book(file) for file in files]
    for n, file in enumerate(files):
        print(json.dumps({"book": n, "file": written(file, generator.chance) if file else ""}))
    for n in range(number):
        # half of the calls by the list alone
        which = 0 if n % 2 == 0 else 1 + generator.chance.randrange(BOOKS)
        print(json.dumps(generator.call(which, books[which], files[which])))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
