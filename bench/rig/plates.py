"""What is measured: no gateway, nginx, a bare hyper proxy, bedplate; and the upstreams behind them."""

import json
import os
import shutil
import subprocess
import time

from .call import signed_post
from .machine import GATEWAY_CORE, LOAD_CORE, Process, free_port, need, wait_port

MODEL = "anthropic.claude-3-5-sonnet-20240620-v1%3A0"
CONVERSE = f"/model/{MODEL}/converse"
STREAM = f"/model/{MODEL}/converse-stream"
NEEDLE = "constant-answer"
# 600 bytes, as a short chat answer
TEXT = (
    f"{NEEDLE}: an upstream that always says the same thing at once is the right one to measure a gateway with, as all "
    "the time that passes is then spent in the gateway; this text is here to give the answer the length that a short "
    "reply to a customer has, which is near six hundred bytes with the members around it, and it says nothing else, so "
    "look for no more in it than that: there is none at all in it to be found"
)
ANSWER = json.dumps(
    {
        "metrics": {"latencyMs": 123},
        "output": {"message": {"content": [{"text": TEXT}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 25, "outputTokens": 60, "totalTokens": 85},
    },
    separators=(",", ":"),
)
MADE_UP = ("AKIABENCHBENCHBENCH1", "bench-bench-bench-bench-bench-bench-benc")


class Tools:
    """Programs, and a certificate for the rows with TLS."""

    def __init__(self, folder, built, bedplate):
        self.folder, self.built, self.bedplate = folder, built, bedplate
        self.nginx = need("nginx", "nginx-light")
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(
            [need("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1,DNS:bench.test", "-addext",
             "basicConstraints=critical,CA:FALSE", "-keyout", str(self.key), "-out", str(self.certificate)],
            check=True, capture_output=True,
        )

    def tls(self):
        return f"ssl_certificate {self.certificate}; ssl_certificate_key {self.key}; ssl_session_tickets off;"


def nginx(tools, name, http, core, port):
    folder = tools.folder / name
    folder.mkdir(exist_ok=True)
    conf = folder / "nginx.conf"
    paths = " ".join(f"{k}_temp_path {folder}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf.write_text(
        f"worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log error;\n"
        f"events {{ worker_connections 16384; multi_accept on; }}\n"
        f"http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; tcp_nodelay on;\n"
        f"{paths} default_type application/json;\n{http}\n}}\n"
    )
    process = Process(name, [tools.nginx, "-p", folder, "-c", conf], core, tools.folder)
    wait_port(port, process)
    return process


class Upstream:
    """nginx with one constant answer."""

    def __init__(self, tools, tls=False):
        self.port = free_port()
        ssl, certificates = ("ssl", tools.tls()) if tls else ("", "")
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.process = nginx(
            tools, "upstream-tls" if tls else "upstream",
            f"server {{ listen 127.0.0.1:{self.port} {ssl} backlog=4096; {certificates}\n"
            "add_header x-amzn-requestid 00000000-0000-4000-8000-000000000000;\n"
            f"location ~ /converse$ {{ return 200 '{ANSWER}'; }}\n"
            "location / { return 404 '{}'; } }",
            LOAD_CORE, self.port,
        )

    def stop(self):
        self.process.stop()


class Streamer:
    """The upstream that streams."""

    def __init__(self, tools, chunks, delay_us, port=None):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        argv = [tools.built / "upstream", "--listen", f"127.0.0.1:{self.port}", "--chunks", chunks, "--delay-us", delay_us]
        self.process = Process("streamer", argv, LOAD_CORE, tools.folder)
        wait_port(self.port, self.process)

    def stop(self):
        self.process.stop()


class Direct:
    """No gateway: the rig's own time."""

    name, what = "direct", "no gateway"

    def __init__(self, tools, upstream):
        self.url, self.process, self.ca, self.keys = upstream.url, None, None, MADE_UP
        if upstream.url.startswith("https"):
            self.ca = tools.certificate
        self.cold_ms = self.ready_ms = None

    def pids(self):
        return []

    def env(self):
        return {"BENCH_ACCESS_KEY_ID": self.keys[0], "BENCH_SECRET_ACCESS_KEY": self.keys[1]}

    def stop(self):
        if self.process:
            self.process.stop()

    def first_answer(self, seconds=30):
        """Calls until an answer is right; gives milliseconds since the start of the process."""
        while time.monotonic() - self.process.began < seconds and self.process.alive():
            try:
                status, body = signed_post(self.url, CONVERSE, self.keys, self.ca)
                if status == 200 and b'"usage"' in body:
                    return (time.monotonic() - self.process.began) * 1e3
            except OSError:
                pass
            time.sleep(0.002)
        raise SystemExit(f"bench: {self.name} gives no right answer\n{self.process.tail()}")


class Nginx(Direct):
    name, what = "nginx", "proxy_pass"

    def __init__(self, tools, upstream):
        super().__init__(tools, upstream)
        port, tls = free_port(), upstream.url.startswith("https")
        trust = f"proxy_ssl_trusted_certificate {tools.certificate}; proxy_ssl_verify on; proxy_ssl_name bench.test;"
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        self.process = nginx(
            tools, "nginx-tls" if tls else "nginx",
            f"upstream u {{ server 127.0.0.1:{upstream.port}; keepalive 1024; keepalive_requests 1000000000; }}\n"
            f"server {{ listen 127.0.0.1:{port} {'ssl' if tls else ''} backlog=4096; {tools.tls() if tls else ''}\n"
            f"{trust if tls else ''}\n"
            f"proxy_http_version 1.1; proxy_set_header Connection '';\n"
            f"location / {{ proxy_pass http{'s' if tls else ''}://u; }}\n"
            f"location ~ /converse-stream$ {{ proxy_pass http://u; proxy_buffering off; }} }}",
            GATEWAY_CORE, port,
        )
        self.cold_ms = self.ready_ms = self.first_answer()

    def pids(self):
        return self.process.pids()


class Bare(Nginx):
    name, what = "bare hyper", "the 60 lines of bench/src/bin/bare.rs"

    def __init__(self, tools, upstream):
        Direct.__init__(self, tools, upstream)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        argv = [tools.built / "bare", "--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{upstream.port}"]
        self.process = Process("bare", argv, GATEWAY_CORE, tools.folder)
        self.cold_ms = self.ready_ms = self.first_answer()


CONFIG = """\
[log]
calls = {{ file = "calls.log" }}

[[provider]]
name = "up"
kind = "bedrock"
region = "us-east-1"
endpoints = {{ runtime = "{url}" }}
request_metadata = true
{more}
"""
# for ten thousand open streams: the defaults are 1024 connections to a host and 10,000 calls in flight
ROOMY = "connections = 16384\n\n[store]\nqueue = 65536\n"


class Bedplate(Nginx):
    """bedplate with a signature verified inbound, another made outbound, ledger, call log and metrics."""

    name, what = "bedplate", "SigV4 in and out, ledger, call log, metrics, requestMetadata"

    def __init__(self, tools, upstream, project=None, roomy=False, more=""):
        Direct.__init__(self, tools, upstream)
        self.tools, tls = tools, upstream.url.startswith("https")
        self.project = project or tools.folder / f"project-{time.monotonic_ns()}"
        if not self.project.exists():
            self.project.mkdir()
            provider = f'ca_file = "{tools.certificate}"\n' if tls else ""
            listen = f'[listen.tls]\nmode = "files"\ncertificate = "{tools.certificate}"\nkey = "{tools.key}"\n' if tls else ""
            (self.project / "bedplate.toml").write_text(CONFIG.format(url=upstream.url, more=provider + (ROOMY if roomy else "") + "\n" + listen + more))
        env = {
            "AWS_ACCESS_KEY_ID": MADE_UP[0], "AWS_SECRET_ACCESS_KEY": MADE_UP[1], "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }
        argv = [tools.bedplate, "up", "--project", self.project, "--data", "127.0.0.1:0", "--control", "127.0.0.1:0", "--format", "json"]
        self.process = Process("bedplate", argv, GATEWAY_CORE, tools.folder, env, subprocess.PIPE)
        line = self.process.child.stdout.readline()
        self.ready_ms = (time.monotonic() - self.process.began) * 1e3
        if not line:
            raise SystemExit(f"bench: bedplate does not start\n{self.process.tail()}")
        ready = json.loads(line)
        self.url, self.control = ready["data"], ready["control"]
        self.keys, self.bearer = (ready["access_key_id"], ready["secret_access_key"]), ready["bearer_token"]
        self.cold_ms = self.first_answer()

    def env(self):
        return {**super().env(), "BENCH_BEARER_TOKEN": self.bearer}

    def forget(self):
        """Stops it and removes its project: ledgers of a million calls would fill the disk."""
        self.stop()
        shutil.rmtree(self.project, ignore_errors=True)


def version(program, *argv):
    out = subprocess.run([program, *argv], capture_output=True, text=True, env={**os.environ})
    return (out.stdout + out.stderr).strip().splitlines()[0] if out.returncode == 0 else "unknown"
