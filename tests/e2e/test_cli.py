"""The command line: exit codes, forms, explanations, checks; and `bedplate run`."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from certificates import self_signed
from gateway import NOVA, binary, clean_environment, cli, http_request, recorder_config

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("BEDPLATE_TEST_PYTHON", "python3")


def test_help_and_version():
    assert cli("--version").stdout.startswith("bedplate 0.")
    shown = cli("--help").stdout
    for verb in ("up", "run", "check", "doctor", "explain", "key", "calls", "sim", "conformance", "config", "completions"):
        assert verb in shown, verb


@pytest.mark.parametrize("arguments", [["no-such-verb"], ["up", "--no-such-flag"], ["key", "create"], ["explain"], ["up", "--data", "nonsense"]])
def test_usage_errors_end_with_2(arguments):
    assert subprocess.run([binary(), *arguments], capture_output=True, timeout=20, env=clean_environment()).returncode == 2


def every_code():
    return sorted(p.stem for p in (ROOT / "docs/errors").glob("BP*.md"))


@pytest.mark.parametrize("code", every_code())
def test_explain_prints_the_page(code):
    page = (ROOT / f"docs/errors/{code}.md").read_text()
    assert page.strip() in subprocess.run(
        [binary(), "explain", code], capture_output=True, text=True, timeout=20, check=True).stdout


def test_explain_takes_the_number_alone_and_refuses_others():
    run = lambda *a: subprocess.run([binary(), "explain", *a], capture_output=True, text=True, timeout=20)  # noqa: E731
    assert run("1003").stdout == run("bp1003").stdout == run("BP1003").stdout
    assert run("BP0000").returncode == 2
    assert json.loads(run("BP1003", "--format", "json").stdout)["code"] == "BP1003"


def test_completions_for_every_shell():
    for shell in ("bash", "zsh", "fish"):
        assert "bedplate" in subprocess.run(
            [binary(), "completions", shell], capture_output=True, text=True, timeout=20, check=True).stdout


def test_the_schema_describes_a_good_configuration():
    import jsonschema
    import tomllib

    schema = json.loads(subprocess.run([binary(), "config", "schema"], capture_output=True, timeout=20, check=True).stdout)
    good = tomllib.loads('[listen]\ndata = "127.0.0.1:0"\n[[provider]]\nname = "p"\nkind = "bedrock"\nregion = "us-east-1"\n')
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"listn": {}}, schema)


# ---- check ----

def check(tmp_path, text, ok):
    (tmp_path / "bedplate.toml").write_text(text)
    return cli("check", "--format", "json", project=tmp_path, ok=ok)


def test_check_is_content_with_nothing_and_with_a_good_file(tmp_path):
    cli("check", project=tmp_path)
    check(tmp_path, '[[provider]]\nname = "p"\nkind = "sim"\n', 0)


@pytest.mark.parametrize("text, line, word", [
    ('[listen]\ndata = "127.0.0.1:0"\ncontroll = "127.0.0.1:0"\n', 3, "control"),
    ('[[provider]]\nname = "p"\nkind = "bedrok"\nregion = "us-east-1"\n', 3, "bedrock"),
    ('[timeout]\ntotal = "30"\n', 2, "30s"),
    ('[listen]\ndata = 7\n', 2, "address"),
    ('[operations]\nallow = ["StartAsyncInvok"]\n', 2, "StartAsyncInvoke"),
    ('[provider\n', 1, ""),
])
def test_check_says_where_and_what_was_meant(tmp_path, text, line, word):
    done = check(tmp_path, text, ok=None)
    assert done.returncode in (1, 2), done
    said = done.stdout + done.stderr
    assert "bedplate.toml" in said and word in said, said
    assert f":{line}" in said or f'"line":{line}' in said.replace(" ", ""), said


def test_check_finds_every_problem_at_once(tmp_path):
    done = check(tmp_path, '[timeout]\ntotal = "x"\nidle = "y"\n[listen]\nport = 1\n', ok=None)
    said = done.stdout + done.stderr
    assert "total" in said and "idle" in said and "port" in said, said


def test_a_gateway_does_not_start_on_a_bad_file(tmp_path):
    (tmp_path / "bedplate.toml").write_text("[listn]\n")
    assert "listen" in cli("up", "--data", "127.0.0.1:0", "--control", "127.0.0.1:0", project=tmp_path, ok=2).stderr


# ---- doctor, conformance ----

def test_doctor_is_content_with_a_simulator(simulated):
    findings = [json.loads(line) for line in simulated.cli("doctor", "--format", "json").stdout.splitlines()]
    assert {"ledger", "configuration"} <= {f["what"] for f in findings}
    assert {f["state"] for f in findings} == {"good"}, findings


def test_doctor_finds_an_upstream_that_is_gone(tmp_path, recorder):
    (tmp_path / "bedplate.toml").write_text(recorder_config(recorder))
    recorder.stop()
    done = cli("doctor", project=tmp_path, ok=None, AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="x")
    assert done.returncode in (1, 4), done
    assert "recorder" in done.stdout


@pytest.fixture
def sim(tmp_path):
    process = subprocess.Popen([binary(), "sim", "--listen", "127.0.0.1:0", "--format", "json"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env=clean_environment())
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(10)


def test_the_simulator_alone_is_an_endpoint(sim):
    import boto3

    reply = boto3.client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=sim["endpoint"],
        aws_access_key_id=sim["access_key_id"], aws_secret_access_key=sim["secret_access_key"],
    ).converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": "hello"}]}])
    assert reply["usage"]["outputTokens"] > 0


def test_conformance_of_the_simulator(tmp_path, sim):
    (tmp_path / "bedplate.toml").write_text(
        '[[provider]]\nname = "second"\nkind = "bedrock"\nregion = "us-east-1"\n'
        f'endpoints = {{ runtime = "{sim["endpoint"]}", control = "{sim["endpoint"]}" }}\n')
    done = cli("conformance", "--aws", "--max-cost", "0.10", "--format", "json", project=tmp_path, ok=None, timeout=120,
               AWS_ACCESS_KEY_ID=sim["access_key_id"], AWS_SECRET_ACCESS_KEY=sim["secret_access_key"])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads(done.stdout)


# ---- keys and calls ----

def test_keys_can_be_made_before_the_gateway_runs(tmp_path):
    made = json.loads(cli("key", "create", "--team", "t", "--feature", "f", "--env", "e", "--risk-profile", "internal",
                          "--format", "json", project=tmp_path).stdout)
    listed = cli("key", "list", "--format", "json", project=tmp_path).stdout
    assert made["key_id"] in listed


def test_keys_are_listed_as_the_admin_api_lists_them(start):
    gateway = start()
    gateway.new_key("--may-name", "other", "--model", "us.amazon.*", "--expires", "30d")
    said = gateway.cli("key", "list", "--format", "json").stdout.splitlines()
    _, _, body = gateway.get_control("/admin/v1/keys", {"Authorization": f"Bearer {admin_key(gateway)}"})
    listed = [json.loads(line) for line in said]
    assert listed == json.loads(body)["keys"] and len(listed) == 2
    assert {k: listed[1][k] for k in ("team", "feature", "environment", "risk_profile", "features", "models", "state")} == {
        "team": "team-a", "feature": "feature-a", "environment": "test", "risk_profile": "internal",
        "features": ["other"], "models": ["us.amazon.*"], "state": "good"}


@pytest.mark.parametrize("arguments", [
    ("key", "disable", "key_nosuchkeyatall00"), ("calls", "show", "00000000-0000-7000-8000-000000000000"),
])
def test_what_is_not_there_is_said(simulated, arguments):
    done = simulated.cli(*arguments, ok=None)
    assert done.returncode in (1, 2) and arguments[-1] in done.stderr, done


def test_calls_tail_follows(simulated):
    process = subprocess.Popen([binary(), "calls", "tail", "--project", str(simulated.project), "--format", "json"],
                               stdout=subprocess.PIPE, env=clean_environment())
    try:
        time.sleep(0.7)
        reply = simulated.client().converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": "hello"}]}])
        wanted = reply["ResponseMetadata"]["HTTPHeaders"]["x-bedplate-call-id"]
        for line in process.stdout:
            if wanted in line.decode():
                break
    finally:
        process.terminate()
        process.wait(10)


# ---- bedplate run ----

APP = """
import boto3, os, sys
reply = boto3.client("bedrock-runtime", region_name="us-east-1").converse(
    modelId="us.amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "hello"}]}])
print("said:", reply["output"]["message"]["content"][0]["text"])
other = boto3.client("s3", region_name="us-east-1")
print("s3:", other.meta.endpoint_url, other._request_signer._credentials.access_key)
for event in boto3.client("bedrock-runtime", region_name="us-east-1").converse_stream(
        modelId="us.amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "hello"}]}])["stream"]:
    pass
sys.exit(int(os.environ.get("EXIT", "0")))
"""


def run_app(tmp_path, *, ok=0, **environment):
    (tmp_path / "app.py").write_text(APP)
    done = subprocess.run(
        [binary(), "run", "--project", str(tmp_path), "--", PYTHON, str(tmp_path / "app.py")],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env=clean_environment(AWS_ACCESS_KEY_ID="AKIAOFTHEAPPITSELF00", AWS_SECRET_ACCESS_KEY="its-own", **environment))
    assert done.returncode == ok, done.stdout + done.stderr
    return done


def test_run_takes_an_untouched_application_through(tmp_path):
    done = run_app(tmp_path)
    assert "said:" in done.stdout
    # The application's other AWS clients keep their own endpoint and credentials.
    assert re.search(r"s3: https://s3[.a-z0-9-]*\.amazonaws\.com AKIAOFTHEAPPITSELF00", done.stdout), done.stdout
    summary = done.stderr.lower()
    for word in ("calls", "tokens", "cost", "first token"):
        assert word in summary, done.stderr


def test_run_ends_as_the_command_ends(tmp_path):
    run_app(tmp_path, ok=7, EXIT="7")


def test_run_says_when_there_is_no_such_command(tmp_path):
    done = subprocess.run([binary(), "run", "--project", str(tmp_path), "--", "no-such-command-anywhere"],
                          capture_output=True, text=True, timeout=60, env=clean_environment())
    assert done.returncode in (2, 127) and "no-such-command-anywhere" in done.stderr


def run_beside(gateway, tmp_path):
    (tmp_path / "app.py").write_text(APP)
    return subprocess.run(
        [binary(), "run", "--project", str(gateway.project), "--", PYTHON, str(tmp_path / "app.py")],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env=clean_environment(AWS_ACCESS_KEY_ID="AKIAOFTHEAPPITSELF00", AWS_SECRET_ACCESS_KEY="its-own"))


def test_run_beside_a_running_gateway_goes_through_it(start, tmp_path):
    gateway = start('[listen.tls]\nmode = "self-signed"\n')
    done = run_beside(gateway, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "said:" in done.stdout
    assert len(gateway.cli("calls", "tail", "--no-follow", "--format", "json").stdout.splitlines()) == 2


def test_run_beside_a_gateway_without_tls_goes_through_it_too(start, tmp_path):
    gateway = start()
    assert gateway.data.startswith("http://")
    done = run_beside(gateway, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "said:" in done.stdout and "AKIAOFTHEAPPITSELF00" in done.stdout
    calls = [json.loads(line) for line in gateway.cli("calls", "tail", "--no-follow", "--format", "json").stdout.splitlines()]
    assert sorted(c["call"]["operation"] for c in calls) == ["Converse", "ConverseStream"]
    assert re.search(r"nova-lite\S*\s*.\s*2\b", done.stderr), done.stderr


def test_run_beside_a_gateway_with_a_certificate_of_yours_says_what_to_do(start, tmp_path):
    self_signed(tmp_path)
    gateway = start(f'[listen.tls]\nmode = "files"\ncertificate = "{tmp_path}/cert.pem"\nkey = "{tmp_path}/key.pem"\n')
    done = run_beside(gateway, tmp_path)
    assert done.returncode == 2 and gateway.data in done.stderr and "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" in done.stderr


# ---- the control listener's door ----

def admin_key(gateway):
    """The local admin key lies in the project, for its owner alone."""
    found = [p for p in (gateway.project / ".bedplate").iterdir() if "admin" in p.name]
    assert len(found) == 1, list((gateway.project / ".bedplate").iterdir())
    assert found[0].stat().st_mode & 0o777 == 0o600
    return found[0].read_text().strip()


@pytest.mark.parametrize("path", ["/", "/admin/v1/calls", "/admin/v1/keys", "/admin/v1/totals", "/not/a/path"])
def test_no_admin_path_is_open(simulated, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {simulated.ready['bearer_token']}"}):
        status, _, body = simulated.get_control(path, headers)
        assert status in (401, 403, 404, 303), (status, body[:200])
        assert NOVA.encode() not in body


def test_the_admin_key_opens_the_admin_api(simulated):
    key = {"Authorization": f"Bearer {admin_key(simulated)}"}
    for path in ("/admin/v1/calls", "/admin/v1/keys", "/admin/v1/totals"):
        status, headers, body = simulated.get_control(path, key)
        assert status == 200 and json.loads(body) is not None, (path, body[:200])
        assert headers["cache-control"] == "no-store"
        assert simulated.ready["secret_access_key"].encode() not in body


def test_guessing_the_admin_key_is_slowed_down(start):
    gateway = start()
    statuses = [gateway.get_control("/admin/v1/keys", {"Authorization": f"Bearer guess-{n}"})[0] for n in range(40)]
    assert statuses[0] == 401 and statuses[-1] == 429, statuses


def test_the_two_listeners_share_nothing(simulated):
    body = b"{}"
    assert http_request(simulated.control, "POST", "/model/x/converse", body)[0] in (401, 403, 404, 405)
    assert simulated.raw("GET", "/metrics")[0] in (403, 404)


def test_demo_storm_compares_both_sides():
    told = json.loads(cli("demo", "storm", "--seconds", "3", "--format", "json").stdout)
    alone, paced = told["straight"], told["bedplate"]
    assert alone["calls"] == paced["calls"] > 30
    # the quota is used up before the storm: who asks all the same is throttled
    assert alone["throttled"] > 0 and paced["throttled"] < alone["throttled"]
    assert paced["upstream_requests"] < alone["upstream_requests"]
    assert paced["answered"] > 0 and paced["cost_nanos"] > 0
    shown = cli("demo", "storm", "--seconds", "1", "--load", "1").stdout
    assert "through bedplate" in shown and "throttled" in shown
    cli("demo", "storm", "--seconds", "0", ok=2)
