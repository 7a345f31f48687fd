"""Limits from AWS Service Quotas: a server of its protocol (AWS JSON 1.1) that shares no code with bedplate.

These need a bedplate with the feature `service-quotas`: scripts/test builds it, and so does
`cargo build -p bedplate --features cloudwatch`.
"""

import json
import signal
import ssl
import threading
import time

import pytest
from botocore.exceptions import ClientError

from certificates import self_signed
from gateway import HAIKU, NOVA, UPSTREAM_KEY, UPSTREAM_SECRET, cli, recorder_config
from recorder import Recorder, json_answer
from test_upstream import Proxy, forward

PLACE = "123456789012/us-east-1"
CROSS = "Cross-region model inference {} per minute for {}"


class ServiceQuotas:
    """Lists `applied` and `defaults` (code, name, value), `page` of them at a time; or says `failing`."""

    def __init__(self):
        self.recorder = Recorder()
        self.recorder.answer = self.answer
        self.url = self.recorder.url
        self.applied, self.defaults, self.failing, self.page = [], [], None, 2
        self.held = threading.Event()
        self.held.set()

    def answer(self, seen):
        self.held.wait(30)
        if self.failing:
            code, message = self.failing
            return json_answer(json.dumps({"__type": code, "message": message}), 400)
        assert (seen.method, seen.target) == ("POST", "/")
        assert seen.header("content-type") == "application/x-amz-json-1.1"
        asked = json.loads(seen.body)
        if asked["ServiceCode"] != "bedrock":
            return json_answer(json.dumps({"__type": "NoSuchResourceException", "message": "no such service"}), 400)
        everything = {
            "ServiceQuotasV20190624.ListServiceQuotas": self.applied,
            "ServiceQuotasV20190624.ListAWSDefaultServiceQuotas": self.defaults,
        }[seen.header("x-amz-target")]
        at = int(asked.get("NextToken", "token-0").removeprefix("token-"))
        answer = {"Quotas": [
            {"ServiceCode": "bedrock", "ServiceName": "Amazon Bedrock", "QuotaCode": code, "QuotaName": name,
             "Value": value, "Unit": "None", "Adjustable": False, "GlobalQuota": False}
            for code, name, value in everything[at:at + self.page]
        ]}
        if at + self.page < len(everything):
            answer["NextToken"] = f"token-{at + self.page}"
        return json_answer(json.dumps(answer))

    def asked(self):
        return [(seen.header("x-amz-target").rsplit(".", 1)[1], json.loads(seen.body).get("NextToken"))
                for seen in self.recorder.seen]


@pytest.fixture
def quotas():
    server = ServiceQuotas()
    yield server
    server.held.set()
    server.recorder.stop()


def config(recorder, quotas, provider="", more="", url=None):
    """Calls go to the recorder, questions about quotas to their server."""
    section = recorder_config(recorder, provider=f'quota = {{ from = "service-quotas" }}\n{provider}')
    return section.replace(" }\nrequest_meta", f', service_quotas = "{url or quotas.url}" }}\nrequest_meta') + more


def until(what, met, seconds=30):
    end = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.05)
    return found


def limits(gateway):
    return gateway.cli_json("limits")


def told(gateway):
    """How it stands with Service Quotas, once that has answered or failed."""
    return until("a first answer", lambda: limits(gateway)["quotas"])[0]


def lane(gateway, name=NOVA):
    return next(lane for lane in limits(gateway)["lanes"] if lane["name"] == name)


def converse(gateway, model=NOVA):
    return gateway.client().converse(modelId=model, messages=[{"role": "user", "content": [{"text": "hello"}]}],
                                     inferenceConfig={"maxTokens": 10})


