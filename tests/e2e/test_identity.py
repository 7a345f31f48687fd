"""Who calls: signatures, presigned requests, bearer keys, expiry, disabling, rotation."""

import json
import threading
import time

import pytest
from botocore.exceptions import ClientError

from gateway import NOVA
from signing import presigned, signed

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
BODY = json.dumps({"messages": HELLO}).encode()
TARGET = f"/model/{NOVA.replace(':', '%3A')}/converse"
JSON = {"Content-Type": "application/json"}


def send(gateway, headers, target=TARGET, body=BODY):
    return gateway.raw("POST", target, body, headers)


def sign(gateway, key=None, **how):
    return signed(gateway.data, "POST", TARGET, BODY, key or gateway.ready, JSON, **how)


def refused(reply, status, error, code):
    """A genuine AWS error, with a call id and our code beside it."""
    got_status, headers, body = reply
    assert (got_status, headers.get("x-amzn-errortype"), headers.get("x-bedplate-code")) == (status, error, code), body
    said = json.loads(body)
    assert said["__type"] == error and said["message"]
    assert headers["x-amzn-requestid"] == headers["x-bedplate-call-id"]
    assert headers["content-type"].startswith("application/json")
    return headers["x-bedplate-call-id"]


def test_a_good_signature(recorded):
    gateway, _ = recorded
    assert send(gateway, sign(gateway))[0] == 200


def test_the_first_key_is_kept_in_the_project_for_its_owner_alone(recorded):
    gateway, _ = recorded
    path = gateway.project / ".bedplate" / "first-key.json"
    assert path.stat().st_mode & 0o777 == 0o600
    kept = json.loads(path.read_text())
    assert kept["access_key_id"] == gateway.ready["access_key_id"]


def test_no_credentials(recorded):
    gateway, recorder = recorded
    call = refused(send(gateway, JSON), 403, "MissingAuthenticationTokenException", "BP1001")
    assert recorder.seen == []
    record = gateway.record(call)
    assert record["call"]["ending"] == "refused" and record["attempts"] == []
    assert record["call"]["code"] == "BP1001" and record["call"]["stage"] == "admit"


def test_a_key_that_is_not_ours(recorded):
    gateway, _ = recorded
    key = {"access_key_id": "AKIAZZZZZZZZZZZZZZZZ", "secret_access_key": "x" * 40}
    refused(send(gateway, sign(gateway, key)), 403, "UnrecognizedClientException", "BP1002")


def test_a_wrong_secret(recorded):
    gateway, recorder = recorded
    key = {**gateway.ready, "secret_access_key": "x" * 40}
    call = refused(send(gateway, sign(gateway, key)), 403, "InvalidSignatureException", "BP1003")
    assert recorder.seen == []
    assert gateway.record(call)["call"]["code"] == "BP1003"


@pytest.mark.parametrize("change", ["body", "path", "query", "header", "method", "date", "signature", "scope"])
def test_anything_changed_after_signing_is_found(recorded, change):
    gateway, recorder = recorded
    headers, target, body, method = sign(gateway), TARGET, BODY, "POST"
    authorization = headers["Authorization"]
    if change == "body":
        body = BODY.replace(b"hello", b"hullo")
    elif change == "path":
        target = TARGET.replace("lite", "pro")
    elif change == "query":
        target += "?x=1"
    elif change == "header":
        headers["Content-Type"] = "application/x-other"
    elif change == "method":
        method = "PUT"
    elif change == "date":
        stamp = headers["X-Amz-Date"]
        headers["X-Amz-Date"] = stamp[:-2] + f"{(int(stamp[-2]) + 1) % 10}Z"
    elif change == "signature":
        flipped = "0" if authorization[-1] != "0" else "1"
        headers["Authorization"] = authorization[:-1] + flipped
    else:
        headers["Authorization"] = authorization.replace("/us-east-1/", "/us-west-2/")
    status, answer, _ = gateway.raw(method, target, body, headers)
    assert status in (403, 404), status
    assert answer["x-bedplate-code"] in ("BP1003", "BP1201" if change == "method" else "BP1003")
    assert recorder.seen == []


@pytest.mark.parametrize("age", [240, -240])
def test_a_skew_within_five_minutes_is_fine(recorded, age):
    gateway, _ = recorded
    assert send(gateway, sign(gateway, age=age))[0] == 200


@pytest.mark.parametrize("age", [400, -400, 86_400, 40 * 86_400])
def test_a_skewed_clock_or_a_replayed_old_date(recorded, age):
    gateway, recorder = recorded
    refused(send(gateway, sign(gateway, age=age)), 403, "InvalidSignatureException", "BP1004")
    assert recorder.seen == []


