"""A mail server for tests."""
import base64
import re
import socketserver
import ssl
import subprocess
import threading


def certificate(folder):
    """A key and a certificate for 127.0.0.1 that signs itself: (certificate, key)."""
    paths = f"{folder}/mail.pem", f"{folder}/mail.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mail", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail as RFC 5321 says, but for the first `refuse`, which it refuses after their text; notes envelope and text. `tls`: None, "smtps" or
    "starttls", with that certificate; it then wants a user to log in."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, refuse=1, tls=None, files=None):
        self.taken, self.asked, self.refuse, self.tls, self.said = [], 0, refuse, tls, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if files else None
        if files:
            self.context.load_cert_chain(*files)
        super().__init__(("127.0.0.1", 0), Conversation)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"{'smtps' if self.tls == 'smtps' else 'smtp'}://127.0.0.1:{self.server_address[1]}"

    def take(self, envelope, text):
        """Whether it does."""
        self.asked += 1
        if self.asked > self.refuse:
            self.taken.append(dict(envelope, text=text))
        return self.asked > self.refuse


class Conversation(socketserver.StreamRequestHandler):
    def answer(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def encrypt(self):
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()
        self.encrypted = True

    def setup(self):
        self.encrypted = False
        super().setup()

    def handle(self):
        try:
            if self.server.tls == "smtps":
                self.encrypt()
            self.talk()
        except OSError:  # the client does not like the certificate
            pass
        self.server.said.append("closed")

    def talk(self):
        envelope = {"to": [], "user": None}
        self.answer("220 test")
        while raw := self.rfile.readline():
            line = raw.decode().strip()
            self.server.said.append(line)
            verb = line[:4].upper()
            if verb == "QUIT":
                self.answer("221 bye")
                return
            if verb == "EHLO":
                self.answer("250-test")
                if self.server.tls == "starttls" and not self.encrypted:
                    self.answer("250-STARTTLS")
                self.answer("250 AUTH PLAIN")
            elif verb == "STAR" and self.server.tls == "starttls":
                self.answer("220 go on")
                self.encrypt()
            elif verb == "AUTH":
                words = line.split()
                if len(words) < 3:
                    self.answer("334 ")
                    words.append(self.rfile.readline().decode().strip())
                envelope["user"] = base64.b64decode(words[2]).decode().split("\0")[1:]
                self.answer("235 welcome")
            elif verb == "DATA":
                self.answer("354 go on")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                self.answer("250 taken" if self.server.take(dict(envelope, encrypted=self.encrypted), text.decode()) else "451 not now")
                envelope = {"to": [], "user": envelope["user"]}
            else:
                if verb == "MAIL":
                    envelope["from"] = re.search("<(.*)>", line)[1]
                if verb == "RCPT":
                    envelope["to"].append(re.search("<(.*)>", line)[1])
                self.answer("250 good")
