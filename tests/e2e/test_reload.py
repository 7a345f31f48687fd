"""What changes under a running gateway: its file, the files that it names, certificates, credentials."""

import http.client
import json
import os
import shutil
import signal
import ssl
import threading
import time
from urllib.parse import urlsplit

import pytest

from certificates import self_signed
from gateway import NOVA, recorder_config
from recorder import Answer, Recorder, json_answer
from signing import signed
from test_lifecycle import BODY, TARGET, send
from test_upstream import over_tls  # noqa: F401

UP = ("bedplate_config_last_reload_successful", frozenset())
FAILURES = ("bedplate_config_reload_failures_total", frozenset())
#: Before anything here was made.
LONG_AGO = 1_000_000_000
ROLE = "arn:aws:iam::123456789012:role/nobodys"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def wait_until(true, seconds=10):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def replace(path, text):
    """Puts a file in the place of another, older than that was, as `cp -p` and `mv` do."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.utime(new, (LONG_AGO, LONG_AGO))
    os.replace(new, path)


def parts(gateway):
    """What /readyz says: (status, {part: what is said of it})."""
    status, _, body = gateway.get_control("/readyz")
    return status, {part["name"]: part for part in json.loads(body)["parts"]}


# ---- files that the configuration names ----

def prices(dollars):
    return f'[models."{NOVA}"]\nprice = {{ input = {dollars}, output = {dollars} }}\n'


PRICED = '[prices]\noverrides = "prices.toml"\n'


@pytest.mark.parametrize("by", ["file", "signal"])
def test_changed_prices_are_taken_up_and_said(start, recorder, project, by):
    def priced():
        record = gateway.record(send(gateway)[1]["x-bedplate-call-id"])
        return record["call"]["cost"]["nanos"], record["attempts"][0]["price_version"]

    (project / "prices.toml").write_text(prices(1))
    gateway = start(recorder_config(recorder, extra=PRICED), project=project)
    before, version = priced()
    assert before > 0
    replace(project / "prices.toml", prices(3))
    if by == "signal":
        gateway.signal(signal.SIGHUP)
    wait_until(lambda: priced()[0] == 3 * before)
    other = priced()[1]
    assert version.startswith("2026-11-22+overrides.") and other.startswith("2026-11-22+overrides.")
    assert version != other


def test_a_changed_secret_file_is_taken_up(start, recorder, project):
    (project / "bearer").write_text("bedrock-api-key-ONE\n")
    gateway = start(recorder_config(recorder, provider='bearer = { file = "bearer" }'), project=project)
    assert send(gateway)[0] == 200
    assert recorder.only().header("authorization") == "Bearer bedrock-api-key-ONE"
    replace(project / "bearer", "bedrock-api-key-TWO\n")

    def sent():
        assert send(gateway)[0] == 200
        return recorder.seen[-1].header("authorization")

    wait_until(lambda: sent() == "Bearer bedrock-api-key-TWO")


def test_a_changed_file_of_authorities_is_taken_up(start, recorder, project, over_tls):  # noqa: F811
    url, right = over_tls
    other = project / "other"
    other.mkdir()
    self_signed(other)
    shutil.copy(other / "cert.pem", project / "ca.pem")
    gateway = start(recorder_config(recorder, provider='ca_file = "ca.pem"').replace(recorder.url, url), project=project)
    assert send(gateway)[1]["x-bedplate-code"] == "BP4005"
    replace(project / "ca.pem", right.read_text())
    wait_until(lambda: send(gateway)[0] == 200)


def test_a_file_that_comes_late_is_noticed(start, recorder, project):
    """It was named before it was there: the configuration is bad until it comes, and then taken up."""
    gateway = start(recorder_config(recorder), project=project)
    config = recorder_config(recorder, extra=PRICED + '[operations]\nallow = ["StartAsyncInvoke"]\n')
    (project / "bedplate.toml").write_text(config)
    wait_until(lambda: gateway.metrics()[UP] == 0)
    assert send(gateway, "/async-invoke")[0] == 403
    replace(project / "prices.toml", prices(1))
    wait_until(lambda: gateway.metrics()[UP] == 1)
    assert send(gateway, "/async-invoke")[0] == 200


# ---- reloads that fail ----

@pytest.mark.parametrize("wrong", ["prices.toml", "ca.pem"])
def test_a_reload_that_fails_half_way_changes_nothing(start, recorder, project, wrong):
    """The first provider is good, something else is not: nothing is taken up, and readiness speaks of the old one."""
    self_signed(project)
    good = {"prices.toml": prices(1), "ca.pem": (project / "cert.pem").read_text()}
    for name, text in good.items():
        (project / name).write_text(text)
    gateway = start(recorder_config(recorder, extra=PRICED), project=project)
    assert gateway.metrics()[UP] == 1 and gateway.metrics()[FAILURES] == 0
    other = Recorder()
    more = '[[provider]]\nname = "last"\nkind = "bedrock"\nca_file = "ca.pem"\n'
    replace(project / wrong, "this is neither prices nor a certificate")
    config = recorder_config(other, extra=PRICED, provider=more).replace('"recorder"', '"other"')
    replace(project / "bedplate.toml", config)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.metrics()[UP] == 0)
    assert gateway.metrics()[FAILURES] >= 1
    assert "the configuration stays as it was" in gateway.log() and wrong in gateway.log()
    status, said = parts(gateway)
    assert status == 200 and "credentials recorder" in said and "credentials other" not in said
    assert send(gateway)[0] == 200 and len(recorder.seen) == 1 and other.seen == []
    # That file alone is corrected, and all of it is taken up.
    replace(project / wrong, good[wrong])
    wait_until(lambda: gateway.metrics()[UP] == 1)
    assert "credentials other" in parts(gateway)[1] and "credentials last" in parts(gateway)[1]
    assert send(gateway)[0] == 200 and len(other.seen) == 1
    other.stop()


def test_a_file_that_is_gone_does_not_turn_the_gateway_to_the_simulator(start, recorder, project):
    gateway = start(recorder_config(recorder), project=project)
    (project / "bedplate.toml").unlink()
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.metrics()[UP] == 0)
    assert "is gone" in gateway.log()
    assert send(gateway)[0] == 200 and len(recorder.seen) == 1


def test_a_provider_does_not_lose_its_credentials_to_a_reload(start, recorder, project):
    sts = Recorder()
    sts.answer = lambda _seen: Answer(403, [], [b"no"])
    gateway = start(recorder_config(recorder), project=project, AWS_ENDPOINT_URL_STS=sts.url)
    assert send(gateway)[0] == 200
    replace(project / "bedplate.toml", recorder_config(recorder, provider=f'role_arn = "{ROLE}"'))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.metrics()[UP] == 0)
    assert "would lose its AWS credentials" in gateway.log()
    assert parts(gateway)[0] == 200 and send(gateway)[0] == 200
    sts.stop()


def test_what_the_command_line_said_outlives_a_reload(start, project):
    gateway = start(None, "--aws", project=project, AWS_REGION="us-east-1")
    wait_until(lambda: parts(gateway)[0] == 200)
    assert "credentials aws" in parts(gateway)[1]
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "has been taken up" in gateway.log())
    assert "credentials aws" in parts(gateway)[1], "not the simulator"
    assert "[listen]" not in gateway.log(), "nothing changed there"


def test_reloads_wait_for_each_other(start, recorder, project):
    """A reload that takes long is not overtaken: what stands in the file last is what is in force."""
    asked, go_on = threading.Event(), threading.Event()

    def held(_seen):
        asked.set()
        go_on.wait(20)
        return Answer(403, [], [b"no"])

    sts = Recorder()
    sts.answer = held
    gateway = start(recorder_config(recorder), project=project, AWS_ENDPOINT_URL_STS=sts.url)
    wait_until(lambda: parts(gateway)[0] == 200)
    replace(project / "bedplate.toml", recorder_config(recorder, provider=f'role_arn = "{ROLE}"'))
    gateway.signal(signal.SIGHUP)
    assert asked.wait(10)
    last = recorder_config(recorder, extra='[operations]\nallow = ["StartAsyncInvoke"]\n')
    replace(project / "bedplate.toml", last)
    # Whoever does not wait has taken up the last one by now, and the slow one after it.
    time.sleep(3)
    go_on.set()
    wait_until(lambda: send(gateway, "/async-invoke")[0] == 200, 15)
    failed, taken = gateway.log().index("would lose"), gateway.log().index("has been taken up")
    assert failed < taken, "the slow reload came to its end first"
    sts.stop()


# ---- AWS credentials ----

class Vendor(Recorder):
    """A container's credential service: gives what it has, or fails."""

    KEY, SECRET = "ASIACONTAINEREXAMPLE", "container-secret"

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
        self.answer = lambda _seen: self.pair()

    def pair(self):
        if self.seconds is None:
            return Answer(500, [], [b"broken"])
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.seconds))
        return json_answer(json.dumps({"AccessKeyId": self.KEY, "SecretAccessKey": self.SECRET,
                                       "Token": "container-token", "Expiration": until}))

    def environment(self):
        return {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials"}


def test_good_credentials_are_used_while_renewal_fails(start, recorder):
    vendor = Vendor(3600)
    gateway = start(recorder_config(recorder), **vendor.environment())
    assert send(gateway)[0] == 200
    vendor.seconds = None
    gateway.signal(signal.SIGHUP)  # which looks for newer ones, too
    wait_until(lambda: parts(gateway)[1]["credentials recorder"]["state"] == "failing", 30)
    status, said = parts(gateway)
    assert status == 200, "calls are served"
    assert "are used until" in said["credentials recorder"]["reason"]
    assert send(gateway)[0] == 200
    recorder.seen[-1].signature_holds(vendor.KEY, vendor.SECRET, token="container-token")
    vendor.stop()


def test_a_rotated_profile_is_noticed(start, recorder, project):
    def profile(key):
        return f"[default]\naws_access_key_id = {key}\naws_secret_access_key = profile-secret\n"

    def signer():
        assert send(gateway)[0] == 200
        return recorder.seen[-1].header("authorization").split("Credential=")[1].split("/")[0]

    (project / "aws").write_text(profile("AKIAPROFILEEXAMPLE01"))
    gateway = start(recorder_config(recorder), project=project, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
                    AWS_SHARED_CREDENTIALS_FILE=str(project / "aws"))
    assert signer() == "AKIAPROFILEEXAMPLE01"
    replace(project / "aws", profile("AKIAPROFILEEXAMPLE02"))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: signer() == "AKIAPROFILEEXAMPLE02")


