"""One signed request from Python, apart from the load client: it checks that a gateway answers."""

import hashlib
import hmac
import http.client
import ssl
import time
from urllib.parse import urlsplit

BODY = b'{"messages":[{"role":"user","content":[{"text":"Are you there?"}]}]}'


def signed_post(url, path, keys, ca=None, body=BODY):
    """Status and body. `keys` is the access key id and the secret."""
    to = urlsplit(url)
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{date[:8]}/us-east-1/bedrock/aws4_request"
    names = "content-type;host;x-amz-date"
    canonical = "\n".join([
        "POST", path.replace("%", "%25"), "", "content-type:application/json", f"host:{to.netloc}", f"x-amz-date:{date}", "",
        names, hashlib.sha256(body).hexdigest(),
    ])
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + keys[1].encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers = {
        "Content-Type": "application/json", "X-Amz-Date": date,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={keys[0]}/{scope}, SignedHeaders={names}, Signature={signature}",
    }
    if to.scheme == "https":
        connection = http.client.HTTPSConnection(to.hostname, to.port, timeout=10, context=ssl.create_default_context(cafile=ca))
    else:
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=10)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
