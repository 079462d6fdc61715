"""The management API of one node: JSON in, JSON out, and every refusal as an exception with the node's own words."""

import binascii
import json
import time

from .http_client import Connection
from .outcome import CONFIGURATION, Failure, Refused, TimedOut

# Where a request was made for something that the node's version does not offer.
NOT_OFFERED = ("the node at {url} does not offer {method} {path}: either its version is older than this tool, or the "
               "feature is not there")
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def quote(text):
    """One part of a path; `/` is escaped too."""
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in str(text).encode())


def path_of(*parts):
    """/api/... of parts that are names."""
    return "/api/" + "/".join(quote(part) for part in parts)


def split_url(url):
    """(scheme, host, port) of a URL; anything behind the port is dropped. Of a socket of this machine: ("unix", path, 0)."""
    if url.startswith("unix:"):
        path = url.removeprefix("unix:")
        return "unix", path[2:] if path.startswith("//") else path, 0
    scheme, found, rest = url.partition("://")
    if not found:
        scheme, rest = "http", url
    rest = rest.split("/", 1)[0].rpartition("@")[2]
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        port = port.lstrip(":")
    else:
        host, _, port = rest.partition(":")
    if scheme not in ("http", "https") or not host or (port and not port.isdigit()):
        raise Failure(f"'{url}' is not a URL like http://host:15672", CONFIGURATION)
    return scheme, host, int(port or (15671 if scheme == "https" else 15672))


class Api:
    """Requests to one URL as one user. `timeout` is in seconds and counts for each request."""

    def __init__(self, url, username, password, timeout, ca_file=None, verify=True):
        self.connection = Connection(*split_url(url), ca_file=ca_file, verify=verify)
        self.url, self.timeout = self.connection.url(), timeout
        self.username, self.password = username, password
        self.deadline = None    # a command that waits sets it: monotonic seconds

    @property
    def host(self):
        """Where the node's other ports are."""
        return "127.0.0.1" if self.connection.scheme == "unix" else self.connection.host

    def as_user(self, username, password):
        return Api(self.url, username, password, self.timeout, self.connection.ca_file, self.connection.verify)

    def exchange(self, method, path, body=None, headers=None):
        """(status, body) whatever the status is."""
        timeout = self.timeout
        if self.deadline is not None:
            timeout = min(timeout, self.deadline - time.monotonic())
            if timeout <= 0:
                raise TimedOut()
        all_headers = {"Accept": "*/*", "User-Agent": "warrenctl"}
        if self.username is not None:   # without a name: who may write to the node's socket
            secret = binascii.b2a_base64(f"{self.username}:{self.password}".encode(), newline=False).decode()
            all_headers["Authorization"] = f"Basic {secret}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            all_headers["Content-Type"] = "application/json"
        status, _, answer = self.connection.request(method, path, {**all_headers, **(headers or {})}, data, timeout)
        return status, answer

    def call(self, method, path, body=None, headers=None):
        """The decoded answer of a success, None when it is empty; raises Refused otherwise."""
        status, answer = self.exchange(method, path, body, headers)
        if 200 <= status < 300:
            return json.loads(answer) if answer.strip() else None
        raise Refused(status, self._reason(status, answer, method, path), method, path)

    def _reason(self, status, answer, method, path):
        try:
            decoded = json.loads(answer)
            error, reason = decoded.get("error"), decoded.get("reason")
        except (ValueError, AttributeError):
            error = reason = None
        text = reason if isinstance(reason, str) else json.dumps(reason) if reason else error
        if status == 401 and self.username is None:
            return (f"{text or 'access refused'}: {self.url} is for root and the user that the node runs as; name another "
                    "user with --username and --password")
        if status == 401:
            return (f"{text or 'access refused'}: the node at {self.url} does not let user '{self.username}' use this "
                    "tool. Name another one with --username and --password, or WARREN_USERNAME and WARREN_PASSWORD")
        if status == 403:
            return f"{text or 'access refused'}: user '{self.username}' may not do this"
        if status in (404, 405) and (status == 405 or not error):
            return NOT_OFFERED.format(url=self.url, method=method, path=path.split("?")[0])
        return text or f"the node answers {method} {path} with HTTP status {status}"

    def get(self, path):
        return self.call("GET", path)

    def put(self, path, body):
        return self.call("PUT", path, body)

    def post(self, path, body=None):
        return self.call("POST", path, body if body is not None else {})

    def delete(self, path, body=None, headers=None):
        return self.call("DELETE", path, body, headers)

    def find(self, path):
        """What is at a path, or None when the node says that there is nothing."""
        try:
            return self.get(path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def find_and_delete(self, path):
        """Deletes what is at a path; it is no failure that there is nothing."""
        try:
            self.delete(path)
        except Refused as refused:
            if refused.status != 404:
                raise
