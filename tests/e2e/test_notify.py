"""Notices from the built binary to receivers that know nothing of bedplate but its documentation.

SNS needs a bedplate with the feature `sns`: scripts/test builds it, and so does
`cargo build -p bedplate --features cloudwatch`.
"""

import json
import socket
import time

import boto3
import pytest

from certificates import self_signed
from cloudwatch import Emulator
from gateway import cli
from receivers import SECRET, MailServer, Receiver, documented_verify

LOGIN = ("bedplate", "correct horse battery staple")


@pytest.fixture
def receive():
    running = []

    def one(*answers, **options):
        running.append(Receiver(*answers, **options))
        return running[-1]

    yield one
    for receiver in running:
        receiver.stop()


@pytest.fixture
def mail():
    running = []

    def one(**options):
        running.append(MailServer(**options))
        return running[-1]

    yield one
    for server in running:
        server.stop()


def section(name, kind, **keys):
    lines = [f'name = "{name}"', f'kind = "{kind}"', *(f"{k} = {toml(v)}" for k, v in keys.items())]
    return "[[notify]]\n" + "\n".join(lines) + "\n"


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


def webhook(url, name="ops", **keys):
    return section(name, "webhook", url=url, secret={"env": "HOOK_SECRET"}, **keys)


def notify_test(project, config, *arguments, code=0, **environment):
    """What `bedplate notify test` says of each target."""
    (project / "bedplate.toml").write_text(config)
    done = cli("notify", "test", *arguments, "--format", "json", project=project, ok=code,
               **{"HOOK_SECRET": SECRET} | environment)
    return [json.loads(line) for line in done.stdout.splitlines()]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def until(what, met, seconds=30):
    end = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.05)
    return found


def test_a_webhook_verifies_as_the_page_says(receive, tmp_path):
    receiver = receive()
    (said,) = notify_test(tmp_path, webhook(receiver.url, headers={"authorization": {"env": "LOGIN"}}), LOGIN="Bearer x")
    assert said["delivered"] is True and said["target"] == "ops"
    (notice,) = receiver.notices()
    assert notice["id"] == said["notice"] and notice["kind"] == "test" and notice["severity"] == "info"
    assert "`ops`" in notice["subject"]
    path, headers, body = receiver.requests[0]
    assert (path, headers["authorization"], headers["webhook-id"]) == ("/hooks/bedplate", "Bearer x", notice["id"])

    verify = documented_verify()
    for wrong in ({"secret": "whsec_" + "A" * 32}, {"body": body + b" "}, {"now": time.time() + 301}):
        with pytest.raises(ValueError):
            verify(**{"headers": headers, "body": body, "secret": SECRET} | wrong)
    plain = "a secret of more than twenty-four bytes"
    notify_test(tmp_path, webhook(receiver.url), HOOK_SECRET=plain)
    assert verify(receiver.requests[1][1], receiver.requests[1][2], plain)["kind"] == "test"


def test_a_webhook_over_tls_trusts_whom_it_is_told_to(receive, tmp_path):
    self_signed(tmp_path)
    receiver = receive(tls=tmp_path)
    (said,) = notify_test(tmp_path, webhook(receiver.url), code=4)
    assert not said["delivered"] and "certificate" in said["why"]
    (said,) = notify_test(tmp_path, webhook(receiver.url, ca_file="cert.pem"))
    assert said["delivered"] and len(receiver.notices()) == 1


