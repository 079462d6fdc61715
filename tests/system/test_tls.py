"""TLS towards clients, between nodes and on the management port, with certificates that openssl makes for each test."""

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import ssl
import subprocess

import kit
from amqp_codec import FRAME_METHOD, encode_frame, encode_method
from certificates import Authority
from cluster_node import AUTHORIZATION
from ports import free_base_port
from test_clients import SCRIPTS, python_with_pika, run

HEADER = b"AMQP\x00\x00\x09\x01"
LOGIN = encode_frame(FRAME_METHOD, 0, encode_method("connection.start-ok", {
    "client_properties": {}, "mechanism": "PLAIN", "response": "\0guest\0guest", "locale": "en_US"}))
STEPS = 10  # of pika_everyday.py


def directory(name):
    path = pathlib.Path(os.environ["TMPDIR"]) / name
    path.mkdir()
    return path


class Secured:
    """A cluster of one with a TLS listener."""

    def __init__(self, authority, settings):
        self.authority, self.port = authority, free_base_port()
        certificate, key = authority.issue("server")
        self.settings = {"listeners.ssl.default": f"127.0.0.1:{self.port}", "ssl_options.cacertfile": authority.file,
                         "ssl_options.certfile": certificate, "ssl_options.keyfile": key, **(settings or {})}
        self.settings = {key: str(value) for key, value in self.settings.items()}
        self.node = None

    def addresses(self):
        return [("127.0.0.1", self.port)]

    def log(self):
        return kit.read_log(self.node)

    def handshake(self, context, name="localhost"):
        """A TLS connection that has said AMQP's header and was answered."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=kit.PATIENCE)
        try:
            connection = context.wrap_socket(raw, server_hostname=name)
            connection.sendall(HEADER)
            kit.check(connection.recv(1) == b"\x01", "no connection.start")
            return connection
        except BaseException:
            raw.close()
            raise


@contextlib.contextmanager
def secured(settings=None, authority=None):
    made = Secured(authority or Authority(directory("ca")), settings)
    with kit.cluster(nodes=1, settings=made.settings) as cluster:
        made.node = cluster.nodes[0]
        yield made


def refused(made, context):
    """The server ends the handshake; with TLS 1.3 the client learns it with its first read."""
    try:
        made.handshake(context).close()
    except (OSError, AssertionError):
        return True
    return False


def pika_tls(made, *words):
    return run(made, [python_with_pika(), str(SCRIPTS / "pika_tls.py")], str(made.authority.file), *map(str, words))


def subject(connection):
    return dict(pair for part in connection.getpeercert()["subject"] for pair in part)["commonName"]


def test_everyday_work_over_tls():
    """pika does its everyday work over TLS 1.2 and 1.3; the API says how each connection is protected"""
    with secured({"shards": "2"}) as made:
        output = run(made, [python_with_pika(), str(SCRIPTS / "pika_everyday.py")], str(made.authority.file))
        kit.check_equal(output.count("ok: "), STEPS, "steps of pika_everyday.py")
        for version, name in ((ssl.TLSVersion.TLSv1_2, "tlsv1.2"), (ssl.TLSVersion.TLSv1_3, "tlsv1.3")):
            with made.handshake(made.authority.context(version=version)) as connection:
                listed = kit.wait_for("the connection is listed", lambda: [
                    c for c in made.node.get_json("/api/connections") if c["ssl"]
                    and c["peer_port"] == connection.getsockname()[1]])[0]
                kit.check_equal(listed["ssl_protocol"], name, "ssl_protocol")
                kit.check("gcm" in listed["ssl_cipher"] and listed["ssl_hash"] == "aead", f"ssl_cipher: {listed}")


def test_versions_and_ciphers():
    """ssl_options.versions and ciphers bound what is agreed on"""
    with secured({"ssl_options.versions.1": "tlsv1.2", "ssl_options.ciphers.1": "ECDHE-ECDSA-AES128-GCM-SHA256"}) as made:
        with made.handshake(made.authority.context()) as connection:
            kit.check_equal(connection.cipher()[:2], ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2"), "agreed on")
        kit.check(refused(made, made.authority.context(version=ssl.TLSVersion.TLSv1_3)), "TLS 1.3 was served")
        kit.wait_for("a line says why", lambda: "unsupported protocol" in made.log())


def test_client_certificates():
    """EXTERNAL: the name in a verified certificate logs in; strangers, nobodies and those without are refused"""
    settings = {"ssl_options.verify": "verify_peer", "ssl_options.fail_if_no_peer_cert": "true", "auth_mechanisms.1": "EXTERNAL",
                "auth_mechanisms.2": "PLAIN", "ssl_cert_login_from": "common_name"}
    with secured(settings) as made:
        guest = made.authority.issue("guest", "/O=Example/CN=guest")
        nobody = made.authority.issue("nobody", "/CN=nobody")
        kit.check_equal(pika_tls(made, "external", *guest).strip(), "ok", "guest, by its certificate")
        with made.handshake(made.authority.context(guest)):
            listed = kit.wait_for("the connection is listed", lambda: made.node.get_json("/api/connections"))[0]
            kit.check_equal(listed["peer_cert_subject"], "CN=guest,O=Example", "peer_cert_subject")
            kit.check_equal(listed["peer_cert_issuer"], "CN=ca", "peer_cert_issuer")
        try:
            pika_tls(made, "external", *nobody)
            raise AssertionError("nobody was let in") from None
        except AssertionError as error:
            kit.check("ProbableAuthenticationError" in str(error), f"nobody: {error}")
        kit.check(refused(made, made.authority.context()), "a client without a certificate was served")
        kit.wait_for("a line says so", lambda: "peer did not return a certificate" in made.log())
        stranger = Authority(directory("strangers"), "stranger").issue("guest", "/CN=guest")
        kit.check(refused(made, made.authority.context(stranger)), "another authority's certificate was taken")
        kit.wait_for("a line says so", lambda: "certificate was refused" in made.log())


def test_name_in_the_alternative_names():
    """EXTERNAL with ssl_cert_login_from = subject_alternative_name takes the chosen one"""
    settings = {"ssl_options.verify": "verify_peer", "auth_mechanisms.1": "EXTERNAL",
                "ssl_cert_login_from": "subject_alternative_name", "ssl_cert_login_san_type": "email",
                "ssl_cert_login_san_index": "1"}
    with secured(settings) as made:
        certificate = made.authority.issue("guest", "/CN=x", "email:first@example.com,email:guest,DNS:guest.example.com")
        kit.check_equal(pika_tls(made, "external", *certificate).strip(), "ok", "guest, by its second e-mail address")
        other = made.authority.issue("other", "/CN=guest", "email:guest")
        try:
            pika_tls(made, "external", *other)
            raise AssertionError("it was let in") from None
        except AssertionError as error:
            kit.check("ProbableAuthenticationError" in str(error), f"a certificate without a second address: {error}")
        kit.wait_for("a line says why", lambda: "no such name" in made.log())


def test_server_names():
    """SNI: a client gets the certificate of the name that it asks for, others the first"""
    authority = Authority(directory("ca"))
    first, second = (authority.issue(name, f"/CN={name}", f"DNS:{names}")
                     for name, names in (("one", "one.example.com"), ("any", "*.any.example.com")))
    with secured({"ssl_options.sni.1.hostname": "one.example.com", "ssl_options.sni.1.certfile": first[0],
                  "ssl_options.sni.1.keyfile": first[1], "ssl_options.sni.2.hostname": "*.any.example.com",
                  "ssl_options.sni.2.certfile": second[0], "ssl_options.sni.2.keyfile": second[1]}, authority) as made:
        for name, wanted in (("one.example.com", "one"), ("x.any.example.com", "any"), ("localhost", "localhost")):
            with made.handshake(authority.context(), name) as connection:
                kit.check_equal(subject(connection), wanted, f"the certificate for {name}")


def break_file(path):
    """At once: half of a file would be another one."""
    broken = pathlib.Path(f"{path}.broken")
    broken.write_text("broken\n")
    broken.replace(path)


def test_certificates_are_read_again():
    """New certificate files are served within seconds and on SIGHUP while connections go on; a broken file changes nothing"""
    with secured() as made:
        holder = subprocess.Popen([python_with_pika(), str(SCRIPTS / "pika_tls.py"), "127.0.0.1", str(made.port),
                                   str(made.authority.file), "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            kit.check_equal(holder.stdout.readline(), "ok\n", "the client before")

            def served():
                with made.handshake(made.authority.context()) as connection:
                    return subject(connection)
            made.authority.issue("server", "/CN=fresh")
            kit.wait_for("the new certificate is served", lambda: served() == "fresh")
            kit.check("certificates_read" in made.log(), "no line says so")
            before = made.log().count("certificates_kept")     # one, if it has looked when there was half of the new pair
            break_file(made.settings["ssl_options.certfile"])
            kit.wait_for("a line says that the old ones are kept", lambda: made.log().count("certificates_kept") > before)
            kit.check_equal(served(), "fresh", "with a broken file")
            kit.check_equal(made.log().count("certificates_kept"), before + 1, "lines about one broken file")
            made.authority.issue("server", "/CN=third")
            made.node.process.send(signal.SIGHUP)
            kit.wait_for("SIGHUP reads it", lambda: served() == "third")
            holder.stdin.write("\n")
            holder.stdin.flush()
            kit.check_equal(holder.stdout.readline(), "ok\n", "the client that was there all the time")
            kit.check_equal(holder.wait(60), 0, "its exit code")
        finally:
            holder.kill()
            holder.wait()


def test_wrong_files_stop_the_start():
    """warrend names key and file when a certificate, key or password is wrong, also with --check-config"""
    authority = Authority(directory("ca"))
    server, other = authority.issue("server"), authority.issue("other")
    base = {"data_dir": directory("data"), "listeners.ssl.default": "127.0.0.1:5671", "ssl_options.certfile": server[0],
            "ssl_options.keyfile": server[1]}
    for change, words in (({"ssl_options.certfile": "/nowhere.pem"}, "ssl_options.certfile = /nowhere.pem: No such file"),
                          ({"ssl_options.keyfile": other[1]}, "does not belong to the certificate"),
                          ({"ssl_options.verify": "verify_peer"}, "ssl_options.cacertfile is needed"),
                          ({"ssl_options.verify": "perhaps"}, "verify_none|verify_peer"),
                          ({"ssl_options.certfile": ""}, "ssl_options.certfile is needed"),
                          ({"management.ssl.port": 1, "management.ssl.certfile": "/nowhere.pem"},
                           "management.ssl.certfile = /nowhere.pem: No such file"),
                          ({"cluster.ssl.certfile": server[0], "cluster.ssl.cacertfile": "/nowhere.pem"},
                           "cluster.ssl.cacertfile = /nowhere.pem: No such file"),
                          ({"proxy_protocol": "auto"}, "proxy_protocol.trusted")):
        sets = [word for key, value in {**base, **change}.items() for word in ("--set", f"{key}={value}")]
        result = subprocess.run([str(kit.binary()), "--check-config", *sets], capture_output=True, text=True, timeout=20,
                                check=False)
        kit.check(result.returncode != 0 and words in result.stderr, f"{change}: {result.returncode} {result.stderr!r}")


def test_strangers_at_the_ports():
    """TLS on the plain port, AMQP on the TLS port, HTTP on either: one clear line each; a silent probe: none, and not counted"""
    with secured() as made:
        plain = ("127.0.0.1", made.node.amqp_port)
        before = kit.metric(made.node, "rabbitmq_connections_opened_total")
        for address in (plain, made.addresses()[0]):
            for _ in range(3):
                socket.create_connection(address, timeout=5).close()
        for address, words, line in (
                (plain, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS client hello on the plain AMQP port"),
                (plain, b"GET / HTTP/1.1\r\n\r\n", "HTTP request on the AMQP port"),
                (made.addresses()[0], HEADER, "plain AMQP on the TLS port"),
                (made.addresses()[0], b"GET / HTTP/1.1\r\n\r\n", "not TLS on the TLS port")):
            with socket.create_connection(address, timeout=kit.PATIENCE) as stranger:
                stranger.sendall(words)
                kit.wait_for(line, lambda line=line: line in made.log())
        lines = [line for line in made.log().splitlines() if " connection " in line]
        kit.check_equal(len(lines), 4, f"lines about connections {lines}")
        kit.check_equal(kit.metric(made.node, "rabbitmq_connections_opened_total") - before, 2, "connections that are counted")


def ends_within(stranger, seconds):
    stranger.settimeout(seconds)
    try:
        while stranger.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_slow_and_silent_clients_are_sent_away():
    """Slow loris: handshakes have a limit as a whole, with TLS and without; a client that stops sending loses its connection"""
    with secured({"handshake_timeout": "1500", "ssl_handshake_timeout": "700"}) as made:
        plain = ("127.0.0.1", made.node.amqp_port)
        for address, first in ((plain, b""), (plain, b"AM"), (plain, HEADER), (made.addresses()[0], b""),
                               (made.addresses()[0], b"\x16\x03\x01")):
            with socket.create_connection(address, timeout=kit.PATIENCE) as stranger:
                stranger.sendall(first)
                kit.check(ends_within(stranger, kit.PATIENCE), f"still there after {first!r}")
        kit.check("TLS handshake timeout" in made.log(), "no line about the TLS handshake")
        with socket.create_connection(plain, timeout=kit.PATIENCE) as drip:
            drip.settimeout(0.3)
            for at in range(60):  # a byte now and then does not buy more time
                try:
                    drip.sendall(HEADER[at:at + 1] or b"\x01")
                    if drip.recv(4096) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            else:
                raise AssertionError("a client that sends a byte now and then is still there")
        silent = kit.connect(made.node, heartbeat=1)
        silent.call(1, "queue.declare", queue="mine", exclusive=True)
        kit.check(ends_within(silent._socket.dup(), kit.PATIENCE), "a client without heartbeats is still there")

        def gone():
            return all(queue["name"] != "mine" for queue in made.node.get_json("/api/queues"))
        kit.wait_for("its exclusive queue is gone", gone)


def test_links_over_tls():
    """Nodes with cluster.ssl: the cluster forms, a dead leader is replaced, and a plain node is turned away in words"""
    authority = Authority(directory("ca"))
    certificate, key = authority.issue("node")
    settings = {"shards": 2, "cluster.ssl.cacertfile": authority.file, "cluster.ssl.certfile": certificate, "cluster.ssl.keyfile": key}
    with kit.cluster(settings={name: str(value) for name, value in settings.items()}) as cluster:
        first, second, third = cluster.nodes
        with kit.connected(first) as connection:
            kit.declare(connection, "work")
            kit.publish(connection, "work", kit.numbered(500))
            kit.publish(connection, "work", [os.urandom(3 << 20)])
        leader = cluster.leader("work")
        kit.kill(leader)
        survivor = next(node for node in (second, third) if node is not leader)
        with kit.connected(survivor) as connection:
            kit.check_equal(kit.bodies_of(kit.consume(connection, "work", 500)), kit.numbered(500), "after the leader's death")
        kit.start(cluster, leader)
        plain = kit.others(cluster, survivor)[0]
        kit.terminate(plain)
        plain.write_config()
        config = plain.dir / "warren.conf"
        config.write_text("".join(line for line in config.read_text().splitlines(True) if "cluster.ssl" not in line))
        plain.process.start([cluster.binary, "--config", str(config)])
        for node in (plain, survivor):
            kit.wait_for(f"{node.name} says that cluster.ssl differs", lambda node=node: "cluster.ssl differs" in kit.read_log(node))


def https_get(port, context, path="/api/overview"):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=kit.PATIENCE, context=context)
    try:
        connection.request("GET", path, headers={"Authorization": AUTHORIZATION})
        answer = connection.getresponse()
        return answer.status, answer.read(), connection.sock.getpeercert()["subject"][-1][0][1]
    finally:
        connection.close()


def test_https():
    """HTTPS beside plain HTTP: API and health, TLS 1.2 and newer; new certificates are served within seconds, broken ones are not"""
    authority, port = Authority(directory("ca")), free_base_port()
    certificate, key = authority.issue("web", "/CN=before")
    settings = {"management.ssl.port": port, "management.ssl.ip": "127.0.0.1", "management.ssl.certfile": certificate,
                "management.ssl.keyfile": key, "management.ssl.cacertfile": authority.file}
    with kit.cluster(nodes=1, settings={name: str(value) for name, value in settings.items()}) as cluster:
        node = cluster.nodes[0]
        context = authority.context()
        context.check_hostname = True
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            status, body, name = https_get(port, authority.context(version=version))
            kit.check_equal((status, name), (200, "before"), f"overview over {version}")
            kit.check(b"rabbitmq_version" in body, f"overview: {body[:200]}")
        kit.check_equal(https_get(port, context, "/health/ready")[0], 200, "/health/ready")
        listeners = {(entry["protocol"], entry["port"]) for entry in node.get_json("/api/nodes")[0].get("listeners", [])}
        listeners |= {(entry["protocol"], entry["port"]) for entry in node.get_json("/api/overview").get("listeners", [])}
        kit.check(("https", port) in listeners, f"listeners: {listeners}")
        check = "/api/health/checks/certificate-expiration"
        kit.check_equal([https_get(port, context, f"{check}/{within}")[0] for within in ("1/days", "1/weeks")], [200, 503],
                        "a certificate that ends in two days, within a day and within a week")
        authority.issue("web", "/CN=after")
        kit.wait_for("the new certificate is served", lambda: https_get(port, context)[2] == "after")
        before = kit.read_log(node).count("http certificates_kept")
        break_file(certificate)
        kit.wait_for("a line says that the old ones are kept", lambda: kit.read_log(node).count("http certificates_kept") > before)
        kit.check_equal(https_get(port, context)[2], "after", "with a broken file")
        authority.issue("web", "/CN=third")
        node.process.send(signal.SIGHUP)
        kit.wait_for("SIGHUP reads it", lambda: https_get(port, context)[2] == "third")


HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen v2
    bind 127.0.0.1:{0}
    server node 127.0.0.1:{3} send-proxy-v2 check check-send-proxy inter 200ms
listen v1
    bind 127.0.0.1:{1}
    server node 127.0.0.1:{3} send-proxy
listen tls
    bind 127.0.0.1:{2}
    server node 127.0.0.1:{4} send-proxy-v2 proxy-v2-options ssl,unique-id
"""