def test_expired_credentials_are_not_used(start, recorder):
    vendor = Vendor(4)
    gateway = start(recorder_config(recorder), **vendor.environment())
    wait_until(lambda: vendor.seen)
    vendor.seconds = None
    wait_until(lambda: "expired" in parts(gateway)[1]["credentials recorder"].get("reason", ""), 60)
    status, said = parts(gateway)
    assert status == 503 and said["credentials recorder"]["since"]
    sent = len(recorder.seen)
    status, headers, _ = send(gateway)
    assert (status, headers["x-bedplate-code"]) == (503, "BP4007")
    assert headers["x-amzn-errortype"] == "ServiceUnavailableException"
    assert len(recorder.seen) == sent, "nothing was sent"
    vendor.seconds = 3600
    wait_until(lambda: parts(gateway)[0] == 200, 60)
    assert send(gateway)[0] == 200
    vendor.stop()


# ---- certificates ----

def call(connection, gateway):
    headers = signed(gateway.data, "POST", TARGET, BODY, gateway.ready, {"Content-Type": "application/json"})
    connection.request("POST", TARGET, BODY, headers)
    reply = connection.getresponse()
    reply.read()
    return reply.status


def connect(gateway):
    to = urlsplit(gateway.data)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(to.hostname, to.port, timeout=30, context=context)
    connection.connect()
    return connection


