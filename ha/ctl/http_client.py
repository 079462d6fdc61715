"""HTTP/1.1, as much as a management API needs: requests one after the other over one kept connection.

Python's own http.client takes longer to load than a command takes to run; this is a tenth of it.
"""

import socket

from .outcome import TimedOut, Unreachable

HEAD_MAX = 64 * 1024       # bytes of a response's head
READ_SIZE = 256 * 1024
CONNECT_TIMEOUT = 5.0      # seconds, at most the command's own limit


class Connection:
    """To one origin: http, https, or unix with a socket's path as host. Not for threads."""

    def __init__(self, scheme, host, port, ca_file=None, verify=True):
        self.scheme, self.host, self.port = scheme, host, port
        self.ca_file, self.verify = ca_file, verify
        self.socket, self.rest = None, b""

    def request(self, method, path, headers, body, timeout):
        """Gives (status, headers with small names, body). Raises Unreachable or TimedOut."""
        fresh = self.socket is None
        try:
            return self._attempt(method, path, headers, body, timeout)
        except (ConnectionError, EOFError) as error:
            self.close()
            if fresh or method != "GET":
                raise Unreachable(self.url(), str(error) or "the connection was closed") from None
        return self._attempt_again(method, path, headers, body, timeout)

    def _attempt_again(self, *request):
        """A kept connection may have been closed by the node meanwhile; what only reads is asked once more."""
        try:
            return self._attempt(*request)
        except (ConnectionError, EOFError) as error:
            self.close()
            raise Unreachable(self.url(), str(error) or "the connection was closed") from None

    def url(self):
        if self.scheme == "unix":
            return f"unix:{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.rest = None, b""

    def _open(self, timeout):
        try:
            if self.scheme == "unix":
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.settimeout(min(timeout, CONNECT_TIMEOUT))
                self.socket.connect(self.host)
            else:
                self.socket = socket.create_connection((self.host, self.port), timeout=min(timeout, CONNECT_TIMEOUT))
            if self.scheme == "https":
                self.socket = self._secure(self.socket)
        except OSError as error:
            self.socket = None
            raise Unreachable(self.url(), error.strerror or str(error)) from None

    def _secure(self, plain):
        import ssl
        context = ssl.create_default_context(cafile=self.ca_file)
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=self.host)

    def _attempt(self, method, path, headers, body, timeout):
        if self.socket is None:
            self._open(timeout)
        host = "localhost" if self.scheme == "unix" else f"{self.host}:{self.port}"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None or method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(body or b'')}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.socket.settimeout(timeout)
        try:
            self.socket.sendall(head + (body or b""))
            return self._read_response(method)
        except TimeoutError:
            self.close()
            raise TimedOut() from None

    def _read_response(self, method):
        while b"\r\n\r\n" not in self.rest:
            if len(self.rest) > HEAD_MAX:
                raise Unreachable(self.url(), "it does not speak HTTP")
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
            raise Unreachable(self.url(), "it does not speak HTTP")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(words[1])
        if status == 100:
            return self._read_response(method)
        body = b"" if method == "HEAD" or status in (204, 304) else self._read_body(headers)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body

    def _read_body(self, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        if "content-length" in headers:
            return self._take(int(headers["content-length"]))
        parts = [self.rest]
        while parts[-1] or len(parts) == 1:
            parts.append(self.socket.recv(READ_SIZE))
        self.close()
        return b"".join(parts)

    def _read_chunks(self):
        parts = []
        while True:
            size = int(self._line().split(b";")[0], 16)
            if size == 0:
                while self._line():
                    pass
                return b"".join(parts)
            parts.append(self._take(size))
            self._take(2)

    def _line(self):
        while b"\r\n" not in self.rest:
            self._more()
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def _take(self, size):
        parts, have = [self.rest], len(self.rest)
        while have < size:
            parts.append(self._receive())
            have += len(parts[-1])
        all_of_it = b"".join(parts)
        self.rest = all_of_it[size:]
        return all_of_it[:size]

    def _more(self):
        self.rest += self._receive()

    def _receive(self):
        data = self.socket.recv(READ_SIZE)
        if not data:
            raise EOFError("the connection was closed in the middle of an answer")
        return data
