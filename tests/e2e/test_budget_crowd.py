"""Budgets over many gateways with one PostgreSQL ledger. One of them may be killed.

What ten thousand calls spent is counted by the upstream and priced here, and nowhere in between.
"""

import asyncio
import hashlib
import http.client
import itertools
import json
import shutil
import subprocess
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import pytest

from gateway import NOVA, binary, clean_environment
from postgres import Postgres
from test_budgets import DOLLAR, FAST, budget, metric, status
from test_reload import wait_until

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
#: Nano-dollars a token, by Amazon's list for us-east-1: $3.30 and $16.50 a million.
INPUT, OUTPUT = 3_300, 16_500
GATEWAYS, CALLS = 4, 10_000
#: Calls that a gateway has at once. The others stand behind them.
AT_ONCE = 400
LEASE = 15.0
#: What SDKs try again, and how often.
AGAIN, TRIES, PAUSE = (429, 503), 20, 0.25

#: What is asked. Each has one answer, and so one price.
BODIES = [
    json.dumps({
        "messages": [{"role": "user", "content": [{"text": f"Say one two three four five six seven. {'why ' * n}"}]}],
        "inferenceConfig": {"maxTokens": 3 + n},
    }).encode()
    for n in range(8)
]
TARGET = f"/model/{quote(MODEL, safe='')}/converse"