def test_slack_gets_a_message_and_its_url_is_never_shown(receive, tmp_path):
    receiver = receive((302, {"location": "http://127.0.0.1:1/T0/other-secret"}), (200, {}))
    url = receiver.url.replace("/hooks/bedplate", "/services/T0/B0/very-secret")
    config = section("slack", "slack", url_from={"env": "SLACK"})
    (said,) = notify_test(tmp_path, config, code=4, SLACK=url)
    assert "redirect" in said["why"] and "secret" not in said["why"]
    (said,) = notify_test(tmp_path, config, SLACK=url)
    path, headers, body = receiver.requests[1]
    message = json.loads(body)
    assert path == "/services/T0/B0/very-secret" and headers["content-type"] == "application/json"
    assert message["text"].startswith(":information_source: bedplate tries")
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "context"]


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("how", ["starttls", "implicit", "off"])
def test_a_mail_arrives(how, mail, tmp_path):
    self_signed(tmp_path)
    secure = how != "off"
    server = mail(tls=tmp_path if secure else None, implicit=how == "implicit", login=LOGIN if secure else None)
    keys = {"host": "127.0.0.1", "port": server.port, "tls": how, "from": "bedplate <bedplate@example.com>",
            "to": ["ops@example.com", "Grüße <on-call@example.com>"]}
    if secure:
        keys |= {"ca_file": "cert.pem", "user": LOGIN[0], "password": {"env": "PASSWORD"}}
    (said,) = notify_test(tmp_path, section("mail", "smtp", **keys), PASSWORD=LOGIN[1])
    assert said["delivered"], said
    ((envelope, message, was_secure),) = server.mails
    assert was_secure is secure
    assert envelope.rcpt_tos == ["ops@example.com", "on-call@example.com"]
    assert message["subject"] == "[bedplate] info: bedplate tries whether `mail` takes notices"
    assert message["message-id"] == f"<{said['notice']}@example.com>"
    assert message["auto-submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain" and "Nothing is wrong." in message.get_content()


def test_a_mail_server_that_is_not_trusted_hears_no_password(mail, tmp_path):
    self_signed(tmp_path)
    server = mail(tls=tmp_path, login=LOGIN)
    keys = {"host": "127.0.0.1", "port": server.port, "from": "b@example.com", "to": ["o@example.com"],
            "user": LOGIN[0], "password": {"env": "PASSWORD"}}
    (said,) = notify_test(tmp_path, section("mail", "smtp", **keys), code=4, PASSWORD=LOGIN[1])
    assert "certificate" in said["why"] and server.mails == []
    # one that cannot do TLS is not trusted either
    plain = mail()
    (said,) = notify_test(tmp_path, section("mail", "smtp", **keys | {"port": plain.port}), code=4, PASSWORD=LOGIN[1])
    assert not said["delivered"] and plain.mails == []
    (said,) = notify_test(tmp_path, section("mail", "smtp", **keys, ca_file="cert.pem"), code=4, PASSWORD="wrong")
    assert "535" in said["why"]


@pytest.fixture
def emulator():
    running = Emulator().start()
    yield running
    running.stop()


@pytest.fixture
def with_sns(tmp_path):
    text = section("t", "sns", topic="arn:aws:sns:eu-central-1:123456789012:t")
    (tmp_path / "bedplate.toml").write_text(text)
    done = cli("check", project=tmp_path, ok=None)
    assert done.returncode == 0, f"build it with `cargo build -p bedplate --features cloudwatch`: {done.stderr}"


@pytest.mark.parametrize("fifo", [False, True])
def test_sns_takes_notices_for_programs_and_people(fifo, emulator, with_sns, tmp_path):
    def client(name):
        return boto3.client(name, region_name="eu-central-1", endpoint_url=emulator.url,
                            aws_access_key_id="reader", aws_secret_access_key="reader")

    end, attributes = (".fifo", {"FifoTopic": "true"}) if fifo else ("", {})
    topic = client("sns").create_topic(Name=f"notices{end}", Attributes=attributes)["TopicArn"]
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName=f"notices{end}", Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    config = section("topic", "sns", topic=topic, endpoint=emulator.url)
    login = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE22", "AWS_SECRET_ACCESS_KEY": "secret"}
    (said,) = notify_test(tmp_path, config, **login)
    assert said["delivered"], said
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    outer = json.loads(message["Body"])
    assert outer["Subject"].startswith("[bedplate] info: ")
    assert outer["MessageAttributes"]["kind"] == {"Type": "String", "Value": "test"}
    assert outer["MessageAttributes"]["id"]["Value"] == said["notice"]
    inner = json.loads(outer["Message"])
    inner = json.loads(inner["default"]) if "default" in inner else inner
    assert inner["id"] == said["notice"] and inner["kind"] == "test"

    (said,) = notify_test(tmp_path, config.replace("notices", "nothing"), code=4, **login)
    assert "NotFound" in said["why"]
    emulator.stop()
    (said,) = notify_test(tmp_path, config, code=4, **login)
    assert not said["delivered"]


def test_each_target_or_one_and_an_unknown_one(receive, tmp_path):
    good, gone = receive(), free_port()
    config = webhook(good.url) + webhook(f"http://127.0.0.1:{gone}/", name="gone") + section("log", "log")
    said = notify_test(tmp_path, config, code=4)
    assert [(s["target"], s["delivered"]) for s in said] == [("ops", True), ("gone", False), ("log", True)]
    assert "refused" in said[1]["why"]
    assert [s["target"] for s in notify_test(tmp_path, config, "ops")] == ["ops"]
    done = cli("notify", "test", "nobody", project=tmp_path, ok=2, HOOK_SECRET=SECRET)
    assert "`nobody`" in done.stderr
    done = cli("notify", "test", "log", project=tmp_path, HOOK_SECRET=SECRET)
    assert "notice: bedplate tries" in done.stderr and "delivered" in done.stdout


def test_without_a_target_the_log_is_one(tmp_path):
    done = cli("notify", "test", project=tmp_path)
    assert "notice: bedplate tries whether `log` takes notices" in done.stderr


def test_check_says_what_is_wrong_and_where(tmp_path):
    text = webhook("hooks.example.com") + webhook("https://h.example") + section("m", "smtp", host="h", tls="none")
    (tmp_path / "bedplate.toml").write_text(text + '[[notify]]\nname = "x"\nkind = "pager"\n')
    done = cli("check", project=tmp_path, ok=2)
    lines = done.stderr.splitlines()
    for place, words in [(":4:", "`[[notify]] url` of `ops`"), (":7:", "two are named `ops`"),
                         (":15:", "unknown variant `none`"), (":18:", "unknown variant `pager`")]:
        assert any(place in line and words in line for line in lines), (place, words, done.stderr)


def letter(n, target="ops"):
    notice = {"id": f"ntc_{n:020}", "at": 1795348803250000, "kind": "budget", "severity": "warning",
              "subject": f"notice {n}", "text": "", "fields": [["spent", "$8.00"]], "dedup": None}
    return {"at": 1795352403250000, "target": target, "tries": 17, "why": "503 Service Unavailable", "notice": notice}


def bury(project, *letters):
    folder = project / ".bedplate/notices"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "dead.jsonl", "a") as file:
        file.writelines(json.dumps(one) + "\n" for one in letters)