def test_calls_are_paced_by_what_service_quotas_says(start, recorder, quotas):
    quotas.applied = [
        ("L-1", CROSS.format("requests", "Amazon Nova Lite"), 2.0),
        ("L-2", "On-demand model inference requests per minute for Amazon Nova Lite", 2000.0),
        ("L-3", CROSS.format("requests", "Amazon Nova Pro"), 250.0),
        ("L-4", "Sum of training and validation records for a Claude 3 Haiku v1 Fine-tuning job", 10_000.0),
        ("L-5", "Global cross-region model inference tokens per minute for Anthropic Claude Haiku 4.5", 5_000_000.0),
    ]
    quotas.defaults = [
        # what is applied stands over the default of its code
        ("L-1", CROSS.format("requests", "Amazon Nova Lite"), 4000.0),
        ("L-6", CROSS.format("tokens", "Amazon Nova Lite"), 4_000_000.0),
        ("L-7", CROSS.format("tokens", "Amazon Nova Lite V1 1M Context Length"), 1.0),
    ]
    gateway = start(config(recorder, quotas, more='[pace]\ninteractive = "0s"\n'))
    stand = told(gateway)
    assert (stand["place"], stand["named"], "failing" in stand) == (PLACE, 6, False)
    assert quotas.asked() == [
        ("ListServiceQuotas", None), ("ListServiceQuotas", "token-2"), ("ListServiceQuotas", "token-4"),
        ("ListAWSDefaultServiceQuotas", None), ("ListAWSDefaultServiceQuotas", "token-2"),
    ]
    for seen in quotas.recorder.seen:
        seen.signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET, service="servicequotas")
    converse(gateway)
    converse(gateway)
    with pytest.raises(ClientError) as refused:
        converse(gateway)
    assert refused.value.response["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-code"] == "BP4009"
    assert len(recorder.seen) == 2
    nova = lane(gateway)
    assert (nova["requests"]["limit"], nova["tokens"]["limit"]) == (2, 4_000_000)
    assert nova["origin"] == {"from": "service_quotas", "at": stand["at"]} and stand["at"].startswith("20")
    converse(gateway, HAIKU)
    haiku = lane(gateway, HAIKU)
    assert (haiku["tokens"]["limit"], "requests" in haiku) == (5_000_000, False)
    page = gateway.cli("limits").stdout
    assert "service quotas at 20" in page and f"Service Quotas of {PLACE}: 6 quotas of models at 20" in page


def test_a_model_without_a_quota_is_not_bounded_and_that_is_said_once(start, recorder, quotas):
    quotas.applied = [("L-1", CROSS.format("requests", "Amazon Nova Pro"), 250.0)]
    gateway = start(config(recorder, quotas))
    told(gateway)
    for _ in range(3):
        converse(gateway)
    until("it is said", lambda: "names no quota that is surely" in gateway.log())
    nova = lane(gateway)
    assert (nova["origin"]["from"], "requests" in nova, "tokens" in nova) == ("not_found", False, False)
    assert ": none found" in gateway.cli("limits").stdout
    gateway.signal(signal.SIGHUP)
    until("another answer", lambda: len(quotas.recorder.seen) >= 4)
    converse(gateway)
    assert gateway.log().count("names no quota that is surely") == 1


def test_what_is_configured_stands_over_it(start, recorder, quotas):
    quotas.applied = [
        ("L-1", CROSS.format("requests", "Amazon Nova Lite"), 400.0),
        ("L-2", CROSS.format("tokens", "Amazon Nova Lite"), 200_000.0),
    ]
    own = f'[[provider.quota.model]]\nid = "{NOVA}"\nrpm = 7\n'
    gateway = start(config(recorder, quotas).replace('quota = { from = "service-quotas" }\n', "")
                    + '\n[provider.quota]\nfrom = "service-quotas"\n' + own)
    at = told(gateway)["at"]
    converse(gateway)
    nova = lane(gateway)
    assert (nova["requests"]["limit"], nova["tokens"]["limit"]) == (7, 200_000)
    assert nova["origin"] == {"from": "both", "at": at}


def test_a_server_that_fails_and_comes_back(start, recorder, quotas):
    quotas.failing = ("AccessDeniedException", "not authorized to perform: servicequotas:ListServiceQuotas")
    quotas.applied = [("L-1", CROSS.format("requests", "Amazon Nova Lite"), 400.0)]
    gateway = start(config(recorder, quotas))
    converse(gateway)
    stand = told(gateway)
    said = "ListServiceQuotas answered AccessDeniedException: not authorized to perform: servicequotas:ListServiceQuotas"
    assert (stand.get("at"), stand["failing"]) == (None, said)
    nova = lane(gateway)
    assert (nova["origin"], "requests" in nova) == ({"from": "awaited"}, False)
    until("it is asked again", lambda: len(quotas.recorder.seen) >= 2)
    assert gateway.log().count(said) == 1
    quotas.failing = None
    until("it answers", lambda: "failing" not in told(gateway))
    assert lane(gateway)["requests"]["limit"] == 400
    # and fails again: what it said stays
    quotas.failing = ("TooManyRequestsException", "later")
    at = told(gateway)["at"]
    gateway.signal(signal.SIGHUP)
    stand = until("it fails", lambda: "failing" in (stand := told(gateway)) and stand)
    assert (stand["at"], "TooManyRequestsException: later" in stand["failing"]) == (at, True)
    assert lane(gateway)["requests"]["limit"] == 400
    assert "the last question failed: " in gateway.cli("limits").stdout
    converse(gateway)


def test_nobody_waits_for_it(start, recorder, quotas):
    quotas.held.clear()
    gateway = start(config(recorder, quotas))
    quotas.recorder.wait_for(1)
    assert converse(gateway)["output"]["message"]["content"] == [{"text": "recorded"}]
    assert lane(gateway)["origin"] == {"from": "awaited"}
    quotas.applied = [("L-1", CROSS.format("requests", "Amazon Nova Lite"), 400.0)]
    quotas.held.set()
    until("the answer holds", lambda: "requests" in lane(gateway))


