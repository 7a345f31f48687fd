"""How bedplate reaches its upstream: credentials, private authorities, proxies, regions."""

import base64
import json
import select
import socket
import ssl
import threading
import time

import pytest

from certificates import self_signed
from gateway import NOVA, UPSTREAM_KEY, UPSTREAM_SECRET, cli, recorder_config
from recorder import Answer, Recorder
from signing import signed

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()


def send(gateway, model=NOVA):
    target = f"/model/{model.replace(':', '%3A').replace('/', '%2F')}/converse"
    headers = signed(gateway.data, "POST", target, BODY, gateway.ready, {"Content-Type": "application/json"})
    return gateway.raw("POST", target, BODY, headers)


def test_the_upstream_may_be_called_with_a_bearer_key(start, recorder):
    gateway = start(recorder_config(recorder, provider='bearer = { env = "UPSTREAM_BEARER" }'),
                    UPSTREAM_BEARER="bedrock-api-key-EXAMPLE")
    assert send(gateway)[0] == 200
    assert recorder.only().header("authorization") == "Bearer bedrock-api-key-EXAMPLE"


def test_the_upstream_may_be_called_by_an_assumed_role(start, recorder):
    sts = Recorder()
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    sts.answer = lambda _seen: Answer(200, [("Content-Type", "text/xml")], [f"""
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/bedplate/s</Arn><AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAASSUMEDEXAMPLE00</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey>
<SessionToken>assumed-token</SessionToken><Expiration>{until}</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>""".encode()])
    gateway = start(recorder_config(recorder, provider='role_arn = "arn:aws:iam::123456789012:role/bedplate"'),
                    AWS_ENDPOINT_URL_STS=sts.url, AWS_REGION="us-east-1")
    assert send(gateway)[0] == 200
    recorder.only().signature_holds("ASIAASSUMEDEXAMPLE00", "assumed-secret", token="assumed-token")
    assert b"role%2Fbedplate" in sts.seen[0].body and UPSTREAM_KEY in sts.seen[0].header("authorization")
    sts.stop()


def test_without_upstream_credentials_the_refusal_says_so(start, recorder):
    gateway = start(recorder_config(recorder), AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    status, headers, _ = send(gateway)
    assert status >= 500 and headers["x-bedplate-code"] == "BP4007"



@pytest.fixture
def over_tls(recorder, tmp_path):
    """The recorder behind TLS with a private authority: gives (url, file of the authority)."""
    self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    port = int(recorder.url.rsplit(":", 1)[1])
    listener = forward(port, lambda s: context.wrap_socket(s, server_side=True))
    yield f"https://127.0.0.1:{listener.getsockname()[1]}", tmp_path / "cert.pem"
    listener.close()


def pump(a, b):
    """Carries bytes both ways until one side ends."""
    try:
        while True:
            pending = [s for s in (a, b) if isinstance(s, ssl.SSLSocket) and s.pending()]
            for s in pending or select.select([a, b], [], [], 30)[0]:
                data = s.recv(65536)
                if not data:
                    return
                (b if s is a else a).sendall(data)
    except OSError:
        return
    finally:
        a.close()
        b.close()


def forward(port, wrap):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=lambda s=s: carry(s), daemon=True).start()

    def carry(s):
        try:
            inner = wrap(s)
        except OSError:
            s.close()
            return
        pump(inner, socket.create_connection(("127.0.0.1", port)))

    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_an_upstream_behind_a_private_authority(start, recorder, over_tls):
    url, ca = over_tls
    gateway = start(recorder_config(recorder, provider=f'ca_file = "{ca}"').replace(recorder.url, url))
    assert send(gateway)[0] == 200
    recorder.only().signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)


def test_an_upstream_whose_authority_is_not_trusted(start, recorder, over_tls):
    url, _ = over_tls
    gateway = start(recorder_config(recorder).replace(recorder.url, url))
    status, headers, _ = send(gateway)
    assert (status, headers["x-bedplate-code"]) == (503, "BP4005")
    assert recorder.seen == []


