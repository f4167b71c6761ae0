"""A mail server for tests."""
import re
import socketserver
import threading


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail as RFC 5321 says, but for the first, which it refuses after its text; notes envelope and text."""
    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.taken, self.asked = [], 0
        super().__init__(("127.0.0.1", 0), Conversation)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, envelope, text):
        """Whether it does."""
        self.asked += 1
        if self.asked > 1:
            self.taken.append(dict(envelope, text=text))
        return self.asked > 1


class Conversation(socketserver.StreamRequestHandler):
    def answer(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        envelope = {"to": []}
        self.answer("220 test")
        for raw in self.rfile:
            line = raw.decode().strip()
            verb = line[:4].upper()
            if verb == "QUIT":
                self.answer("221 bye")
                return
            if verb == "DATA":
                self.answer("354 go on")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                self.answer("250 taken" if self.server.take(envelope, text.decode()) else "451 not now")
                envelope = {"to": []}
                continue
            if verb == "MAIL":
                envelope["from"] = re.search("<(.*)>", line)[1]
            if verb == "RCPT":
                envelope["to"].append(re.search("<(.*)>", line)[1])
            self.answer("250 good")