def test_a_reload_that_asks_no_more_forgets_it(start, recorder, quotas):
    quotas.applied = [("L-1", CROSS.format("requests", "Amazon Nova Lite"), 400.0)]
    text = config(recorder, quotas)
    gateway = start(text)
    told(gateway)
    converse(gateway)
    assert lane(gateway)["requests"]["limit"] == 400
    (gateway.project / "bedplate.toml").write_text(text.replace('from = "service-quotas"', 'from = "config", tpm = 9000'))
    until("the reload", lambda: lane(gateway).get("origin") == {"from": "config"})
    nova = lane(gateway)
    assert ("requests" in nova, nova["tokens"]["limit"]) == (False, 9000)
    until("nobody asks", lambda: limits(gateway)["quotas"] == [])


def test_the_credentials_authority_and_proxy_of_the_provider(start, recorder, quotas, tmp_path):
    self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listener = forward(int(quotas.url.rsplit(":", 1)[1]), lambda s: context.wrap_socket(s, server_side=True))
    at = f"127.0.0.1:{listener.getsockname()[1]}"
    keys = tmp_path / "credentials"
    keys.write_text("[quoted]\naws_access_key_id = AKIAPROFILEEXAMPLE0\naws_secret_access_key = profile/secret\n")
    proxy = Proxy(login="gateway:hunter2")
    provider = f'''profile = "quoted"
ca_file = "{tmp_path / "cert.pem"}"
proxy = "{proxy.url}"
proxy_login = {{ env = "PROXY_LOGIN" }}
'''
    quotas.applied = [("L-1", CROSS.format("requests", "Amazon Nova Lite"), 400.0)]
    gateway = start(config(recorder, quotas, provider, url=f"https://{at}"), PROXY_LOGIN="gateway:hunter2",
                    AWS_SHARED_CREDENTIALS_FILE=str(keys), AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    stand = told(gateway)
    assert stand["named"] == 1, stand
    assert proxy.asked and set(proxy.asked) == {f"CONNECT {at} HTTP/1.1"}
    for seen in quotas.recorder.seen:
        seen.signature_holds("AKIAPROFILEEXAMPLE0", "profile/secret", service="servicequotas")
    assert "hunter2" not in gateway.log()
    proxy.listener.close()
    listener.close()


def test_an_authority_that_nobody_vouches_for(start, recorder, quotas, tmp_path):
    self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listener = forward(int(quotas.url.rsplit(":", 1)[1]), lambda s: context.wrap_socket(s, server_side=True))
    gateway = start(config(recorder, quotas, url=f"https://127.0.0.1:{listener.getsockname()[1]}"))
    assert "certificate" in told(gateway)["failing"]
    assert quotas.recorder.seen == []
    listener.close()


@pytest.mark.parametrize("provider, said", [
    ('kind = "sim"', "the simulator has no Service Quotas"),
    ('kind = "bedrock"\nbearer = { env = "KEY" }', "does not take the Bedrock key"),
])
def test_check_refuses_what_cannot_be_asked(tmp_path, provider, said):
    (tmp_path / "bedplate.toml").write_text(
        f'[[provider]]\nname = "a"\n{provider}\nquota = {{ from = "service-quotas" }}\n')
    refused = cli("check", project=tmp_path, ok=2).stderr
    assert said in refused and f"bedplate.toml:{3 + provider.count(chr(10)) + 1}" in refused


def test_doctor_says_which_targets_have_no_quota(recorder, quotas, tmp_path):
    quotas.applied = [("L-1", CROSS.format("requests", "Amazon Nova Lite"), 400.0)]
    alias = '\n[[model]]\nname = "triage"\ntargets = ["recorder/{}"]\n'
    for model, said in [(NOVA, "ok    recorder service quotas      1 quotas of models"),
                        (HAIKU, f"1 quotas of models, and none that is surely of {HAIKU}")]:
        (tmp_path / "bedplate.toml").write_text(config(recorder, quotas, more=alias.format(model)))
        done = cli("doctor", project=tmp_path, ok=None, AWS_ACCESS_KEY_ID=UPSTREAM_KEY, AWS_SECRET_ACCESS_KEY=UPSTREAM_SECRET)
        assert said in done.stdout
    quotas.failing = ("AccessDeniedException", "no")
    done = cli("doctor", project=tmp_path, ok=1, AWS_ACCESS_KEY_ID=UPSTREAM_KEY, AWS_SECRET_ACCESS_KEY=UPSTREAM_SECRET)
    assert "servicequotas:ListAWSDefaultServiceQuotas" in done.stdout
