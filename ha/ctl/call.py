"""One run of a command: its words, its switches, and the node that it talks to."""

import time

from . import target
from .api import path_of
from .outcome import Failure, Refused, TimedOut, Unreachable

POLL_INTERVAL = 0.2     # seconds between two questions of a command that waits


class Call:
    def __init__(self, command, tool, words, options):
        self.command, self.tool, self.words, self.options = command, tool, words, options
        self.vhost = options.get("vhost", "/")
        self.formatter = options.get("formatter")
        self.quiet = bool(options.get("quiet") or options.get("silent"))
        self.timeout = options.get("timeout") or command.default_timeout
        self._api = self._node = None

    @property
    def api(self):
        if self._api is None:
            self._api = target.connect(self.options, self.timeout)
        return self._api

    @property
    def node(self):
        """The name of the node that is asked."""
        if self._node is None:
            self._node = target.wanted_name(self.options) or self.api.get("/api/overview")["node"]
        return self._node

    def ask_any_node(self):
        """From now on, another node of the cluster than the named one is asked; for what is about a node that is down."""
        self._api = target.connect({name: value for name, value in self.options.items() if name != "node"}, self.timeout)

    def node_or_url(self):
        """The same for lines above a result, which must not fail because nobody answers."""
        try:
            return self.node
        except Failure:
            return self.options.get("node") or self.api.url

    def option(self, name, otherwise=None):
        return self.options.get(name, otherwise)

    # What many commands ask

    def has_vhost(self, vhost=None):
        return self.api.find(path_of("vhosts", self.vhost if vhost is None else vhost)) is not None

    def has_user(self, user):
        return self.api.find(path_of("users", user)) is not None

    def is_ready(self):
        """(True, "") when the node serves clients, else (False, why)."""
        for path in ("/health/ready", "/api/health/checks/ready-to-serve-clients", "/api/overview"):
            try:
                status, body = self.api.exchange("GET", path)
            except Unreachable as error:
                return False, error.text
            if status not in (404, 405):
                why = body.decode(errors="replace").strip() or f"status {status}"
                return status == 200, "" if status == 200 else why
        return False, f"{self.api.url} is not a node's management API"

    def wait(self, question, progress=None):
        """Asks until the answer is (True, ...), and gives the second half; a Failure after the time limit."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                good, text = question()
            except (Unreachable, Refused, TimedOut) as error:
                good, text = False, error.text
            if good:
                if progress:
                    progress.end()
                return text
            if time.monotonic() >= end:
                if progress:
                    progress.end()
                raise TimedOut()
            if progress:
                progress.show(text.splitlines()[0] if text else "not yet")
            time.sleep(POLL_INTERVAL)