def test_dead_letters_are_listed_and_sent_again(receive, tmp_path):
    receiver = receive((200, {}), (404, {}))
    (tmp_path / "bedplate.toml").write_text(webhook(receiver.url))
    bury(tmp_path, letter(1), letter(2), letter(3), letter(4, "gone"))

    def listed():
        done = cli("notify", "dead", "list", "--format", "json", project=tmp_path)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def retry(*arguments, ok):
        done = cli("notify", "dead", "retry", *arguments, "--format", "json", project=tmp_path, ok=ok, HOOK_SECRET=SECRET)
        return json.loads(done.stdout)

    first = listed()[0]
    assert (first["notice"], first["tries"], first["given_up_at"]) == (letter(1)["notice"]["id"], 17, "2026-11-22T13:00:03.25Z")
    assert "notice 1" in cli("notify", "dead", "list", project=tmp_path).stdout
    assert retry(letter(1)["notice"]["id"], ok=0) == {"delivered": 1, "left": 0}
    # of the others one is refused, and one has no target any more
    assert retry(ok=4) == {"delivered": 1, "left": 2}
    assert [(one["subject"], one["target"]) for one in listed()] == [("notice 2", "ops"), ("notice 4", "gone")]
    assert retry("--target", "ops", ok=0) == {"delivered": 1, "left": 0}
    assert [n["subject"] for n in receiver.notices()] == ["notice 1", "notice 2", "notice 3", "notice 2"]
    assert receiver.notices()[0]["fields"] == {"spent": "$8.00"}
    done = cli("notify", "dead", "retry", "ntc_nothing", project=tmp_path, ok=1, HOOK_SECRET=SECRET)
    assert "no such dead letter" in done.stderr