class Proxy:
    """A proxy that tunnels (CONNECT), and writes down where to; with a login it lets nobody else through."""

    def __init__(self, login=None):
        self.asked, self.login = [], login
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(s,), daemon=True).start()

    def _tunnel(self, s):
        head = b""
        while b"\r\n\r\n" not in head:
            part = s.recv(4096)
            if not part:
                return
            head += part
        self.asked.append(head.split(b"\r\n")[0].decode())
        if self.login is not None:
            basic = b"Proxy-Authorization: Basic " + base64.b64encode(self.login.encode())
            if basic not in head.split(b"\r\n"):
                s.sendall(b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="p"\r\n\r\n')
                s.close()
                return
        host, port = head.split(b" ")[1].decode().rsplit(":", 1)
        s.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pump(s, socket.create_connection((host, int(port))))


@pytest.mark.parametrize("by", ["configuration", "environment"])
def test_an_upstream_behind_a_proxy(start, recorder, over_tls, by):
    url, ca = over_tls
    proxy = Proxy()
    provider = f'ca_file = "{ca}"\n' + (f'proxy = "{proxy.url}"' if by == "configuration" else "")
    environment = {"HTTPS_PROXY": proxy.url} if by == "environment" else {}
    gateway = start(recorder_config(recorder, provider=provider).replace(recorder.url, url), **environment)
    assert send(gateway)[0] == 200
    assert proxy.asked == [f"CONNECT {url.removeprefix('https://')} HTTP/1.1"]
    proxy.listener.close()


@pytest.mark.parametrize("by", ["configuration", "environment"])
def test_a_proxy_that_asks_for_a_login(start, recorder, over_tls, by, tmp_path):
    url, ca = over_tls
    proxy = Proxy(login="gate way:hunter2@%/")
    with_login = proxy.url.replace("http://", "http://gate%20way:hunter2%40%25%2F@")
    if by == "configuration":
        provider = f'ca_file = "{ca}"\nproxy = "{proxy.url}"\nproxy_login = {{ env = "PROXY_LOGIN" }}'
        environment = {"PROXY_LOGIN": "gate way:hunter2@%/"}
    else:
        provider, environment = f'ca_file = "{ca}"', {"HTTPS_PROXY": with_login}
    gateway = start(recorder_config(recorder, provider=provider).replace(recorder.url, url), **environment,
                    BEDPLATE_LOG="debug")
    assert send(gateway)[0] == 200
    recorder.only().signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)
    assert recorder.only().header("proxy-authorization") is None, "the login is the proxy's alone"
    proxy.login = "another:login"
    port = int(url.rsplit(":", 1)[1])
    second = start(recorder_config(recorder, provider=provider).replace(recorder.url, f"https://localhost:{port}"),
                   **environment, BEDPLATE_LOG="debug")
    status, headers, body = send(second)
    assert (status, headers["x-bedplate-code"]) == (503, "BP4005")
    record = second.record(headers["x-bedplate-call-id"])
    assert "407" in json.dumps(record) + second.log()
    for said in (gateway.log(), second.log(), body.decode(), json.dumps(record)):
        assert "hunter2" not in said and base64.b64encode(b"gate way:hunter2@%/").decode() not in said
    proxy.listener.close()


def test_a_proxy_login_has_no_place_in_the_file(recorder, tmp_path):
    (tmp_path / "bedplate.toml").write_text(
        recorder_config(recorder, provider='proxy = "http://user:hunter2@proxy.example:3128"'))
    done = cli("check", project=tmp_path, ok=None)
    assert done.returncode != 0 and "proxy_login" in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_an_arn_goes_to_the_provider_of_its_region_and_account(start, recorder):
    other = Recorder()
    second = f"""
[[provider]]
name = "second"
kind = "bedrock"
region = "eu-west-1"
account = "210987654321"
endpoints = {{ runtime = "{other.url}", control = "{other.url}" }}
"""
    gateway = start(recorder_config(recorder) + second)
    arn = "arn:aws:bedrock:eu-west-1:210987654321:application-inference-profile/abcdefghij12"
    assert send(gateway, arn)[0] == 200
    other.only().signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET, region="eu-west-1")
    assert recorder.seen == []
    assert send(gateway, NOVA)[0] == 200
    assert len(recorder.seen) == 1
    other.stop()


def test_a_base_path_in_an_endpoint_is_kept(start, recorder):
    gateway = start(recorder_config(recorder).replace(f'runtime = "{recorder.url}"', f'runtime = "{recorder.url}/rt"'))
    assert send(gateway)[0] == 200
    assert recorder.only().target == f"/rt/model/{NOVA.replace(':', '%3A')}/converse"
    recorder.only().signature_holds(UPSTREAM_KEY, UPSTREAM_SECRET)