def test_boto3_says_what_is_wrong_with_the_clock(recorded):
    gateway, _ = recorded
    _, _, body = send(gateway, sign(gateway, age=3600))
    message = json.loads(body)["message"].lower()
    assert "expired" in message or "not yet current" in message, message


@pytest.mark.parametrize("authorization", [
    "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00",
    "AWS4-HMAC-SHA512 Credential=a/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00",
    "Basic YTpi", "Negotiate x", "Bearer", "Bearer  ",
])
def test_an_authorization_header_that_cannot_be_read(recorded, authorization):
    gateway, _ = recorded
    status, headers, body = send(gateway, {**JSON, "Authorization": authorization, "X-Amz-Date": "20261122T120000Z"})
    assert status in (400, 403), body
    assert headers["x-bedplate-code"] in ("BP1001", "BP1005", "BP1007"), headers
    assert json.loads(body)["__type"] == headers["x-amzn-errortype"]


def test_a_signature_without_the_host(recorded):
    gateway, _ = recorded
    headers = sign(gateway)
    headers["Authorization"] = headers["Authorization"].replace(";host;", ";")
    assert send(gateway, headers)[0] in (400, 403)


def test_a_presigned_request(recorded):
    gateway, _ = recorded
    # A presigned URL covers an empty body, or UNSIGNED-PAYLOAD, which no Bedrock operation takes.
    target = presigned(gateway.data, "GET", "/foundation-models", b"", gateway.ready)
    assert gateway.raw("GET", target)[0] == 200


@pytest.mark.parametrize("how", [{"age": 400, "expires": 300}, {"age": 10, "expires": 5}, {"age": -400}])
def test_a_presigned_request_out_of_its_time(recorded, how):
    gateway, _ = recorded
    target = presigned(gateway.data, "GET", "/foundation-models", b"", gateway.ready, **how)
    status, headers, _ = gateway.raw("GET", target)
    assert (status, headers["x-bedplate-code"]) == (403, "BP1004")


def test_a_presigned_request_with_another_query(recorded):
    gateway, _ = recorded
    target = presigned(gateway.data, "GET", "/foundation-models?byProvider=amazon", b"", gateway.ready)
    status, headers, _ = gateway.raw("GET", target.replace("byProvider=amazon", "byProvider=meta"))
    assert (status, headers["x-bedplate-code"]) == (403, "BP1003")


def test_a_session_token_does_not_reach_the_upstream(recorded):
    gateway, recorder = recorded
    status, headers, _ = send(gateway, sign(gateway, token="IQoJb3JpZ2luX2VjEXAMPLE"))
    if status == 200:
        assert "IQoJb3JpZ2luX2VjEXAMPLE" not in str(recorder.only().headers)
    else:
        assert (status, headers["x-bedplate-code"]) == (403, "BP1008")


@pytest.mark.parametrize("header, value", [("Authorization", "Bearer {}"), ("x-api-key", "{}")])
def test_a_bearer_key(recorded, header, value):
    gateway, recorder = recorded
    reply = send(gateway, {**JSON, header: value.format(gateway.ready["bearer_token"])})
    assert reply[0] == 200
    assert gateway.ready["bearer_token"] not in str(recorder.only().headers)


@pytest.mark.parametrize("header, value", [
    ("Authorization", "Bearer bedplate-nobodyholdsthiskey"), ("x-api-key", "nobodyholdsthiskey"),
])
def test_a_bearer_key_that_is_not_ours(recorded, header, value):
    gateway, _ = recorded
    refused(send(gateway, {**JSON, header: value}), 403, "AccessDeniedException", "BP1005")


def test_key_create_gives_what_a_caller_needs(recorded):
    gateway, _ = recorded
    key = gateway.new_key()
    assert {"key_id", "access_key_id", "secret_access_key", "bearer_token"} <= set(key)
    assert usable_within(gateway, key)
    call = gateway.client(key=key).converse(modelId=NOVA, messages=HELLO)
    row = gateway.record(call["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"])["call"]
    assert (row["key"], row["team"], row["feature"], row["environment"]) == (
        key["key_id"], "team-a", "feature-a", "test")


