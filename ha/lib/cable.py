"""A line between two sites: a TCP forwarder that can be cut, held and slowed."""

import select
import socket
import threading
import time

CHUNK = 65536
PATIENCE = 0.002  # how late a byte may leave


class Pipe:
    """One direction of one connection. Bytes leave `delay` seconds after they came."""

    def __init__(self, cable, source, target):
        self.cable, self.source, self.target = cable, source, target
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        waiting = []  # (when it may go, bytes)
        try:
            while True:
                if select.select([self.source], [], [], PATIENCE)[0]:
                    data = self.source.recv(CHUNK)
                    if not data:
                        break
                    waiting.append((time.monotonic() + self.cable.delay, data))
                while waiting and not self.cable.held and waiting[0][0] <= time.monotonic():
                    self.target.sendall(waiting.pop(0)[1])
        except (OSError, ValueError):  # cut: the descriptor may be gone already
            pass
        for end in (self.source, self.target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Cable:
    """Forwards 127.0.0.1:port to one of `targets` [(host, port)], the first that answers."""

    def __init__(self, targets):
        self.targets = targets
        self.delay, self.held, self.refusing = 0.0, False, False
        self.lock, self.sockets = threading.Lock(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = None if self.refusing else self.reach()
            if far is None:
                near.close()
                continue
            with self.lock:
                self.sockets += [near, far]
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Pipe(self, near, far)
            Pipe(self, far, near)

    def reach(self):
        for target in self.targets:
            try:
                far = socket.create_connection(target, timeout=1)
                far.settimeout(None)
                return far
            except OSError:
                continue
        return None

    def cut(self):
        """Breaks every connection, and refuses new ones until heal()."""
        self.refusing = True
        with self.lock:
            broken, self.sockets = self.sockets, []
        for end in broken:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def hold(self):
        """Nothing passes, and nobody is told."""
        self.held = True

    def heal(self):
        self.refusing = self.held = False

    def close(self):
        self.cut()
        self.listener.close()