def serial(connection):
    from cryptography import x509

    return x509.load_der_x509_certificate(connection.sock.getpeercert(binary_form=True)).serial_number


def served(gateway):
    connection = connect(gateway)
    try:
        return serial(connection)
    finally:
        connection.close()


def test_a_turned_link_is_a_new_certificate_within_ten_seconds(start, recorder, project):
    """As Kubernetes mounts secrets: a link to a folder, turned to another; here one of the same times."""
    serials = {}
    for name in ("first", "second"):
        (project / name).mkdir()
        serials[name] = self_signed(project / name)
        for file in (project / name).iterdir():
            os.utime(file, (LONG_AGO, LONG_AGO))
    (project / "tls").symlink_to("first")
    tls = '[listen.tls]\nmode = "files"\ncertificate = "tls/cert.pem"\nkey = "tls/key.pem"\n'
    gateway = start(recorder_config(recorder, extra=tls), project=project)
    old = connect(gateway)
    assert serial(old) == serials["first"] and call(old, gateway) == 200
    socket = old.sock

    (project / "turned").symlink_to("second")
    os.replace(project / "turned", project / "tls")
    wait_until(lambda: served(gateway) == serials["second"], 10)

    assert call(old, gateway) == 200 and old.sock is socket, "the old connection lives on"
    assert serial(old) == serials["first"]
    new = connect(gateway)
    assert serial(new) == serials["second"] and call(new, gateway) == 200
    old.close(), new.close()


def test_a_bad_certificate_changes_nothing_and_is_said(start, recorder, project):
    first = self_signed(project)
    tls = '[listen.tls]\nmode = "files"\ncertificate = "cert.pem"\nkey = "key.pem"\n'
    gateway = start(recorder_config(recorder, extra=tls), project=project)

    def up():
        # Nobody vouches for this certificate.
        to = urlsplit(gateway.control)
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(to.hostname, to.port, timeout=30, context=context)
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
        connection.close()
        return page.split("\nbedplate_certificate_last_reload_successful ")[1].split("\n")[0]

    assert up() == "1"
    replace(project / "key.pem", "no key")
    wait_until(lambda: up() == "0")
    assert "the certificate stays as it was" in gateway.log()
    assert served(gateway) == first
    second = self_signed(project)
    wait_until(lambda: up() == "1")
    assert served(gateway) == second
