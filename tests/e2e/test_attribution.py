"""Whom AWS's own reports count a call on: sessions of roles, inference profiles, and nobody else's."""

import http.client
import json
import re
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, quote, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudwatch import Emulator
from gateway import NOVA, UPSTREAM_KEY, UPSTREAM_SECRET, cli, recorder_config
from recorder import Answer, Recorder, json_answer
from signing import signed
from test_prices import Catalogue, answer, call_id, profile_of

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/gateway"
PAY_ROLE = f"arn:aws:iam::{ACCOUNT}:role/payments"
SESSIONS = f"""
role_arn = "{ROLE}"

[provider.sessions]
tags = {{ team = "{{team}}", feature = "{{feature}}", Environment = "{{environment}}", Gateway = "bedplate" }}
transitive = ["team"]
"""


class Sts:
    """moto's STS behind a recorder: what was asked is written down, and moto answers it."""

    def __init__(self):
        self.moto, self.front = Emulator().start(), Recorder()
        self.front.answer = self.forward
        #: What moto gave, by access key id: (secret, token).
        self.given, self.down = {}, False

    @property
    def url(self):
        return self.front.url

    def forward(self, seen):
        if self.down:
            return Answer(503, [("Content-Type", "text/xml")], [b"<ErrorResponse/>"])
        connection = http.client.HTTPConnection(urlsplit(self.moto.url).netloc, timeout=20)
        kept = {n: v for n, v in seen.headers if n.lower() in ("authorization", "content-type", "x-amz-date")}
        connection.request(seen.method, seen.target, seen.body, kept | {"Host": "sts.us-east-1.amazonaws.com"})
        said = connection.getresponse()
        body = said.read()
        found = {element.tag.split("}")[-1]: element.text for element in ElementTree.fromstring(body).iter()}
        if "AccessKeyId" in found:
            self.given[found["AccessKeyId"]] = (found["SecretAccessKey"], found["SessionToken"])
        return Answer(said.status, [("Content-Type", "text/xml")], [body])

    def asked(self):
        """What each AssumeRole for a tenant asked for; the provider's own session is not among them."""
        questions = [question(seen) for seen in self.front.seen]
        return [asked for asked in questions if asked["name"] != "bedplate"]

    def caller(self, key):
        """Whom moto knows the owner of an access key as."""
        secret, token = self.given[key]
        sts = boto3.client("sts", region_name="us-east-1", endpoint_url=self.moto.url, aws_access_key_id=key,
                           aws_secret_access_key=secret, aws_session_token=token)
        return sts.get_caller_identity()["Arn"].rsplit(":", 1)[1]

    def stop(self):
        self.front.stop()
        self.moto.stop()


def question(seen):
    form = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
    assert form["Action"] == "AssumeRole"
    tags = {form[f"Tags.member.{n}.Key"]: form[f"Tags.member.{n}.Value"]
            for n in range(1, 51) if f"Tags.member.{n}.Key" in form}
    transitive = [v for n, v in sorted(form.items()) if n.startswith("TransitiveTagKeys.")]
    return {"role": form["RoleArn"], "name": form["RoleSessionName"], "tags": tags, "transitive": transitive,
            "seconds": int(form.get("DurationSeconds", 0))}


@pytest.fixture
def sts():
    emulated = Sts()
    yield emulated
    emulated.stop()


def begin(start, recorder, sts, provider=SESSIONS):
    return start(recorder_config(recorder, provider=provider), AWS_ENDPOINT_URL_STS=sts.url, AWS_REGION="us-east-1")


def converse(client, model=NOVA, **more):
    return client.converse(modelId=model, messages=HELLO, **more)


def key_of(gateway, *arguments, **names):
    """A new key, once the gateway knows it. Nothing is sent upstream."""
    key = gateway.new_key(*arguments, **names)
    client, until = gateway.client(key=key), time.monotonic() + 10
    while time.monotonic() < until:
        with pytest.raises(ClientError) as refused:
            converse(client, "no-such-model")
        if code(refused.value) != "BP1002":
            return key
        time.sleep(0.05)
    raise AssertionError("the key is not taken up")


def client_of(gateway, *arguments, **names):
    return gateway.client(key=key_of(gateway, *arguments, **names))


def code(refused):
    return refused.response["ResponseMetadata"]["HTTPHeaders"].get("x-bedplate-code")


def signer(seen):
    return re.search(r"Credential=([^/]+)/", seen.header("authorization")).group(1)


