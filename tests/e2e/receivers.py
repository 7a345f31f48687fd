"""What takes notices: an HTTP receiver that verifies as docs/notifications.md says, and a mail server."""

import email
import email.policy
import http.server
import re
import socket
import ssl
import threading
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def documented_verify():
    """The function that the page tells people to use."""
    page = (ROOT / "docs/notifications.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(compile(block, "docs/notifications.md", "exec"), names)
    return names["verify"]


class Receiver:
    """Answers with what `answers` holds, then 200. Keeps (path, headers, body) of each request."""

    def __init__(self, *answers, tls=None):
        self.requests, self.answers = [], list(answers)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, self.headers, body))
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "https" if tls else "http"
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}/hooks/bedplate"

    def notices(self, secret=SECRET):
        verify = documented_verify()
        return [verify(headers, body, secret) for _, headers, body in self.requests]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class MailServer:
    """Takes mails over STARTTLS, TLS or neither; with a login when `login` is given; after it has refused some."""

    def __init__(self, tls=None, implicit=False, login=None, refuse=()):
        self.mails, self.refuse = [], list(refuse)
        context = None
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")

        server = self

        class Handler:
            async def handle_RCPT(self, _server, _session, envelope, address, _options):
                if server.refuse:
                    return server.refuse.pop(0)
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, _server, session, envelope):
                mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
                server.mails.append((envelope, mail, session.ssl is not None or implicit))
                return "250 taken"

        def authenticate(_server, _session, _envelope, _mechanism, given):
            said = (given.login.decode(), given.password.decode())
            # not handled: the server answers, also that it was wrong
            return AuthResult(success=said == login, handled=False)

        # it tries itself out, so it has to know its port
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = {"hostname": "127.0.0.1", "port": self.port}
        if login:
            options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": bool(tls)}
        if implicit:
            # aiosmtpd knows of TLS only what STARTTLS tells it
            options |= {"auth_require_tls": False} if login else {}
            self.controller = Controller(Handler(), ssl_context=context, **options)
        else:
            more = {"tls_context": context, "require_starttls": True} if tls else {}
            self.controller = Controller(Handler(), **more, **options)
        self.controller.start()

    def stop(self):
        self.controller.stop()
