#!/usr/bin/env python3
"""A small API side of docs/agent-protocol.md for tests of the agent: joining, desired, report, images, queries, over mutual TLS.

State lives in memory; a test sets what is wanted and waits for what is reported."""
import hashlib, http.server, json, os, re, socket, ssl, subprocess, tempfile, threading, time, urllib.parse, uuid


def run(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Ca:
    """An internal CA made with the openssl command."""
    def __init__(self, folder):
        self.folder = folder
        self.key, self.cert = f"{folder}/ca.key", f"{folder}/ca.crt"
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        run("openssl", "req", "-x509", "-new", "-key", self.key, "-subj", "/CN=virga test CA", "-days", "30", "-out", self.cert)
        self.lock = threading.Lock()
        der = ssl.PEM_cert_to_DER_cert(open(self.cert).read())
        self.fingerprint = hashlib.sha256(der).hexdigest()

    def sign(self, csr_pem, extra, days=30):
        with self.lock, tempfile.TemporaryDirectory(dir=self.folder) as d:
            open(f"{d}/csr", "w").write(csr_pem)
            open(f"{d}/ext", "w").write(extra)
            run("openssl", "x509", "-req", "-in", f"{d}/csr", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                "-days", str(days), "-extfile", f"{d}/ext", "-out", f"{d}/crt")
            return open(f"{d}/crt").read()

    def sign_for(self, csr_pem, name, begins, ends):
        """With times that openssl's x509 command cannot set."""
        def text(t):
            return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(t))
        with self.lock, tempfile.TemporaryDirectory(dir=self.folder) as d:
            open(f"{d}/csr", "w").write(csr_pem)
            open(f"{d}/template", "w").write(f'cn = "{name}"\nactivation_date = "{text(begins)}"\n'
                                             f'expiration_date = "{text(ends)}"\ntls_www_client\n')
            run("certtool", "--generate-certificate", "--load-request", f"{d}/csr", "--load-ca-certificate", self.cert,
                "--load-ca-privkey", self.key, "--template", f"{d}/template", "--outfile", f"{d}/crt")
            return open(f"{d}/crt").read()

    def server(self):
        key, csr, chain = (f"{self.folder}/server.{x}" for x in ("key", "csr", "pem"))
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        run("openssl", "req", "-new", "-key", key, "-subj", "/CN=virga-api", "-out", csr)
        cert = self.sign(open(csr).read(), "subjectAltName=DNS:virga-api\nextendedKeyUsage=serverAuth\n")
        open(chain, "w").write(cert + open(self.cert).read())
        return chain, key


class Host:
    def __init__(self):
        self.revision, self.servers, self.queries, self.event_seq = 0, {}, [], 0
        self.events, self.inventory, self.samples, self.reports, self.seen = [], None, {}, 0, 0.0


