"""Signed requests, made with botocore's own signer."""

import datetime
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def signed(base, method, target, body, key, headers=None, age=0, token=None, region="us-east-1"):
    """The headers to send: `age` is how many seconds ago the signature was made."""
    to = urlsplit(base)
    request = AWSRequest(method, f"{base.rstrip('/')}{target}", data=body, headers=dict(headers or {}))
    request.headers["Host"] = to.netloc
    with _clock(age):
        SigV4Auth(_credentials(key, token), "bedrock", region).add_auth(request)
    return dict(request.headers.items())


def presigned(base, method, target, body, key, headers=None, age=0, expires=300):
    """The target, with the signature in its query."""
    request = AWSRequest(method, f"{base.rstrip('/')}{target}", data=body, headers=dict(headers or {}))
    with _clock(age):
        SigV4QueryAuth(_credentials(key, None), "bedrock", "us-east-1", expires=expires).add_auth(request)
    to = urlsplit(request.url)
    return f"{to.path}?{to.query}"


def _credentials(key, token):
    return Credentials(key["access_key_id"], key["secret_access_key"], token)


def _clock(age):
    then = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - datetime.timedelta(seconds=age)
    return mock.patch("botocore.auth.get_current_datetime", lambda *_a, **_k: then)