@contextlib.contextmanager
def proxies(made):
    base = free_base_port()
    config = directory("haproxy") / "haproxy.cfg"
    config.write_text(HAPROXY.format(base, base + 1, base + 2, made.node.amqp_port, made.port))
    process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield base
    finally:
        process.kill()
        process.wait()


def test_proxy_protocol():
    """HAProxy with send-proxy and send-proxy-v2, in front of the plain and the TLS port: the node sees the client's address;
    health checks are silent; with auto, clients come directly too"""
    with secured({"proxy_protocol": "auto", "proxy_protocol.trusted.1": "127.0.0.1/32"}) as made, proxies(made) as base:
        def seen(client):
            """Where the node says that this connection comes from, once it has spoken."""
            host, port = client.getsockname()[:2]
            return [c for c in made.node.get_json("/api/connections") if (c["peer_host"], c["peer_port"]) == (host, port)]

        def open_through(port):
            client = socket.create_connection(("127.0.0.1", port), timeout=5, source_address=("127.0.0.2", 0))
            if port == base + 2:
                client = made.authority.context().wrap_socket(client, server_hostname="localhost")
            client.sendall(HEADER)
            if not client.recv(1):
                raise OSError("closed")
            return client
        for port, what in ((base, "v2"), (base + 1, "v1"), (base + 2, "TLS behind v2"), (made.node.amqp_port, "direct")):
            with kit.wait_for(f"{what}: a connection", lambda port=port: open_through(port)) as client:
                listed = kit.wait_for(f"{what}: the client's own address", lambda client=client: seen(client))[0]
                kit.check_equal(listed["ssl"], port == base + 2, f"{what}: ssl")
        with socket.create_connection(("127.0.0.1", made.node.amqp_port), timeout=kit.PATIENCE) as liar:
            liar.sendall(b"PROXY TCP4 10.1.2.3 10.1.2.4 nonsense 5672\r\n" + HEADER)
            kit.check(ends_within(liar, kit.PATIENCE), "a damaged header was taken")
        kit.wait_for("a line says so", lambda: "damaged PROXY protocol header" in made.log())
        kit.check_equal(made.log().count("connection refused"), 1, "lines about refused connections")