def usable_within(gateway, key, seconds=2.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if send(gateway, sign(gateway, key))[0] == 200:
            return True
        time.sleep(0.05)
    return False


def test_a_disabled_key_stops_working_within_a_second(recorded):
    gateway, _ = recorded
    key = gateway.new_key()
    assert usable_within(gateway, key)
    gateway.cli("key", "disable", key["key_id"])
    at = time.monotonic()
    while send(gateway, sign(gateway, key))[0] == 200:
        assert time.monotonic() - at < 1.0, "a disabled key still works after a second"
        time.sleep(0.02)
    refused(send(gateway, sign(gateway, key)), 403, "UnrecognizedClientException", "BP1002")
    refused(send(gateway, {**JSON, "Authorization": f"Bearer {key['bearer_token']}"}), 403,
            "AccessDeniedException", "BP1005")


def test_an_expired_key(recorded):
    gateway, _ = recorded
    key = gateway.new_key("--expires", "2s")
    assert usable_within(gateway, key, 1.8)
    time.sleep(2.2)
    status, headers, body = send(gateway, sign(gateway, key))
    assert (status, headers["x-bedplate-code"]) == (403, "BP1006")
    assert json.loads(body)["__type"] == headers["x-amzn-errortype"]


def test_rotation_overlaps(recorded):
    gateway, _ = recorded
    old = gateway.new_key()
    new = gateway.cli_json("key", "rotate", old["key_id"], "--overlap", "2s")
    assert new["access_key_id"] != old["access_key_id"]
    assert usable_within(gateway, new) and usable_within(gateway, old)
    time.sleep(2.5)
    assert send(gateway, sign(gateway, old))[0] == 403
    assert send(gateway, sign(gateway, new))[0] == 200


def test_a_known_key_can_be_imported(recorded):
    gateway, _ = recorded
    key = {"access_key_id": "AKIAIMPORTEDEXAMPLE2", "secret_access_key": "Imported" * 5}
    gateway.cli("key", "import", "--team", "t", "--access-key-id", key["access_key_id"], "--secret-env", "KNOWN",
                KNOWN=key["secret_access_key"])
    assert usable_within(gateway, key)


def test_a_key_may_be_held_to_some_models(recorded):
    gateway, recorder = recorded
    key = gateway.new_key("--model", "us.amazon.*")
    assert usable_within(gateway, key)
    recorder.clear()
    client = gateway.client(key=key)
    with pytest.raises(client.exceptions.AccessDeniedException) as denied:
        client.converse(modelId="amazon.nova-pro-v1:0", messages=HELLO)
    assert denied.value.response["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-code"] == "BP1101"
    assert recorder.seen == []


def test_the_caller_may_name_a_feature_that_the_key_lists(recorded):
    gateway, _ = recorded
    key = gateway.new_key("--may-name", "search")
    assert usable_within(gateway, key)
    status, headers, _ = send(gateway, {**sign(gateway, key), "x-bedplate-feature": "search"})
    assert status == 200
    assert gateway.record(headers["x-bedplate-call-id"])["call"]["feature"] == "search"
    refused(send(gateway, {**sign(gateway, key), "x-bedplate-feature": "payroll"}), 403, "AccessDeniedException", "BP1102")


def test_key_list_shows_no_secret(recorded):
    gateway, _ = recorded
    key = gateway.new_key()
    for form in ("human", "json"):
        listed = gateway.cli("key", "list", "--format", form).stdout
        assert key["key_id"] in listed
        assert key["secret_access_key"] not in listed and key["bearer_token"] not in listed


def test_no_secret_lies_in_the_project_in_the_clear(recorded):
    gateway, _ = recorded
    key = gateway.new_key()
    assert usable_within(gateway, key)
    for path in gateway.project.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert key["secret_access_key"].encode() not in held, path
            assert key["bearer_token"].encode() not in held, path
            if path.name != "first-key.json":
                assert gateway.ready["secret_access_key"].encode() not in held, path


def test_boto3_does_not_retry_a_refusal_of_identity(recorded):
    gateway, _ = recorded
    client = gateway.client(key={**gateway.ready, "secret_access_key": "x" * 40},
                            retries={"total_max_attempts": 3, "mode": "standard"})
    attempts = []
    client.meta.events.register("before-send", lambda **_: attempts.append(1) and None)
    with pytest.raises(ClientError) as denied:
        client.converse(modelId=NOVA, messages=HELLO)
    assert denied.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert len(attempts) == 1


def test_a_thousand_refusals_do_not_disturb_a_caller(recorded):
    gateway, _ = recorded
    bad = sign(gateway, {**gateway.ready, "secret_access_key": "x" * 40})

    def flood():
        for _ in range(250):
            send(gateway, bad)

    flooders = [threading.Thread(target=flood) for _ in range(4)]
    for flooder in flooders:
        flooder.start()
    slow = []
    while any(f.is_alive() for f in flooders):
        began = time.monotonic()
        assert send(gateway, sign(gateway))[0] == 200
        slow.append(time.monotonic() - began)
    assert sorted(slow)[len(slow) // 2] < 0.5
