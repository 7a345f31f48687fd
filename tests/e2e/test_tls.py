"""TLS, HTTP/2, and clients that are not AWS SDKs."""

import json
import os
import socket
import ssl
import subprocess
import time
from urllib.parse import urlsplit

import pytest

from certificates import self_signed
from gateway import NOVA, clean_environment
from signing import signed

TARGET = f"/model/{NOVA.replace(':', '%3A')}/converse"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
SELF_SIGNED = '[listen.tls]\nmode = "self-signed"\n'


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    from gateway import Gateway, recorder_config
    from recorder import Recorder

    upstream = Recorder()
    with Gateway(tmp_path_factory.mktemp("tls"), recorder_config(upstream, extra=SELF_SIGNED)) as gateway:
        yield gateway, upstream
    upstream.stop()


def test_self_signed_tls_comes_with_a_ca_file(secured):
    gateway, _ = secured
    assert gateway.data.startswith("https://")
    assert os.path.exists(gateway.ready["ca_file"])


def test_boto3_over_tls(secured):
    gateway, _ = secured
    reply = gateway.client().converse(modelId=NOVA, messages=json.loads(BODY)["messages"])
    assert reply["output"]["message"]["content"][0]["text"] == "recorded"


def test_boto3_with_a_bearer_key_by_environment_alone(secured):
    gateway, upstream = secured
    upstream.clear()
    program = f"""
import boto3
reply = boto3.client("bedrock-runtime").converse(
    modelId="{NOVA}", messages=[{{"role": "user", "content": [{{"text": "hello"}}]}}])
print(reply["output"]["message"]["content"][0]["text"])
"""
    done = subprocess.run(
        [os.environ.get("BEDPLATE_TEST_PYTHON", "python3"), "-c", program], capture_output=True, text=True, timeout=60,
        env=clean_environment(
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME=gateway.data, AWS_CA_BUNDLE=gateway.ready["ca_file"],
            AWS_BEARER_TOKEN_BEDROCK=gateway.ready["bearer_token"], AWS_DEFAULT_REGION="us-east-1"))
    assert done.stdout.strip() == "recorded", done.stderr
    assert upstream.only().header("authorization").startswith("AWS4-HMAC-SHA256")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl_with_a_bearer_key(secured, version):
    gateway, _ = secured
    done = subprocess.run(
        ["curl", "-sS", version, "--cacert", gateway.ready["ca_file"], "-w", "\n%{http_code} %{http_version}",
         "-H", f"Authorization: Bearer {gateway.ready['bearer_token']}", "-H", "Content-Type: application/json",
         "--data-binary", "@-", f"{gateway.data.rstrip('/')}{TARGET}"],
        input=BODY, capture_output=True, timeout=30)
    body, _, status = done.stdout.decode().rpartition("\n")
    assert status == ("200 1.1" if version == "--http1.1" else "200 2"), done
    assert json.loads(body)["stopReason"] == "end_turn"


def test_a_client_that_does_not_trust_the_ca_does_not_connect(secured):
    gateway, _ = secured
    to = urlsplit(gateway.data)
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection((to.hostname, to.port)) as s:
        ssl.create_default_context().wrap_socket(s, server_hostname=to.hostname)


def test_the_control_listener_is_secured_too(secured):
    gateway, _ = secured
    assert gateway.control.startswith("https://")
    assert gateway.get_control("/livez")[0] == 200


def test_old_protocols_are_refused(secured):
    gateway, _ = secured
    to = urlsplit(gateway.data)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError), socket.create_connection((to.hostname, to.port)) as s:
        context.wrap_socket(s)


def served_serial(gateway):
    from cryptography import x509

    to = urlsplit(gateway.data)
    pem = ssl.get_server_certificate((to.hostname, to.port))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_certificate_files_are_read_again_without_a_restart(start, recorder, tmp_path):
    from gateway import recorder_config

    first = self_signed(tmp_path)
    tls = f'[listen.tls]\nmode = "files"\ncertificate = "{tmp_path}/cert.pem"\nkey = "{tmp_path}/key.pem"\n'
    gateway = start(recorder_config(recorder, extra=tls))
    assert served_serial(gateway) == first
    second = self_signed(tmp_path)
    until = time.monotonic() + 10
    while served_serial(gateway) != second:
        assert time.monotonic() < until, "the new certificate is not served"
        time.sleep(0.2)


def test_h2_with_prior_knowledge_over_plain_http(recorded):
    """As the JavaScript SDK speaks it: no host header, `:authority` signed in its place."""
    import h2.connection
    import h2.events

    gateway, recorder = recorded
    to = urlsplit(gateway.data)
    headers = signed(gateway.data, "POST", TARGET, BODY, gateway.ready, {"Content-Type": "application/json"})
    host = headers.pop("Host")
    with socket.create_connection((to.hostname, to.port), timeout=10) as s:
        h2c = h2.connection.H2Connection()
        h2c.initiate_connection()
        streams = []
        for _ in range(5):  # several at once on one connection
            stream = h2c.get_next_available_stream_id()
            h2c.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", TARGET), (":authority", host),
                                      *((n.lower(), v) for n, v in headers.items())])
            h2c.send_data(stream, BODY, end_stream=True)
            streams.append(stream)
        s.sendall(h2c.data_to_send())
        got, ended = {n: b"" for n in streams}, set()
        status = {}
        while ended != set(streams):
            for event in h2c.receive_data(s.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    status[event.stream_id] = dict(event.headers)[b":status"]
                elif isinstance(event, h2.events.DataReceived):
                    got[event.stream_id] += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
            s.sendall(h2c.data_to_send())
    assert set(status.values()) == {b"200"}, got
    assert set(got.values()) == {recorder.CONVERSE}
