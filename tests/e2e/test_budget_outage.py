"""Budgets while their ledger is gone, stands still or starts again: each does as it says, and no call hangs."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from gateway import NOVA
from postgres import Postgres
from test_budgets import FAST, HELLO, budget
from test_reload import wait_until

STORE = '[store]\nledger = { postgres = { env = "LEDGER_URL" } }\ndeadline = "500ms"\n'
#: What a question to the ledger may take, a wait for room, and a busy machine.
LONGEST = 8


@pytest.fixture
def postgres():
    server = Postgres()
    yield server
    server.end()


class Callers:
    """Calls a gateway and counts what becomes of that; none may take long."""

    def __init__(self, gateway):
        self.client, self.answered, self.codes = gateway.client(retries={"total_max_attempts": 1}), 0, []

    def call(self):
        """Whether it was answered."""
        began = time.monotonic()
        try:
            # a worst case of about a thousandth of the budget
            self.client.converse(modelId=NOVA, messages=HELLO, inferenceConfig={"maxTokens": 500})
            self.answered += 1
            return True
        except ClientError as e:
            self.codes.append(e.response["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-code"])
            return False
        finally:
            assert time.monotonic() - began < LONGEST, "a call hung"


@pytest.mark.parametrize("fault", ["gone", "still"])
@pytest.mark.parametrize("outage", ["closed", "slice", "open"])
def test_without_its_ledger_a_budget_does_as_it_says_and_goes_on_when_it_is_back(start, postgres, outage, fault):
    kind = "soft" if outage == "open" else "hard"
    config = FAST + STORE + budget(limit="2000000 tokens", outage=f'"{outage}"', kind=f'"{kind}"')
    gateway = start(config, LEDGER_URL=postgres.url)
    callers = Callers(gateway)
    assert callers.call()
    postgres.halt() if fault == "gone" else postgres.freeze()
    if outage == "open":
        assert all(callers.call() for _ in range(60))
    else:
        # what is drawn is spent (slice), or not even that once the outage is known (closed)
        wait_until(lambda: not callers.call(), 60)
        assert callers.codes == ["BP1405"]
        assert not callers.call()
    postgres.resume() if fault == "gone" else postgres.thaw()
    wait_until(callers.call, 60)
    wait_until(lambda: gateway.get_control("/readyz")[0] == 200, 30)
    assert callers.call()
    gateway.stop()
    (account,) = gateway.cli_json("budget", "status", "b", LEDGER_URL=postgres.url)["accounts"]
    charged = [call["charges"][0]["amount"] for call in calls(gateway, postgres) if "charges" in call]
    assert len(charged) == callers.answered, "what was answered meanwhile is recorded and charged, each call once"
    assert (account["held"], account["unknown"], account["settled"]) == (0, 0, sum(charged))


def calls(gateway, postgres):
    lines = gateway.cli("calls", "tail", "--no-follow", "-n", "10000", "--format", "json", LEDGER_URL=postgres.url).stdout
    return [json.loads(line)["call"] for line in lines.splitlines()]