def test_proxy_protocol_from_others():
    """proxy_protocol = true takes no client without the header; a client on another address cannot claim one with auto"""
    with secured({"proxy_protocol": "true"}) as made:
        with socket.create_connection(("127.0.0.1", made.node.amqp_port), timeout=kit.PATIENCE) as direct:
            direct.sendall(HEADER)
            kit.check(ends_within(direct, kit.PATIENCE), "a client without the header was served")
        kit.wait_for("a line says so", lambda: "no PROXY protocol header" in made.log())
        with socket.create_connection(("127.0.0.1", made.node.amqp_port), timeout=kit.PATIENCE) as proxied:
            proxied.sendall(b"PROXY TCP4 10.1.2.3 10.1.2.4 4711 5672\r\n" + HEADER)
            kit.check(proxied.recv(1) == b"\x01", "a proxied client was not served")
            listed = kit.wait_for("it is listed", lambda: made.node.get_json("/api/connections"))[0]
            kit.check_equal((listed["peer_host"], listed["peer_port"], listed["host"]), ("10.1.2.3", 4711, "10.1.2.4"), "its ends")
            proxied.sendall(LOGIN)
            kit.wait_for("guest may not log in from there", lambda: "Login was refused" in made.log())
        with socket.create_connection(("127.0.0.1", made.node.amqp_port), timeout=kit.PATIENCE) as proxied:
            proxied.sendall(b"PROXY TCP4 127.0.0.9 127.0.0.1 4711 5672\r\n" + HEADER + LOGIN)
            kit.check(proxied.recv(1) == b"\x01", "a proxied client was not served")
            kit.wait_for("guest may from a loopback address that the proxy tells",
                         lambda: [c for c in made.node.get_json("/api/connections") if c["user"] == "guest"])
    with secured({"proxy_protocol": "auto", "proxy_protocol.trusted.1": "10.0.0.0/8"}, Authority(directory("ca2"))) as made:
        with socket.create_connection(("127.0.0.1", made.node.amqp_port), timeout=kit.PATIENCE) as liar:
            liar.sendall(b"PROXY TCP4 10.1.2.3 10.1.2.4 4711 5672\r\n" + HEADER)
            kit.check_equal(liar.recv(8), HEADER, "the answer to who is not believed")
