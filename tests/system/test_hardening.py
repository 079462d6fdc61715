"""The steps of docs/security.md, all at once: a cluster that was hardened does its work, and what was closed is closed."""

import base64
import http.client
import os
import pathlib
import socket
import stat
import subprocess

import amqp
import kit
from certificates import Authority
from places import free_base_port
from test_tls import HEADER, LOGIN

PASSWORD = "a password of the operator"
MESSAGE = b"a body that no log shall show"


def closed(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return True
    return False


def request(port, context, user, password, path="/api/overview", method="GET", body=None):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        connection.request(method, path, body, {"Authorization": f"Basic {login}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_the_steps_of_hardening():
    """Own user, TLS alone, client certificates, HTTPS, passwords judged, modes of files: together, and tried"""
    folder = pathlib.Path(os.environ["TMPDIR"])
    authority = Authority(folder)
    server = authority.issue("server")
    amqps, https = free_base_port(), free_base_port()
    settings = {
        "default_user": "operator", "default_pass": PASSWORD,
        "listeners.tcp": "none", "listeners.ssl.default": f"127.0.0.1:{amqps}",
        "ssl_options.cacertfile": authority.file, "ssl_options.certfile": server[0], "ssl_options.keyfile": server[1],
        "ssl_options.verify": "verify_peer", "ssl_options.fail_if_no_peer_cert": "true",
        "ssl_cert_login_from": "common_name", "auth_mechanisms.1": "EXTERNAL",
        "management.ssl.port": https, "management.ssl.ip": "127.0.0.1", "management.ssl.certfile": server[0],
        "management.ssl.keyfile": server[1],
        "credential_validator.validation_backend": "rabbit_credential_validator_min_password_length",
        "credential_validator.min_length": 12, "password_hashing_module": "rabbit_password_hashing_sha512"}
    with kit.cluster(nodes=1, settings={key: str(value) for key, value in settings.items() if key != "listeners.tcp"}) as cluster:
        node = cluster.nodes[0]
        context = authority.context()
        kit.terminate(node)
        config = node.dir / "warren.conf"
        kept = [line for line in config.read_text().splitlines() if not line.startswith("listeners.tcp")]
        data = node.dir / "of-the-node"  # made by the node
        config.write_text("\n".join(["listeners.tcp = none", *kept, f"data_dir = {data}"]) + "\n")
        node.process.start([cluster.binary, "--config", str(config)])
        kit.wait_for("the node is up", lambda: request(https, context, "operator", PASSWORD) == 200, timeout=60)
        # 1: a user of our own, and no guest
        kit.check_equal(request(https, context, "guest", "guest"), 401, "guest")
        # 2: no plain port; 3: nobody without a certificate, nobody with a password
        kit.check(closed(node.host, node.amqp_port), "the plain port answers")
        kit.check(not talks(amqps, context), "a client without a certificate got an answer")
        person = authority.issue("operator", "/CN=operator")
        raw = authority.context(person).wrap_socket(socket.create_connection(("127.0.0.1", amqps), timeout=10),
                                                    server_hostname="localhost")
        with raw:
            raw.sendall(HEADER)
            start = raw.recv(4096)
            kit.check(b"EXTERNAL" in start and b"PLAIN" not in start, f"offered: {start!r}")
            raw.sendall(LOGIN)
            kit.check_equal(raw.recv(4096), b"", "an answer to a password")
            kit.check("unknown authentication mechanism 'PLAIN'" in kit.read_log(node), "the log does not say why")
        # passwords are judged, and kept as configured
        kit.check_equal([request(https, context, "operator", PASSWORD, "/api/users/a", "PUT", f'{{"password":"{word}","tags":""}}')
                         for word in ("short", "long enough for it")], [400, 201], "new passwords")
        # 9: files are the service's own; nothing secret is in what it writes down
        mode = stat.S_IMODE(data.stat().st_mode)
        kit.check(not mode & 0o027, f"data_dir has mode {mode:o}")
        log = kit.read_log(node)
        for secret in (PASSWORD, (cluster.dir / "secret").read_text().strip()):
            kit.check(secret not in log, "a secret is in the log")
        found = subprocess.run(["grep", "-rlF", PASSWORD, str(data)], capture_output=True, text=True, check=False)
        kit.check_equal(found.stdout, "", "files with the password")


def talks(port, context):
    try:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=5), server_hostname="localhost") as client:
            client.sendall(HEADER)
            return client.recv(1) == b"\x01"
    except OSError:
        return False


def test_no_user_at_all():
    """default_user empty: nobody can log in, by AMQP or HTTP, until definitions bring users"""
    with kit.cluster(nodes=1, settings={"default_user": ""}) as cluster:
        node = cluster.nodes[0]
        try:
            kit.connect(node)
            raise AssertionError("guest was let in")
        except amqp.Closed as refusal:
            kit.check_equal(refusal.code, 403, "reply code")
        kit.check_equal(status_of(node), 401, "HTTP")


def status_of(node):
    connection = http.client.HTTPConnection(node.host, node.http_port, timeout=10)
    connection.request("GET", "/api/overview", headers={"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()})
    return connection.getresponse().status
