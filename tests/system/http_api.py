"""The management API as a client sees it: requests with JSON in and out, and RabbitMQ's own tool for it."""

import base64
import http.client
import json
import pathlib
import subprocess
import urllib.parse

import kit

ADMIN_PLACES = ("/usr/lib/rabbitmq/lib", "/usr/share/rabbitmq", "/usr/local/bin")
TIMEOUT = 20.0


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Api:
    """One node's API, as one user."""

    prefix = "/api"

    def __init__(self, node, user="guest", password="guest"):
        self.address = (node.host, node.http_port)
        self.login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def __call__(self, method, path, body=None, expect=None, **headers):
        connection = http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        try:
            text = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
            connection.request(method, self.prefix + path, text, {"Authorization": self.login, **headers})
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        finally:
            connection.close()
        if expect is not None:
            kit.check_equal(reply.status, expect, f"{method} {path} ({reply.body[:300]!r})")
        return reply

    def get(self, path):
        return self("GET", path, expect=200).json

    def put(self, path, body=None, expect=201):
        return self("PUT", path, {} if body is None else body, expect=expect)

    def post(self, path, body=None, expect=200):
        return self("POST", path, {} if body is None else body, expect=expect)

    def delete(self, path, expect=204, **headers):
        return self("DELETE", path, expect=expect, **headers)


def name(text):
    return urllib.parse.quote(text, safe="")


class Admin:
    """RabbitMQ's rabbitmqadmin, unchanged, from wherever its package put it; or another script with its command line."""

    def __init__(self, node, script=None):
        self.node, self.script = node, script or find_admin()

    def __call__(self, *words):
        result = subprocess.run(["/usr/bin/python3", self.script, "-H", self.node.host, "-P", str(self.node.http_port),
                                 *words], capture_output=True, text=True, timeout=60, check=False)
        kit.check_equal(result.returncode, 0, f"rabbitmqadmin {' '.join(words)} ({result.stdout} {result.stderr})")
        return result.stdout

    def rows(self, *words):
        return json.loads(self("-f", "raw_json", *words))


def find_admin():
    for place in ADMIN_PLACES:
        for found in pathlib.Path(place).glob("**/rabbitmqadmin"):
            if found.is_file():
                return str(found)
    raise kit.Skip("rabbitmqadmin is not installed; it is part of the package rabbitmq-server")