# ---- sessions ----

def test_each_tenant_is_signed_for_by_a_session_of_its_own(start, recorder, sts):
    gateway = begin(start, recorder, sts)
    pay = client_of(gateway, team="pay", feature="triage", env="prod")
    ops = client_of(gateway, team="ops/eu", feature="triage", env="prod")
    for client in (pay, ops, pay, ops):
        converse(client)
    signers = [signer(seen) for seen in recorder.seen]
    assert signers[0] == signers[2] != signers[1] == signers[3]
    for seen, key in zip(recorder.seen, signers):
        secret, token = sts.given[key]
        seen.signature_holds(key, secret, token=token)
    # what AWS was asked for, and whom it knows the callers as
    first, second = sts.asked()
    assert first == {"role": ROLE, "name": "pay@prod", "transitive": ["team"], "seconds": 3600, "tags": {
        "team": "pay", "feature": "triage", "Environment": "prod", "Gateway": "bedplate"}}
    assert second["tags"]["team"] == "ops/eu"
    assert re.fullmatch(r"ops-eu@prod-[0-9a-f]{10}", second["name"])
    assert sts.caller(signers[0]) == "assumed-role/gateway/pay@prod"
    assert sts.caller(signers[1]) == f"assumed-role/gateway/{second['name']}"
    # roles are assumed with bedplate's own credentials
    assert {signer(seen) for seen in sts.front.seen} == {UPSTREAM_KEY}
    metrics = {name: value for (name, _), value in gateway.metrics().items() if "sessions" in name}
    assert metrics == {"bedplate_sessions": 2, "bedplate_sessions_assumed_total": 2,
                       "bedplate_sessions_failed_total": 0, "bedplate_sessions_evicted_total": 0}


def test_many_first_calls_make_one_session(start, recorder, sts):
    gateway = begin(start, recorder, sts)
    clients = [gateway.client() for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(converse, clients))
    assert len(sts.asked()) == 1
    assert len({signer(seen) for seen in recorder.seen}) == 1