def taken(n, to=("ops",), **more):
    return {"taken": {"at": int(time.time() * 1e6), "notice": letter(n)["notice"] | more, "to": list(to)}}


def journal(project, *lines):
    folder = project / ".bedplate/notices"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_start_goes_on_with_what_the_last_run_left(receive, start, tmp_path):
    receiver = receive((503, {"retry-after": "1"}))
    project = tmp_path / "one"
    journal(project, {"owner": "a" * 16}, taken(1), {"done": {"id": letter(1)["notice"]["id"], "target": "ops"}},
            taken(2), taken(3, to=("ops", "gone")))
    gateway = start(webhook(receiver.url), project=project, HOOK_SECRET=SECRET)
    until("two notices", lambda: len(receiver.requests) == 3)
    assert sorted(n["subject"] for n in receiver.notices()[1:]) == ["notice 2", "notice 3"]
    metrics = until("both are counted", lambda: (m := gateway.metrics())[sample("delivered_total")] == 2 and m)
    assert metrics[sample("failures_total")] == 1
    gateway.stop()
    (dead,) = [json.loads(line) for line in (project / ".bedplate/notices/dead.jsonl").read_text().splitlines()]
    assert dead["target"] == "gone"
    # the next one has nothing left to do
    gateway = start(webhook(receiver.url), project=project, HOOK_SECRET=SECRET)
    gateway.stop()
    assert len(receiver.requests) == 3


def test_mail_that_is_refused_for_now_is_sent_again_and_for_ever_is_given_up(mail, start, tmp_path):
    for answers, delivered, failures, dead in [(["451 later"], 1, 1, 0), (["550 nobody of that name"], 0, 1, 1)]:
        server = mail(refuse=answers)
        project = tmp_path / answers[0].split()[0]
        journal(project, {"owner": "a" * 16}, taken(1))
        keys = {"host": "127.0.0.1", "port": server.port, "tls": "off", "from": "b@example.com", "to": ["o@example.com"]}
        gateway = start(section("ops", "smtp", **keys), project=project)
        met = {"delivered_total": delivered, "failures_total": failures, "dead_total": dead, "waiting": 0}
        until(met, lambda: all(gateway.metrics()[sample(name)] == n for name, n in met.items()))
        gateway.stop()
        assert [mail["subject"] for _, mail, _ in server.mails] == ["[bedplate] warning: notice 1"] * delivered
    assert "550" in (project / ".bedplate/notices/dead.jsonl").read_text()


def sample(name):
    return f"bedplate_notices_{name}", frozenset({("target", "ops")})


def test_a_target_that_hangs_holds_up_neither_calls_nor_the_end(start, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        project = tmp_path / "one"
        journal(project, {"owner": "a" * 16}, taken(1), taken(2))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        gateway = start(webhook(url, timeout="60s"), project=project, HOOK_SECRET=SECRET)
        assert gateway.metrics()[sample("waiting")] == 2
        gateway.client().converse(modelId="us.amazon.nova-lite-v1:0",
                                  messages=[{"role": "user", "content": [{"text": "hello"}]}])
        gateway.stop(seconds=15)
    assert "2 notices are not delivered yet" in gateway.log()
    left = (project / ".bedplate/notices/journal.jsonl").read_text()
    assert "notice 1" in left and "notice 2" in left


def test_a_secret_that_is_missing_is_said_at_the_start(tmp_path):
    (tmp_path / "bedplate.toml").write_text(webhook("https://hooks.example.com/"))
    done = cli("up", "--data", "127.0.0.1:0", "--control", "127.0.0.1:0", project=tmp_path, ok=2)
    assert "`[[notify]]` `ops`" in done.stderr and "`HOOK_SECRET` is not set" in done.stderr