class Api:
    def __init__(self, folder, port=0, address="127.0.0.1"):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.short = 0             # so many certificates are two thirds through their hour
        self.renewals = 0
        self.ca = Ca(folder)
        self.changed = threading.Condition()
        self.hosts, self.tokens, self.images, self.answers, self.verdicts = {}, {}, {}, {}, {}
        self.cloud_id = str(uuid.uuid4())
        self.drop_answers = 0      # so many reports are taken, but their answer is lost
        self.image_cut = 0         # so many image downloads break off half way
        chain, key = self.ca.server()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        context.load_verify_locations(self.ca.cert)
        context.verify_mode = ssl.CERT_OPTIONAL
        api = self

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def finish_request(self, request, address):  # the handshake belongs to the connection's own thread
                request.settimeout(120)
                try:
                    secure = context.wrap_socket(request, server_side=True)
                except (OSError, ssl.SSLError):
                    return
                api.connections.add(secure)
                try:
                    Handler(secure, address, self)
                finally:
                    api.connections.discard(secure)

            def handle_error(self, request, address):
                pass

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, *args):
                pass

            def peer(self):
                cert = self.request.getpeercert()
                if not cert:
                    return None
                return dict(x[0] for x in cert["subject"]).get("commonName")

            def answer(self, status, value=None, raw=None, headers=()):
                body = raw if raw is not None else (json.dumps(value).encode() if value is not None else b"")
                self.send_response(status)
                for name, text in headers:
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def handle_one(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                url = urllib.parse.urlsplit(self.path)
                api.dispatch(self, self.command, url.path, dict(urllib.parse.parse_qsl(url.query)), body)

            do_GET = do_POST = handle_one

        self.context, self.handler, self.Server = context, Handler, Server
        self.server = Server((address, port), Handler)
        self.port = self.server.server_address[1]
        self.address, self.url = address, f"https://{address}:{self.port}"
        self.connections = set()
        self.serve()

    def serve(self):
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    # ---- what a test does ----
    def token(self):
        secret = uuid.uuid4().hex
        self.tokens[secret] = None
        return f"{secret}.{self.ca.fingerprint}"

    def want(self, host_id, server):
        with self.changed:
            host = self.hosts[host_id]
            host.revision += 1
            server["revision"] = host.revision
            host.servers[server["id"]] = server
            self.changed.notify_all()
            return host.revision

    def ask(self, host_id, kind, server_id, **args):
        query = str(uuid.uuid4())
        with self.changed:
            self.hosts[host_id].queries.append({"id": query, "kind": kind, "server_id": server_id, "args": args})
            self.changed.notify_all()
            self.changed.wait_for(lambda: query in self.answers, 20)
            return self.answers.get(query)

    def add_image(self, path):
        data = open(path, "rb").read()
        image = str(uuid.uuid4())
        self.images[image] = data
        return {"id": image, "name": "guest", "disk_format": "qcow2", "size_bytes": len(data),
                "sha512": hashlib.sha512(data).hexdigest(), "properties": {}}

    def wait(self, condition, seconds=30):
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise TimeoutError("the condition did not come true")

    def last(self, host_id, server_id):
        events = [e for e in self.hosts[host_id].events if e["server_id"] == server_id]
        return events[-1] if events else None

    def stop(self):
        """Away: nobody listens, connections break."""
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def start(self):
        self.server = self.Server((self.address, self.port), self.handler)
        self.serve()

    def certificate(self, csr, name):
        if self.short > 0:
            self.short -= 1
            return self.ca.sign_for(csr, name, time.time() - 3000, time.time() + 600)
        return self.ca.sign(csr, "extendedKeyUsage=clientAuth\n")

    # ---- what an agent does ----
    def dispatch(self, h, method, path, query, body):
        if path == "/agent/v1/join":
            return self.join(h, body)
        host_id = h.peer()
        host = self.hosts.get(host_id)
        if not host:
            return h.answer(401, {"message": "no certificate of ours"})
        if path == "/agent/v1/desired":
            return self.desired(h, host, query)
        if path == "/agent/v1/report":
            return self.report(h, host, body)
        if path == "/agent/v1/renew":
            self.renewals += 1
            return h.answer(200, {"certificate": self.certificate(body["csr"], host_id)})
        part = path.rsplit("/", 1)[1]
        if path.startswith("/agent/v1/images/"):
            return self.image(h, part)
        if path.startswith("/agent/v1/servers/"):
            verdict = "here" if part in host.servers else self.verdicts.get(part, "unknown")
            return h.answer(200, {"id": part, "verdict": verdict})
        if path.startswith("/agent/v1/queries/"):
            with self.changed:
                self.answers[part] = body
                host.queries = [q for q in host.queries if q["id"] != part]
                self.changed.notify_all()
            return h.answer(204)
        return h.answer(404, {"message": "no such place"})

    def join(self, h, body):
        token = body["token"]
        if token not in self.tokens or self.tokens[token] not in (None, body["host_id"]):
            return h.answer(403, {"message": "token unknown or used"})
        self.tokens[token] = body["host_id"]
        with self.changed:
            self.hosts.setdefault(body["host_id"], Host())
            self.changed.notify_all()
        certificate = self.certificate(body["csr"], body["host_id"])
        h.answer(201, {"host_id": body["host_id"], "name": "host-" + body["host_id"][:8], "certificate": certificate,
                       "ca": open(self.ca.cert).read(), "cloud_id": self.cloud_id})

    def desired(self, h, host, query):
        since, wait = int(query.get("since", 0)), int(query.get("wait_ms", 0)) / 1000
        limit = int(query.get("limit", 100))

        def ready():
            return [s for s in host.servers.values() if s["revision"] > since]
        with self.changed:
            self.changed.wait_for(lambda: ready() or host.queries, wait)
            servers = sorted(ready(), key=lambda s: s["revision"])
            page = servers[:limit]
            answer = {"revision": page[-1]["revision"] if page else max(since, 0), "more": len(servers) > limit,
                      "servers": page, "queries": list(host.queries)}
            host.queries = []
        h.answer(200, answer)

    def report(self, h, host, body):
        with self.changed:
            for event in body.get("events", []):
                if event["seq"] > host.event_seq:
                    host.event_seq = event["seq"]
                    event["taken"] = time.time()
                    host.events.append(event)
                    if event["state"] == "gone":
                        host.servers.pop(event["server_id"], None)
                        self.verdicts[event["server_id"]] = "deleted"
            if "inventory" in body:
                host.inventory = body["inventory"]
            for sample in body.get("samples", []):
                host.samples[sample["server_id"]] = sample
            host.reports += 1
            host.seen = time.time()
            drop = self.drop_answers > 0
            self.drop_answers -= drop
            self.changed.notify_all()
        if drop:
            h.close_connection = True
            return
        h.answer(200, {"accepted_seq": host.event_seq, "now_us": int(time.time() * 1e6)})

    def image(self, h, image):
        data = self.images.get(image)
        if data is None:
            return h.answer(404, {"message": "no such image"})
        total, start = len(data), 0
        match = re.match(r"bytes=(\d+)-$", h.headers.get("Range") or "")
        headers = [("X-Image-Sha512", hashlib.sha512(data).hexdigest())]
        if match:
            start = int(match.group(1))
            if start >= total:
                return h.answer(416, headers=[("Content-Range", f"bytes */{total}")])
            headers.append(("Content-Range", f"bytes {start}-{total - 1}/{total}"))
        if self.image_cut > 0:
            self.image_cut -= 1
            h.send_response(206 if match else 200)
            for name, text in headers:
                h.send_header(name, text)
            h.send_header("Content-Length", str(total - start))
            h.end_headers()
            h.wfile.write(data[start:start + (total - start) // 2])
            h.close_connection = True
            return
        h.answer(206 if match else 200, raw=data[start:], headers=headers)


def spec(name, image=None, power="running", nics=None, **more):
    server = {"id": str(uuid.uuid4()), "name": name, "hostname": name, "project_id": uuid.uuid4().hex, "user_id": uuid.uuid4().hex,
              "created_us": int(time.time() * 1e6), "exists": True, "power": power, "vcpus": 1, "memory_mib": 128,
              "root_gib": 1, "ephemeral_gib": 0, "swap_mib": 0, "flavor_name": "tiny", "flavor_extra": {}, "image": image,
              "nics": nics or [], "metadata": {"a": "b"}, "key": None, "user_data": None, "zone": "nova", "operation": None}
    server.update(more)
    return server