def test_a_feature_that_a_key_may_not_name_gets_no_session(start, recorder, sts):
    gateway = begin(start, recorder, sts)
    key = key_of(gateway, "--may-name", "search", team="pay", feature="triage", env="prod")
    target, body = f"/model/{quote(NOVA, safe='')}/converse", json.dumps({"messages": HELLO}).encode()

    def call(**headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Type": "application/json"}
        return gateway.raw("POST", target, body, signed(gateway.data, "POST", target, body, key, headers))

    assert call()[0] == 200
    assert call(x_bedplate_feature="search")[0] == 200
    # what only looks like attribution changes nothing
    assert call(x_bedplate_team="ops", x_amz_security_token="forged", x_bedplate_environment="dev")[0] == 200
    status, headers, _ = call(x_bedplate_feature="ops")
    assert (status, headers["x-bedplate-code"]) == (403, "BP1102")
    assert [asked["tags"]["feature"] for asked in sts.asked()] == ["triage", "search"]
    assert signer(recorder.seen[0]) == signer(recorder.seen[2]) != signer(recorder.seen[1])


def test_without_sts_good_sessions_work_on_and_nobody_borrows_one(start, recorder, sts):
    gateway = begin(start, recorder, sts)
    pay, ops = client_of(gateway, team="pay", env="prod"), gateway.client()
    converse(pay)
    sts.down = True
    converse(pay)
    with pytest.raises(ClientError) as refused:
        converse(ops)
    assert code(refused.value) == "BP4007"
    assert len(recorder.seen) == 2
    converse(pay)
    record = gateway.record(refused.value.response["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])
    assert record["call"]["cost"] == {"state": "known", "nanos": 0}
    # it is tried again by itself
    sts.down = False
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            converse(ops)
            break
        except ClientError as e:
            assert code(e) == "BP4007"
            time.sleep(0.2)
    assert len({signer(seen) for seen in recorder.seen}) == 2


def test_a_tenant_may_have_a_role_of_its_own(start, recorder, sts):
    gateway = begin(start, recorder, sts, f"""
[[provider.tenant]]
team = "pay"
role_arn = "{PAY_ROLE}"
""")
    pay, ops = client_of(gateway, team="pay", env="prod"), client_of(gateway, team="ops", env="prod")
    converse(pay), converse(ops)
    (asked,) = sts.asked()
    assert (asked["role"], asked["name"], asked["tags"]) == (PAY_ROLE, "pay@prod", {})
    assert sts.caller(signer(recorder.seen[0])) == "assumed-role/payments/pay@prod"
    recorder.seen[1].signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)


def test_a_reload_keeps_the_sessions_that_tenants_have(start, recorder, sts):
    gateway = begin(start, recorder, sts)
    client = gateway.client()
    converse(client)
    taken_up = ("bedplate_config_last_reload_success_timestamp_seconds", frozenset())
    before, config = gateway.metrics()[taken_up], gateway.project / "bedplate.toml"
    while time.time() < before + 1.5:
        time.sleep(0.1)
    config.write_text(config.read_text() + f"""
[[provider.tenant]]
team = "pay"
profiles = {{ "{NOVA}" = "{PAY}" }}
""")
    until = time.monotonic() + 15
    while gateway.metrics()[taken_up] == before and time.monotonic() < until:
        time.sleep(0.1)
    assert gateway.metrics()[taken_up] > before
    converse(client)
    assert len(sts.asked()) == 1
    assert len({signer(seen) for seen in recorder.seen}) == 1


def test_as_many_sessions_are_kept_as_may_be(start, recorder, sts):
    gateway = begin(start, recorder, sts, SESSIONS.replace("transitive", "most = 2\ntransitive"))
    for team in ("a", "b", "c"):
        converse(client_of(gateway, team=team))
    metrics = {name: value for (name, _), value in gateway.metrics().items()}
    assert (metrics["bedplate_sessions"], metrics["bedplate_sessions_evicted_total"]) == (2, 1)


def test_doctor_tries_roles_and_profiles(start, recorder, sts):
    good, bad = profile("good"), profile("bad")
    gateway = begin(start, recorder, sts, f"""{SESSIONS}
[[provider.tenant]]
team = "pay"
role_arn = "{PAY_ROLE}"
profiles = {{ "{NOVA}" = "{good}", "us.amazon.nova-pro-v1:0" = "{bad}" }}
""")
    catalogue = Catalogue(recorder)
    catalogue.profile(good, profile_of("amazon.nova-lite-v1:0", "us-east-1", "us-west-2"))
    catalogue.profile(bad, profile_of("amazon.nova-micro-v1:0", "us-east-1", "us-west-2"))

    def found(**environment):
        done = cli("doctor", "--format", "json", project=gateway.project, ok=None, AWS_ACCESS_KEY_ID=UPSTREAM_KEY,
                   AWS_SECRET_ACCESS_KEY=UPSTREAM_SECRET, AWS_ENDPOINT_URL_STS=sts.url, **environment)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [(f["state"], f["said"]) for f in lines if f["what"].endswith(("session", "inference profile"))]

    pay, own, lite, pro = found()
    assert pay == ("good", f"session `pay@bedplate-doctor` of `{PAY_ROLE}` is given")
    assert own == ("good", f"session `bedplate-doctor@bedplate-doctor` of `{ROLE}` is given")
    assert lite == ("good", f"{good} leads to {NOVA}")
    assert pro[0] == "bad" and "it leads to us.amazon.nova-micro-v1:0" in pro[1]
    sts.down = True
    # without STS the provider has no credentials to ask with either
    assert [state for state, _ in found()] == ["bad"] * 4


# ---- inference profiles ----

def profile(name):
    return f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/{name}"


PAY, OPS = profile("pay0prod0000"), profile("ops000000000")


@pytest.fixture
def tenants(start, recorder):
    """A gateway with profiles of two teams; gives (gateway, recorder, catalogue)."""
    gateway = start(recorder_config(recorder, provider=f"""
[[provider.tenant]]
team = "pay"
environment = "prod"
profiles = {{ "{NOVA}" = "{PAY}" }}

[[provider.tenant]]
team = "ops"
profiles = {{ "{NOVA}" = "{OPS}" }}
"""))
    catalogue = Catalogue(recorder)
    for arn in (PAY, OPS):
        catalogue.profile(arn, profile_of("amazon.nova-lite-v1:0", "us-east-1", "us-east-2", "us-west-2"))
    return gateway, recorder, catalogue


def called(recorder):
    return [seen.target.split("/")[2] for seen in recorder.seen]


def test_a_tenants_profile_is_called_in_place_of_the_model(tenants):
    gateway, recorder, catalogue = tenants
    pay, ops = client_of(gateway, team="pay", env="prod"), client_of(gateway, team="ops", env="dev")
    dev = client_of(gateway, team="pay", env="dev")
    recorder.will(answer(), answer(), answer())
    replies = [converse(client) for client in (pay, ops, dev)]
    assert called(recorder) == [quote(PAY, safe=""), quote(OPS, safe=""), quote(NOVA, safe="")]
    for seen in recorder.seen:
        seen.signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)
    records = [gateway.record(call_id(reply)) for reply in replies]
    # price, rights and records stay with the model that was named
    costs = {json.dumps(record["call"]["cost"]) for record in records}
    assert len(costs) == 1 and json.loads(costs.pop())["state"] == "known"
    assert [record["call"]["model"] for record in records] == [NOVA] * 3
    assert [record["attempts"][0]["target"] for record in records] == [PAY, OPS, NOVA]
    assert [record["attempts"][0].get("model") for record in records] == [NOVA, NOVA, None]
    assert records[0]["call"]["edits"] == [f"model {NOVA} by its inference profile {PAY}"]
    assert len(catalogue.asked) == 2


def test_every_model_operation_takes_the_profile(tenants):
    gateway, recorder, _ = tenants
    pay = client_of(gateway, "--model", NOVA, team="pay", env="prod")
    body = json.dumps({"messages": HELLO})
    for call in (lambda: converse(pay), lambda: pay.invoke_model(modelId=NOVA, body=body),
                 lambda: list(pay.converse_stream(modelId=NOVA, messages=HELLO)["stream"]),
                 lambda: list(pay.invoke_model_with_response_stream(modelId=NOVA, body=body)["body"]),
                 lambda: converse(pay, f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{NOVA}")):
        try:
            call()
        except ClientError:
            pass  # what the recorder answers is no stream
    assert {target for target in called(recorder)} == {quote(PAY, safe="")}
    verbs = [seen.target.rsplit("/", 1)[1] for seen in recorder.seen]
    assert verbs == ["converse", "invoke", "converse-stream", "invoke-with-response-stream", "converse"]
    # a model that has no profile, and that the key may not call, stays refused
    with pytest.raises(ClientError) as refused:
        converse(pay, "us.amazon.nova-pro-v1:0")
    assert code(refused.value) == "BP1101"


def test_nobody_calls_the_profile_of_another_tenant(tenants):
    gateway, recorder, _ = tenants
    pay = client_of(gateway, team="pay", env="prod")
    recorder.will(answer())
    assert converse(pay, PAY)
    with pytest.raises(ClientError) as refused:
        converse(pay, OPS)
    assert code(refused.value) == "BP1101"
    assert called(recorder) == [quote(PAY, safe="")]


@pytest.mark.parametrize("found, why", [
    (profile_of("amazon.nova-pro-v1:0", "us-east-1", "us-west-2"), "it leads to us.amazon.nova-pro-v1:0"),
    (profile_of("amazon.nova-lite-v1:0", "us-east-1"), "it leads to amazon.nova-lite-v1:0"),
    (json_answer(json.dumps({"message": "no"}), 403, [("x-amzn-errortype", "AccessDeniedException")]),
     "GetInferenceProfile answered AccessDeniedException"),
])
def test_a_profile_that_does_not_lead_to_the_model_is_not_called(tenants, found, why):
    gateway, recorder, catalogue = tenants
    pay = client_of(gateway, team="pay", env="prod")
    recorder.will(answer())
    catalogue.profile(PAY, found)
    record = gateway.record(call_id(converse(pay)))
    assert called(recorder) == [quote(NOVA, safe="")]
    assert record["call"]["edits"] == [f"inference profile {PAY} not used: {why}"]
    assert record["attempts"][0]["target"] == NOVA


def test_profiles_of_the_simulator(start):
    arn = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/abcdef123456"
    gateway = start(f"""
[[provider]]
name = "sim"
kind = "sim"

[[provider.tenant]]
team = "pay"
profiles = {{ "{NOVA}" = "{arn}" }}

[[sim.application_profile]]
id = "abcdef123456"
name = "pay"
model = "{NOVA}"
""")
    pay, ops = client_of(gateway, team="pay"), client_of(gateway, team="ops")
    (by_profile, cost), (plain, other) = [
        (record["attempts"][0], record["call"]["cost"])
        for record in (gateway.record(call_id(converse(client))) for client in (pay, ops))]
    assert (by_profile["target"], by_profile["model"]) == (arn, NOVA)
    assert plain["target"] == NOVA
    assert cost["state"] == other["state"] == "known" and cost["nanos"] > 0
    stream = pay.converse_stream(modelId=NOVA, messages=HELLO)
    assert any("metadata" in event for event in stream["stream"])


# ---- what is told in words ----

def test_the_metadata_header_of_invoke_model_cannot_speak_for_us(stamped):
    gateway, recorder = stamped
    target = f"/model/{quote(NOVA, safe='')}/invoke"
    body = json.dumps({"messages": HELLO}).encode()
    for forged in ('{"bedplate:team":"x"}', '{"\\u0062edplate:call":"x"}', '{"BEDPLATE:user":"x"}'):
        headers = {"X-Amzn-Bedrock-Request-Metadata": forged, "Content-Type": "application/json"}
        status, answered, _ = gateway.raw("POST", target, body, signed(gateway.data, "POST", target, body, gateway.ready, headers))
        assert (status, answered["x-bedplate-code"]) == (400, "BP2002")
    assert recorder.seen == []


def test_a_metadata_header_does_not_pass_where_the_body_has_a_member_for_it(stamped):
    gateway, recorder = stamped
    target = f"/model/{quote(NOVA, safe='')}/converse"
    body = json.dumps({"messages": HELLO}).encode()
    headers = {"X-Amzn-Bedrock-Request-Metadata": '{"bedplate:team":"x"}', "Content-Type": "application/json"}
    status, *_ = gateway.raw("POST", target, body, signed(gateway.data, "POST", target, body, gateway.ready, headers))
    assert status == 200
    assert recorder.only().header("x-amzn-bedrock-request-metadata") is None


def test_user_and_chain_are_in_the_metadata_and_in_the_record(stamped):
    gateway, recorder = stamped
    target = f"/model/{quote(NOVA, safe='')}/converse"
    body = json.dumps({"messages": HELLO, "requestMetadata": {"user": "mine"}}).encode()
    headers = {"x-bedplate-user": "u-7 (eu)", "x-bedplate-chain": "run-12", "Content-Type": "application/json"}
    status, answered, _ = gateway.raw("POST", target, body, signed(gateway.data, "POST", target, body, gateway.ready, headers))
    assert status == 200
    pairs = json.loads(recorder.only().body)["requestMetadata"]
    assert (pairs["user"], pairs["bedplate:user"], pairs["bedplate:chain"]) == ("mine", "u-7 _eu_", "run-12")
    call = gateway.record(answered["x-bedplate-call-id"])["call"]
    assert (call["user"], call["chain"], call["stamped"], call["unstamped"]) == ("u-7 (eu)", "run-12", 7, 0)


def test_pairs_without_room_are_counted(stamped):
    gateway, _ = stamped
    dropped = ("bedplate_request_metadata_dropped_total", frozenset())
    before = gateway.metrics()[dropped]
    reply = converse(gateway.client(), requestMetadata={f"k{n}": "v" for n in range(14)})
    call = gateway.record(call_id(reply))["call"]
    assert (call["stamped"], call["unstamped"]) == (2, 3)
    assert gateway.metrics()[dropped] == before + 3


# ---- bad configuration ----

@pytest.mark.parametrize("provider, line, said", [
    ("[provider.sessions]\n", 10, "sessions of which role? set `role_arn`"),
    (f'role_arn = "{ROLE}"\n[provider.sessions]\nname = "{{user}}"\n', 12, "`{user}` is the caller's to choose"),
    (f'role_arn = "{ROLE}"\n[provider.sessions]\ntags = {{ "aws:x" = "y" }}\n', 12, "AWS keeps names"),
    (f'[[provider.tenant]]\nteam = "a"\nrole_arn = "{ROLE.replace(ACCOUNT, "210987654321")}"\n', 12, "a provider of its own"),
    (f'[[provider.tenant]]\nteam = "a"\nprofiles = {{ "{NOVA}" = "{PAY.replace("us-east-1", "eu-west-1")}" }}\n', 12, "`eu-west-1`"),
    ('[[provider.tenant]]\nteam = "a"\n', 10, "neither `role_arn` nor `profiles`"),
])
def test_a_mistake_is_shown_with_its_place(tmp_path, provider, line, said):
    (tmp_path / "bedplate.toml").write_text(f"""

[[provider]]
name = "p"
kind = "bedrock"
region = "us-east-1"
account = "{ACCOUNT}"

# {NOVA}
{provider}""")
    found = cli("check", project=tmp_path, ok=2).stderr
    assert said in found and f"bedplate.toml:{line}:" in found, found
