"""RabbitMQ's command line tools without an Erlang machine to start for each command: one per tool stays and is asked.

RabbitMQ's own scripts start the machines, with their environment and switches; rabbitmq_tools.erl in front of the tool takes the
command lines. Output, complaints and exit codes are those of the tool.
"""

import base64
import os
import socket
import struct
import subprocess
import zipfile

from rabbitmq import ROOT, TOOLS

START_TIMEOUT, ANSWER_TIMEOUT = 60.0, 60.0
SOURCE = ROOT / "tests" / "lib" / "rabbitmq_tools.erl"


class Tools:
    def __init__(self, node):
        self.node, self.folder, self.machines = node, node.dir / "tools", {}

    def __enter__(self):
        """The modules of the tools, which are an archive behind a line for the shell, and ours."""
        with zipfile.ZipFile(next(TOOLS.parent.glob("lib/*/escript/rabbitmqctl"))) as archive:
            archive.extractall(self.folder)
        subprocess.run(["erlc", "-o", str(self.folder), str(SOURCE)], check=True, timeout=START_TIMEOUT)
        return self

    def __exit__(self, *_):
        for machine in self.machines.values():
            machine.close()

    def run(self, tool, *words):
        """(exit code, output, complaints), as from the tool itself."""
        if tool not in self.machines:
            self.machines[tool] = Machine(tool, self.folder, self.node.environment())
        return self.machines[tool].ask(words)


class Machine:
    def __init__(self, tool, folder, environment):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(START_TIMEOUT)
            switches = f"-pa {folder} -run rabbitmq_tools start {server.getsockname()[1]}"
            self.process = subprocess.Popen([str(TOOLS / tool)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            env={**environment, "RABBITMQ_CTL_ERL_ARGS": switches})
            try:
                self.socket, _ = server.accept()
            except BaseException:
                self.process.kill()
                raise
        self.socket.settimeout(ANSWER_TIMEOUT)

    def ask(self, words):
        line = b"\0".join(map(os.fsencode, words))
        self.socket.sendall(struct.pack(">I", len(line)) + line)
        size, = struct.unpack(">I", self.read(4))
        code, output, complaints = self.read(size).split(b" ")
        return int(code), *(base64.b64decode(text).decode() for text in (output, complaints))

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise OSError("the Erlang machine of RabbitMQ's tools has ended")
            data += more
        return data

    def close(self):
        self.socket.close()     # it ends then
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
