"""Users that an HTTP server knows (auth_backends http)."""

import contextlib
import http.server
import os
import threading
import urllib.parse

import amqp
import certificates
import kit
from http_api import Api
from test_definitions import tls_context


class Judge:
    """Says what `rules` say: path -> a function of the form that gives the body, or a status."""

    def __init__(self):
        self.asked, self.rules = [], {}
        self.answers = threading.Event()     # cleared: to nobody, until it is set again
        self.answers.set()
        judge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, path, form):
                form = {name: values[0] for name, values in urllib.parse.parse_qs(form, keep_blank_values=True).items()}
                judge.asked.append((self.command, path, form))
                judge.answers.wait()
                said = judge.rules[path](form)
                self.send_response(said if isinstance(said, int) else 200)
                body = said.encode() if isinstance(said, str) else b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                path, _, form = self.path.partition("?")
                self.answer(path, form)

            def do_POST(self):
                self.answer(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def about(self, path):
        return [form for _, asked, form in self.asked if asked == path]

    @contextlib.contextmanager
    def sitting(self, pair=None):
        if pair:
            self.server.socket = tls_context(pair).wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            self.server.shutdown()

    def settings(self, scheme="http", **more):
        paths = {f"auth_http.{path}_path": f"{scheme}://127.0.0.1:{self.port}/{path}"
                 for path in ("user", "vhost", "resource", "topic")}
        return {"auth_backends.1": "internal", "auth_backends.2": "http", **paths, **more}


def usual(judge):
    """Anna with the password "secret word" may do everything with what is hers."""
    mine = lambda form: "allow" if form["name"].startswith("anna") or form["permission"] == "write" else "deny"
    judge.rules = {"/user": lambda form: "allow monitoring" if form["password"] == "secret word" and form["username"] == "anna"
                   else "deny", "/vhost": lambda form: "allow" if form["vhost"] == "/" else "deny", "/resource": mine,
                   "/topic": lambda form: "allow" if form["routing_key"].startswith("anna.") else "deny"}


def test_rights_of_a_server():
    """http: logins, vhosts, resources and routing keys as the server says, beside users of the cluster; answers are kept"""
    judge = Judge()
    usual(judge)
    with judge.sitting(), kit.cluster(nodes=2, settings=judge.settings(**{"auth_http.http_method": "post",
                                                                          "shards": 2})) as cluster:
        node = cluster.nodes[0]
        Api(node).put("/vhosts/other")
        with kit.connected(node) as guest:
            kit.declare(guest, "theirs")
        kit.check_equal(judge.asked, [], "guest is the cluster's own")
        with kit.connected(node, user="anna", password="secret word") as anna:
            kit.declare(anna, "anna's")
            kit.publish(anna, "anna's", [b"%d" % number for number in range(50)])
            kit.check_equal(len(kit.consume(anna, "anna's", 50)), 50, "messages")
            refused(anna, "read access to queue 'theirs' in vhost '/' refused for user 'anna'",
                    lambda: anna.call(1, "basic.consume", queue="theirs"))
            refused(anna, "configure access to queue 'bob' in vhost '/' refused for user 'anna'",
                    lambda: kit.declare(anna, "bob"))
            publish_to_topic(anna, "anna.x")
            refused(anna, "write access to topic 'bob.x' in exchange 'amq.topic' in vhost '/' refused for user 'anna'",
                    lambda: publish_to_topic(anna, "bob.x"))
            names = [one["user"] for one in Api(cluster.nodes[1], "anna", "secret word").get("/connections")]
            kit.check_equal(names, ["anna"], "listed, for a user with the tag monitoring")
        writes = [form for form in judge.about("/resource") if form["permission"] == "write" and form["name"] == "amq.default"]
        kit.check(1 <= len(writes) <= 3, f"50 messages were asked about {len(writes)} times")
        kit.check_equal(judge.about("/vhost")[0], {"username": "anna", "vhost": "/", "ip": "127.0.0.1", "tags": "monitoring"},
                        "what is asked about a vhost")
        for vhost, password, code in (("other", "secret word", 530), ("/", "wrong", 403)):
            kit.check_equal(code_of(lambda: kit.connect(node, user="anna", password=password, vhost=vhost)), code, vhost)
        Api(node, "anna", "wrong")("GET", "/overview", expect=401)
        kit.check({method for method, _, _ in judge.asked} == {"POST"}, "the method")


def test_a_server_that_is_slow_or_gone():
    """http over TLS: a slow answer holds up nobody else; one that does not come, or from a stranger, is no"""
    authority = certificates.Authority(os.environ["TMPDIR"])
    judge = Judge()
    usual(judge)
    settings = judge.settings("https", **{"auth_http.ssl_options.cacertfile": str(authority.file), "auth_backends.1": "cache",
                                          "auth_cache.cached_backend": "http", "auth_backends.2": "internal",
                                          "auth_http.request_timeout": 6000})
    with judge.sitting(authority.issue("judge")), kit.cluster(nodes=1, settings=settings) as cluster:
        node = cluster.nodes[0]
        with kit.connected(node, user="anna", password="secret word") as anna, kit.connected(node) as guest:
            kit.declare(guest, "q")
            kit.declare(anna, "anna 1")
            judge.answers.clear()
            anna.send(1, "queue.declare", queue="anna 2", durable=True)
            anna.flush()
            kit.wait_for("the judge is asked", lambda: any(form["name"] == "anna 2" for form in judge.about("/resource")))
            kit.publish(guest, "q", [b"x"] * 100)
            kit.check(anna.poll(0) is None, "anna is answered without the judge, so others had not to pass her")
            judge.answers.set()
            event = anna.poll(kit.PATIENCE)
            kit.check(event is not None and event.name == "queue.declare-ok", f"{event}")
            judge.answers.clear()
            refused(anna, "configure access to queue 'anna 3'", lambda: kit.declare(anna, "anna 3", timeout=kit.PATIENCE))
            kit.check("auth http_failed" in kit.read_log(node), "the log says nothing")
            judge.answers.set()
            judge.rules["/resource"] = lambda form: 500
            refused(anna, "configure access to queue 'anna 4'", lambda: kit.declare(anna, "anna 4"))
        judge.server.shutdown()
        judge.server.server_close()
        kit.check_equal(code_of(lambda: kit.connect(node, user="bob", password="x")), 403, "nobody vouches for bob")
        with kit.connected(node):
            pass


def publish_to_topic(connection, key):
    connection.publish(1, "amq.topic", key, b"x")
    connection.call(1, "basic.qos")


def refused(connection, words, action):
    try:
        action()
    except amqp.ChannelClosed as closed:
        kit.check(closed.code == 403 and words in closed.text, f"{closed.code} {closed.text}")
        connection.open_channel(1)
        return
    raise AssertionError(f"not refused: {words}")


def code_of(action):
    try:
        action().close()
    except amqp.Closed as closed:
        return closed.code
    return 0
