"""Keys while the ledger is gone: a PostgreSQL of the test's own is stopped and started again."""

import json
import time

import pytest

from gateway import NOVA, cli, recorder_config
from postgres import Postgres
from signing import signed
from test_reload import parts

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
TARGET = f"/model/{NOVA.replace(':', '%3A')}/converse"
LEDGER = '[store]\nledger = { postgres = { env = "LEDGER_URL" } }\ndeadline = "2s"\n'


@pytest.fixture
def postgres():
    server = Postgres()
    yield server
    server.end()


@pytest.fixture
def gateway(start, recorder, postgres):
    return start(recorder_config(recorder, extra=LEDGER), LEDGER_URL=postgres.url)


@pytest.fixture
def bedplate(gateway, postgres):
    """Runs a command on the project; gives what it says in JSON, or how it fails."""
    def run(*arguments, ok=True):
        done = cli(*arguments, "--format", "json", project=gateway.project, ok=ok, LEDGER_URL=postgres.url)
        return json.loads(done.stdout) if ok is True else done
    return run


def new_key(bedplate):
    return bedplate("key", "create", "--team", "t")


def send(gateway, key, bearer=False):
    headers = {"Content-Type": "application/json"}
    if bearer:
        headers["Authorization"] = f"Bearer {key['bearer_token']}"
    else:
        headers = signed(gateway.data, "POST", TARGET, BODY, key, headers)
    status, headers, _ = gateway.raw("POST", TARGET, BODY, headers)
    return status, headers.get("x-bedplate-code")


def admin(gateway):
    return {"Authorization": f"Bearer {(gateway.project / '.bedplate/admin-key').read_text().strip()}"}


def wait_until(true, seconds):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def test_keys_while_the_ledger_is_gone(gateway, postgres, bedplate):
    kept, spoilt = new_key(bedplate), new_key(bedplate)
    bedplate("key", "disable", spoilt["key_id"])
    wait_until(lambda: send(gateway, kept)[0] == 200 and send(gateway, spoilt) == (403, "BP1002"), 3)

    wait_until(lambda: parts(gateway)[1]["ledger"]["facts"]["pending"] == 0, 5)
    postgres.halt()
    # no record waits, and no call comes: what asks for changed keys says it
    wait_until(lambda: gateway.get_control("/readyz")[0] == 503, 20)
    ledger = parts(gateway)[1]["ledger"]
    assert "since" in ledger and "the ledger" in ledger["reason"] and postgres.url not in ledger["reason"], ledger
    assert ledger["facts"]["pending"] == 0, ledger
    wait_until(lambda: gateway.metrics()[("bedplate_ledger_up", frozenset())] == 0, 5)
    # what is in memory goes on: good keys work, and disabled ones do not come back
    for _ in range(20):
        assert send(gateway, kept) == send(gateway, kept, bearer=True) == send(gateway, gateway.ready) == (200, None)
        assert send(gateway, spoilt) == (403, "BP1002")

    # keys can be neither made nor changed, and that is said, in time, without the URL's secrets
    for arguments in (["create", "--team", "t"], ["disable", kept["key_id"]], ["rotate", kept["key_id"]], ["list"]):
        began = time.monotonic()
        done = bedplate("key", *arguments, ok=None)
        assert done.returncode == 4 and done.stdout == "", done
        assert "the ledger is unavailable" in done.stderr and "keys they know" in done.stderr, done.stderr
        assert time.monotonic() - began < 10, arguments
    status, _, body = gateway.get_control("/admin/v1/keys", admin(gateway))
    assert (status, json.loads(body)["error"]["code"]) == (503, "ledger_unavailable")
    assert send(gateway, kept) == (200, None)
    said = [line for line in gateway.log().splitlines() if "changed keys" in line]
    assert len(said) == 1, said

    # it comes back: everything recovers by itself
    postgres.resume()
    wait_until(lambda: gateway.get_control("/readyz")[0] == 200, 20)
    fresh = new_key(bedplate)
    wait_until(lambda: send(gateway, fresh) == (200, None), 5)
    bedplate("key", "disable", kept["key_id"])
    wait_until(lambda: send(gateway, kept) == (403, "BP1002"), 5)
    assert send(gateway, gateway.ready) == (200, None)


def test_a_key_that_ends_while_the_ledger_is_gone_has_ended(gateway, postgres, bedplate):
    short = bedplate("key", "create", "--team", "t", "--expires", "4s")
    wait_until(lambda: send(gateway, short) == (200, None), 3)
    postgres.halt()
    wait_until(lambda: send(gateway, short) == (403, "BP1006"), 10)


def test_a_gateway_does_not_start_without_its_ledger(gateway, postgres, bedplate):
    gateway.stop()
    postgres.halt()
    done = cli("up", "--data", "127.0.0.1:0", "--control", "127.0.0.1:0", project=gateway.project, ok=4, LEDGER_URL=postgres.url)
    assert "ledger" in done.stderr and postgres.url not in done.stderr, done.stderr
    postgres.resume()
    gateway.start()
    assert send(gateway, gateway.ready) == (200, None)
