"""Definitions that a node gets at start from a server."""

import contextlib
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import threading

import certificates
import kit
from http_api import Api


def tls_context(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, pair))
    return context


@contextlib.contextmanager
def served(content, pair):
    """A server over TLS that has `content`, a dictionary that may change; gives its URL and a list of what was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = json.dumps(content).encode()
            self.send_response(200 if content else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = tls_context(pair).wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/d.json", asked
    finally:
        server.shutdown()


def restart(cluster, node):
    mark = len(kit.read_log(node))
    kit.terminate(node)
    kit.start(cluster, node)
    return lambda words: words in kit.read_log(node)[mark:]


def test_definitions_of_a_server():
    """definitions.https.url, its certificate checked: brought in at start, skipped while unchanged, not needed again"""
    authority = certificates.Authority(os.environ["TMPDIR"])
    content = {"vhosts": [{"name": "of-the-server"}], "global_parameters": []}
    with served(content, authority.issue("server")) as (url, asked):
        settings = {"definitions.import_backend": "https", "definitions.https.url": url,
                    "definitions.tls.cacertfile": str(authority.file), "definitions.skip_if_unchanged": "true",
                    "definitions.hashing.algorithm": "sha512"}
        with kit.cluster(nodes=1, settings=settings) as cluster:
            node = cluster.nodes[0]
            api, vhost = Api(node), "/vhosts/of-the-server"
            kit.wait_for("the vhost", lambda: api("GET", vhost).status == 200)
            kit.wait_for("the digest", lambda: len(api("GET", "/global-parameters/imported_definition_hash_value").json
                                                   .get("value", "")) == 128)
            api.delete(vhost)
            said = restart(cluster, node)
            kit.wait_for("the line", lambda: said("definitions unchanged"))
            api("GET", vhost, expect=404)
            content["users"] = []
            said = restart(cluster, node)
            kit.wait_for("the line", lambda: said("definitions loaded"))
            api.get(vhost)
            content.clear()
            said = restart(cluster, node)
            kit.wait_for("the refusal in the log", lambda: said("the server answers 503"))
            api.get(vhost)
            kit.check_equal(set(asked), {"/d.json"}, "what was asked")
        stranger = pathlib.Path(os.environ["TMPDIR"]) / "stranger"
        stranger.mkdir()
        settings["definitions.tls.cacertfile"] = certificates.Authority(stranger, "other").file
        words = (word for key, value in settings.items() for word in ("--set", f"{key}={value}"))
        told = subprocess.run([str(kit.binary()), "--check-config", *words], capture_output=True, text=True, timeout=60,
                              check=False)
        kit.check(told.returncode == 78 and "definitions.https.url" in told.stderr and "certificate" in told.stderr,
                  f"a server that nothing vouches for: {told}")