class Upstream:
    """The simulator as a process of its own. It knows nothing of budgets and prices."""

    def __init__(self, folder):
        config = folder / "sim.toml"
        config.write_text(f'auth = "any"\nlatency = "off"\nkeep_requests = {3 * CALLS}\n')
        self.process = subprocess.Popen(
            [binary(), "sim", "--listen", "127.0.0.1:0", "--config", str(config), "--format", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment())
        self.endpoint = json.loads(self.process.stdout.readline())["endpoint"]
        #: By the hash of what was asked.
        self.prices = {hashlib.sha256(body).hexdigest(): self.price(body) for body in BODIES}
        self.asked_here = Counter(self.prices.keys())

    def price(self, body):
        usage = json.loads(self.ask("POST", TARGET, body))["usage"]
        return usage["inputTokens"] * INPUT + usage["outputTokens"] * OUTPUT

    def ask(self, method, target, body=None):
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=30)
        connection.request(method, target, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        said = reply.read()
        connection.close()
        assert reply.status == 200, said
        return said

    def bill(self):
        """What AWS would ask for: all that arrived here, also what nobody waited for any more."""
        requests = json.loads(self.ask("GET", "/__sim/requests"))["requests"]
        asked = Counter(r["bodySha256"] for r in requests if r["path"].endswith("/converse")) - self.asked_here
        assert set(asked) <= set(self.prices), "the gateways changed what was asked"
        return sum(self.prices[body] * times for body, times in asked.items())

    def end(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def upstream(tmp_path):
    upstream = Upstream(tmp_path)
    yield upstream
    upstream.end()


@pytest.fixture
def postgres():
    server = Postgres()
    yield server
    server.end()


def config(upstream):
    return FAST + f'[budgets]\nlease = "{LEASE:.0f}s"\n' + budget() + f"""
[store]
ledger = {{ postgres = {{ env = "LEDGER_URL" }} }}

[[provider]]
name = "far"
kind = "bedrock"
region = "us-east-1"
endpoints = {{ runtime = "{upstream.endpoint}", control = "{upstream.endpoint}" }}
request_metadata = false
"""


def beside(first, start, project, config, **environment):
    """Another gateway on the same ledger."""
    state = project / ".bedplate"
    state.mkdir(parents=True, mode=0o700)
    shutil.copy(first.project / ".bedplate" / "master.key", state)
    return start(config, project=project, **environment)


class Crowd:
    """Calls that stand in line before gateways, as a load balancer would share them out."""

    def __init__(self, gateways, bearer, bodies):
        self.gateways, self.bearer = gateways, bearer
        self.lines = [deque() for _ in gateways]
        for line, body in zip(itertools.cycle(self.lines), bodies):
            line.append(body)
        #: Answers by status and code of a refusal; how many were tried again; with how many a connection was lost.
        self.answers, self.again, self.lost = Counter(), Counter(), 0

    async def run(self, die):
        """Serves them all; `die` runs beside that."""
        callers = [self.caller(at) for at in range(len(self.gateways)) for _ in range(AT_ONCE)]
        await asyncio.gather(die(self), *callers)

    def answered(self):
        return sum(self.answers.values())

    async def caller(self, at):
        line, to = self.lines[at], urlsplit(self.gateways[at].data)
        reader = None
        while line:
            body = line.popleft()
            try:
                if reader is None:
                    reader, writer = await asyncio.open_connection(to.hostname, to.port)
                self.answers[await self.answer(reader, writer, body, to)] += 1
            except (OSError, asyncio.IncompleteReadError):
                # this gateway is gone: another one is asked
                self.lost += 1
                others = [other for other in range(len(self.lines)) if other != at]
                for moved, left in zip(itertools.cycle(others), [body, *line]):
                    self.lines[moved].append(left)
                line.clear()
                return
        if reader is not None:
            writer.close()

    async def answer(self, reader, writer, body, to):
        """Status and code of one call, which is tried again as SDKs do."""
        for left in reversed(range(TRIES)):
            writer.write(f"POST {TARGET} HTTP/1.1\r\nHost: {to.netloc}\r\nAuthorization: Bearer {self.bearer}\r\n"
                         f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if line)
            await reader.readexactly(int(headers["content-length"]))
            said = int(head.split(" ", 2)[1]), headers.get("x-bedplate-code", "").upper()
            if said[0] not in AGAIN or not left:
                return said
            self.again[said] += 1
            await asyncio.sleep(PAUSE)


#: Answered calls, what they cost, what they were charged, and how many of unknown cost.
RECORDED = """SELECT count(*) FILTER (WHERE ending = 'answered'), sum(cost_nanos),
    sum((SELECT sum((charge->>'amount')::bigint) FROM json_array_elements(detail->'charges') AS charge)),
    count(*) FILTER (WHERE NOT cost_known) FROM call"""


def test_ten_thousand_calls_on_four_gateways_spend_no_more_than_the_budget(start, postgres, upstream, tmp_path):
    ledger = {"LEDGER_URL": postgres.url}
    gateways = [start(config(upstream), **ledger)]
    first = gateways[0]
    gateways += [beside(first, start, tmp_path / f"gateway{n}", config(upstream), **ledger) for n in range(1, GATEWAYS)]
    dying = gateways[-1]
    bearer = first.ready["bearer_token"]

    async def die(crowd):
        while crowd.answered() < CALLS // 5:
            await asyncio.sleep(0.01)
        dying.kill()

    async def storm():
        crowd = Crowd(gateways, bearer, itertools.islice(itertools.cycle(BODIES), CALLS))
        await crowd.run(die)
        return crowd

    crowd = asyncio.run(storm())
    assert crowd.lost > 0, "nobody was on the line when the gateway was killed"
    assert set(crowd.answers) <= {(200, ""), (400, "BP1401")}, (crowd.answers, crowd.again)
    assert sum(crowd.answers.values()) == CALLS
    assert crowd.answers[200, ""] > CALLS // 5, crowd.answers
    assert upstream.bill() <= DOLLAR

    # who is drained leaves nothing; what the dead one had is unknown when its lease is over
    for gateway in gateways[:-1]:
        gateway.stop()

    def account():
        return status(first, **ledger)

    wait_until(lambda: account()["held"] == 0, LEASE + 20)
    left = account()
    answered, costs, charged, unpriced = map(int, postgres.ask(RECORDED))
    assert answered >= crowd.answers[200, ""] - AT_ONCE, "only what the killed one had not written is missing"
    assert (left["settled"], unpriced) == (costs, 0) and costs == charged
    lost = upstream.bill() - left["settled"]
    assert 0 <= lost <= left["unknown"], (lost, left)
    assert left["settled"] + left["unknown"] + left["left"] == DOLLAR
    (slice_,) = [json.loads(line) for line in first.cli("budget", "reconcile", "b", "--format", "json", **ledger)
                 .stdout.splitlines()]
    assert slice_["unknown"] == left["unknown"] > 0

    # an operator reads what was lost off the bill, and the rest can be spent
    first.cli("budget", "reconcile", "b", "--node", slice_["node"], "--spent", f"0.{lost:09} USD", **ledger)
    assert account()["unknown"] == 0 and account()["settled"] == left["settled"] + lost
    again = start(config(upstream), project=first.project, **ledger)

    async def spend():
        to = urlsplit(again.data)
        rest = Crowd([again], bearer, [])
        reader, writer = await asyncio.open_connection(to.hostname, to.port)
        for body in itertools.cycle(BODIES):
            said = await rest.answer(reader, writer, body, to)
            rest.answers[said] += 1
            if said != (200, ""):
                writer.close()
                return rest.answers

    answers = asyncio.run(spend())
    assert answers[400, "BP1401"] == 1, answers
    again.stop()
    end = account()
    assert (end["held"], end["unknown"]) == (0, 0)
    assert end["settled"] == upstream.bill(), "what is settled is what AWS asks for, to the nano-dollar"
    assert 0.95 * DOLLAR <= end["settled"] <= DOLLAR


def test_two_gateways_share_a_budget_and_tell_of_it_once(start, postgres, tmp_path):
    ladder = '[{ at = "10%", do = "warn" }, { at = "100%", do = "block" }]'
    config = FAST + '[store]\nledger = { postgres = { env = "LEDGER_URL" } }\n' + budget(limit="0.02 USD", ladder=ladder)
    one = start(config, LEDGER_URL=postgres.url)
    other = beside(one, start, tmp_path / "other", config, LEDGER_URL=postgres.url)
    long = [{"role": "user", "content": [{"text": "hello, and " * 800}]}]

    def spend(gateway):
        client = gateway.client(retries={"total_max_attempts": 5, "mode": "standard"})
        with pytest.raises(client.exceptions.ServiceQuotaExceededException):
            while client.converse(modelId=NOVA, messages=long):
                pass
        return True

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(spend, (one, other))) == [True, True]
    gateways = (one, other)
    repeated = lambda: sum(metric(g, "bedplate_notices_repeated_total") for g in gateways)  # noqa: E731
    wait_until(lambda: repeated() >= 2, 20)
    for said in ("has reached 10%", "blocks calls"):
        assert sum(g.log().count(said) for g in gateways) == 1, said
    for gateway in gateways:
        gateway.stop()
    (account,) = one.cli_json("budget", "status", "b", LEDGER_URL=postgres.url)["accounts"]
    assert (account["held"], account["unknown"]) == (0, 0)
    assert 0.9 * 20_000_000 <= account["settled"] <= 20_000_000
    spent = [json.loads(line)["call"]["charges"][0]["amount"] for line in one.cli(
        "calls", "tail", "--no-follow", "-n", "10000", "--format", "json", LEDGER_URL=postgres.url).stdout.splitlines()
        if '"charges"' in line]
    assert sum(spent) == account["settled"]
