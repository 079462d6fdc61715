"""What a node says when it is set up wrongly."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import urllib.request

import amqp
import kit
from http_api import Api
from ports import free_base_port


def warrend(*arguments):
    return subprocess.run([str(kit.binary()), *arguments], capture_output=True, text=True, timeout=60, check=False)


def write(name, text):
    path = os.path.join(os.environ["TMPDIR"], name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def test_check_config_names_file_and_line():
    """warrend --check-config: errors name file and line, and say what is allowed"""
    good = write("good.conf", "# a node\nnode.id = 3\nlisteners.tcp.default = 127.0.0.1:5672\n")
    result = warrend("--check-config", "--config", good)
    kit.check_equal(result.returncode, 0, f"exit code for a good file ({result.stderr})")
    for text, line, word in (("node.id = 3\nnode.id = 99\n", 2, "63"), ("\n\nheartbeat = soon\n", 3, "heartbeat"),
                             ("node.id 3\n", 1, "="), ("wal.file_size = 12 parsecs\n", 1, "wal.file_size"),
                             ("\ndefault_permissions.read = [\n", 2, "default_permissions.read"),
                             ("loopback_users.guest = perhaps\n", 1, "loopback_users.guest"),
                             ("# fine\nmanagement.tcp = nowhere:at:all\n", 2, "management.tcp")):
        path = write("bad.conf", text)
        result = warrend("--check-config", "--config", path)
        kit.check(result.returncode != 0, f"accepted: {text!r}")
        kit.check(f"{path}:{line}" in result.stderr and word in result.stderr, f"{text!r} gives {result.stderr!r}")
    result = warrend("--check-config", "--config", write("typo.conf", "node.idd = 3\n"))
    kit.check("node.idd" in result.stderr and "node.id" in result.stderr, f"a mistyped key gives {result.stderr!r}")
    result = warrend("--check-config", "--config", "/nowhere/warren.conf")
    kit.check(result.returncode != 0 and "/nowhere/warren.conf" in result.stderr, f"no file gives {result.stderr!r}")


def test_wrong_secret_is_refused_on_both_sides():
    """A node with another cluster secret is refused, and both sides say so; the cluster goes on"""
    with kit.cluster() as cluster:
        stranger, host = cluster.nodes[2], cluster.nodes[0]
        kit.terminate(stranger)
        secret = cluster.dir / "other-secret"
        secret.write_text("another secret that is long enough\n")
        stranger.write_config()
        config = stranger.dir / "warren.conf"
        config.write_text(config.read_text().replace(str(cluster.dir / "secret"), str(secret)))
        marks = [len(kit.read_log(node)) for node in (stranger, host)]
        stranger.process.start([cluster.binary, "--config", str(config)])
        for node, mark in zip((stranger, host), marks):
            kit.wait_for(f"{node.name} says that the secret differs",
                         lambda node=node, mark=mark: "secret" in kit.read_log(node)[mark:])
        kit.check(not stranger.health()[0], "the stranger is ready")
        with kit.connected(host) as connection:
            kit.declare(connection, "safe")
            kit.publish(connection, "safe", [b"goes on"])
        for node in (stranger, host):
            line = next(line for line in kit.read_log(node).splitlines() if "secret" in line)
            kit.check("another secret" not in line, "the secret is in the log")
            print(line)
        kit.terminate(stranger)
        kit.start(cluster, stranger)  # with its own secret again


def test_data_of_another_node_is_refused():
    """A node.id that is not the one stored in data_dir refuses to start and says so; so does another number of groups"""
    with kit.cluster() as cluster:
        node = cluster.nodes[1]
        kit.terminate(node)
        for change, word in (("node.id=3", "node.id"), ("cluster.groups=7", "cluster.groups"), ("shards=2", "shards")):
            result = warrend("--config", str(node.dir / "warren.conf"), "--set", change)
            kit.check(result.returncode != 0, f"--set {change} was accepted")
            kit.check(str(node.dir / "data") in result.stderr and word in result.stderr, f"{change}: {result.stderr!r}")
        kit.start(cluster, node)


def test_all_errors_at_once():
    """--check-config tells all that is wrong, of several files, of values that files must have, and ends with 78"""
    folder = pathlib.Path(os.environ["TMPDIR"]) / "conf.d"
    folder.mkdir()
    main = write("warren.conf", "heartbeat = soon\nframe_max = 1\n")
    (folder / "10.conf").write_text("net_ticktime = 5\nlog.level = loud\n")
    result = warrend("--check-config", "--config", main)
    kit.check_equal(result.returncode, 78, "exit code")
    for words in (f"{main}:1: heartbeat", f"{main}:2: frame_max", f"{folder}/10.conf:2: log.level",
                  f"{folder}/10.conf:1: net_ticktime has no effect"):
        kit.check(words in result.stderr, f"{words} is not in {result.stderr!r}")
    (folder / "10.conf").unlink()
    bad = write("definitions.json", '{"users": [}')
    write("warren.conf", f"load_definitions = {bad}\nlisteners.ssl.1 = 5671\nssl_options.certfile = /nowhere.pem\n"
                         "cluster.secret_file = /nowhere.secret\n")
    result = warrend("--check-config", "--config", main)
    kit.check_equal(result.returncode, 78, "exit code")
    for words in (f"{bad}:1", "/nowhere.pem", "/nowhere.secret"):
        kit.check(words in result.stderr, f"{words} is not in {result.stderr!r}")
    advanced = write("advanced.config", "[{rabbit, []}].\n")
    result = warrend("--check-config", "--config", advanced)
    kit.check(result.returncode == 78 and "advanced.config is not read" in result.stderr, result.stderr)


NONSENSE = ["@", "-1", "99999999999999999999", "1.2.3", "true false", "x" * 300, "$(NOBODY_HAS_SET_THIS)",
            "encrypted:AAAA", '"', ""]


def test_every_key_with_nonsense():
    """Each key with values that make no sense: refused with file and line, or taken as a text; never a crash"""
    printed = warrend("--print-keys").stdout
    keys = re.findall(r"^# ([a-z0-9_.]+[A-Za-z0-9_.]*) =", printed, re.MULTILINE)
    refused = set()
    for value in NONSENSE:
        path = write("nonsense.conf", "".join(f"{key} = {value}\n" for key in keys))
        result = warrend("--check-config", "--config", path)
        kit.check(result.returncode in (0, 78), f"{value!r}: exit code {result.returncode} ({result.stderr[-300:]})")
        for line in result.stderr.splitlines():
            if not line.startswith("warrend: configuration: "):
                continue
            found = re.match(rf"warrend: configuration: {re.escape(path)}:(\d+): (\S+)", line)
            kit.check(found, f"{value!r}: no file and line in {line!r}")
            key = keys[int(found.group(1)) - 1]
            kit.check(key in line, f"line {found.group(1)} is about {key}: {line!r}")
            refused.add(key)
    kit.check(len(refused) > 60, f"only {len(refused)} keys refuse anything")
    for slip, meant in (("heartbeet", "heartbeat"), ("default_usr", "default_user"),
                        ("cluster.secretfile", "cluster.secret_file"),
                        ("vm_memory_high_watermark.absolut", "vm_memory_high_watermark.absolute"),
                        ("auth_http.usr_path", "auth_http.user_path"), ("definitions.https.uri", "definitions.https.url")):
        result = warrend("--check-config", "--set", f"{slip}=x")
        kit.check(f"unknown key {slip} (did you mean {meant}?)" in result.stderr, f"{slip}: {result.stderr!r}")


def is_ready(host, port):
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/health/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class Place:
    """What Api wants to know of a node."""

    def __init__(self, host, http_port):
        self.host, self.http_port = host, http_port


def test_cluster_from_files_of_rabbitmq():
    """Three nodes with one rabbitmq.conf, a conf.d and RABBITMQ_ variables are a cluster with the default user they name"""
    directory = pathlib.Path(os.environ["TMPDIR"])
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    amqp_port, http_port, link_port = range(base := free_base_port(), base + 3)
    (directory / "conf.d").mkdir()
    (directory / "rabbitmq.conf").write_text(
        "cluster_formation.peer_discovery_backend = classic_config\n"
        + "".join(f"cluster_formation.classic_config.nodes.{at} = rabbit@{host}\n" for at, host in enumerate(hosts, 1))
        + f"cluster_formation.port = {link_port}\ncluster.listen = $(HOST):{link_port}\n"
        f"management.tcp.port = {http_port}\nmanagement.tcp.ip = $(HOST)\n"
        "cluster_partition_handling = pause_minority\nvm_memory_high_watermark.relative = 0.8\n"
        "disk_free_limit.relative = 0.001\nlog.file.level = info\n")
    (directory / "conf.d" / "10-limits.conf").write_text("heartbeat = 33\ncluster_name = from-files\n")
    processes = []
    try:
        for host in hosts:
            environment = {**os.environ, "HOST": host, "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
                           "RABBITMQ_NODENAME": f"rabbit@{host}", "RABBITMQ_NODE_PORT": str(amqp_port),
                           "RABBITMQ_NODE_IP_ADDRESS": host, "RABBITMQ_MNESIA_BASE": str(directory),
                           "RABBITMQ_LOG_BASE": str(directory), "RABBITMQ_ERLANG_COOKIE": "ABCDEFGHIJKLMNOPQRST",
                           "RABBITMQ_DEFAULT_USER": "anna", "RABBITMQ_DEFAULT_PASS": "secret",
                           "RABBITMQ_PID_FILE": str(directory / f"{host}.pid")}
            processes.append(subprocess.Popen([str(kit.binary())], env=environment, stderr=subprocess.PIPE, text=True))
        for host in hosts:
            kit.wait_for(f"{host} is ready", lambda host=host: is_ready(host, http_port), timeout=60)
        api = Api(Place(hosts[2], http_port), "anna", "secret")
        kit.check_equal(api.get("/overview")["cluster_name"], "from-files", "cluster_name")
        kit.check_equal(sorted(node["name"] for node in api.get("/nodes")), [f"rabbit@{host}" for host in hosts], "nodes")
        with kit.connected((hosts[0], amqp_port), user="anna", password="secret") as one:
            kit.declare(one, "here")
        with kit.connected((hosts[1], amqp_port), user="anna", password="secret") as two:
            kit.declare(two, "here", passive=True)
        for host, process in zip(hosts, processes):
            kit.check_equal((directory / f"{host}.pid").read_text(), f"{process.pid}\n", "pid file")
            kit.check((directory / f"rabbit@{host}" / "identity").exists(), "data is elsewhere")
            kit.check("node started" in (directory / f"rabbit@{host}.log").read_text(), "the log is elsewhere")
    finally:
        for process in processes:
            process.terminate()
        words = [process.communicate(timeout=60)[1] for process in processes]
    for text in words:
        kit.check("cluster_partition_handling has no effect" in text, f"the warning is missing: {text!r}")
    kit.check(not (directory / f"{hosts[0]}.pid").exists(), "the pid file is still there")


class Resolver:
    """A name with these addresses, for processes that are started under it: a mount of their own over /etc/hosts."""

    def __init__(self, directory, name):
        self.file, self.name = directory / "hosts", name
        if os.geteuid() != 0 or not shutil.which("unshare"):
            raise kit.Skip("a name of our own needs root and unshare")

    def set(self, hosts):
        self.file.write_text("127.0.0.1 localhost\n" + "".join(f"{host} {self.name}\n" for host in hosts))

    def start(self, *command):
        inner = f'mount --bind {self.file} /etc/hosts && exec "$@"'
        return subprocess.Popen(["unshare", "--mount", "sh", "-c", inner, "sh", *command], stderr=subprocess.PIPE, text=True)


def test_cluster_from_addresses_of_a_name():
    """dns: nodes wait for all addresses, get their numbers by them, remember that when the name changes; a fourth joins"""
    directory = pathlib.Path(os.environ["TMPDIR"])
    resolver = Resolver(directory, "warren.test")
    hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"]
    amqp_port, http_port, link_port = range(base := free_base_port(), base + 3)
    (directory / "warren.conf").write_text(
        "cluster_formation.peer_discovery_backend = rabbit_peer_discovery_dns\n"
        "cluster_formation.dns.hostname = warren.test\ncluster_formation.target_cluster_size_hint = 3\n"
        "cluster_formation.discovery_retry_limit = 600\ncluster_formation.discovery_retry_interval = 100\n"
        f"cluster_formation.port = {link_port}\ncluster.secret = a secret that is long enough\n")

    def start(host, *more):
        return resolver.start(str(kit.binary()), "--config", str(directory / "warren.conf"),
                              *(word for line in (f"data_dir={directory}/{host}", f"cluster.listen={host}:{link_port}",
                                                  f"listeners.tcp.1={host}:{amqp_port}", f"management.tcp={host}:{http_port}",
                                                  *more) for word in ("--set", line)))

    def stop(process):
        process.terminate()
        return process.communicate(timeout=60)[1]

    resolver.set(hosts[:2])
    processes = {host: start(host) for host in hosts[:3]}
    try:
        line = processes[hosts[0]].stderr.readline()
        kit.check("warren.test has 2 addresses, waiting for 3" in line, f"it said {line!r}")
        resolver.set(hosts[2::-1])
        for host in hosts[:3]:
            kit.wait_for(f"{host} is ready", lambda host=host: is_ready(host, http_port), timeout=60)
        api = Api(Place(hosts[0], http_port))
        members = lambda: [(one["id"], one["address"]) for one in api.get("/cluster/members")["members"] if one["running"]]
        wanted = [(number, f"{host}:{link_port}") for number, host in enumerate(hosts, 1)]
        kit.wait_for("the members", lambda: members() == wanted[:3])
        resolver.set(hosts[1:])
        stop(processes[hosts[0]])
        processes[hosts[0]] = start(hosts[0])
        kit.wait_for("the first is back", lambda: is_ready(hosts[0], http_port), timeout=60)
        processes[hosts[3]] = start(hosts[3], "node.id=4")
        kit.wait_for("the fourth is in", lambda: members() == wanted, timeout=60)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.communicate(timeout=60)
    resolver.set(hosts[:2])
    (directory / hosts[0] / "formation").unlink()
    process = start(hosts[0], "cluster_formation.discovery_retry_limit=1")
    kit.check_equal((process.wait(timeout=60), "has 2 addresses" in process.communicate()[1]), (70, True), "too few")


def test_limits_of_a_node():
    """connection_max and channel_max_per_node count over all shards of a node, and free what was closed"""
    with kit.cluster(nodes=1, settings={"connection_max": 2, "channel_max_per_node": 3, "shards": 2}) as cluster:
        node = cluster.nodes[0]
        one = kit.connect(node)
        two = kit.connect(node)
        kit.wait_for("a third connection is refused", lambda: is_refused(node, 530, "node connection limit (2) is reached"))
        two.open_channel(2)
        kit.wait_for("the count is known on both shards", lambda: opens_no_channel(one))
        two.close()
        with kit.connected(kit.wait_for("room", lambda: room(node))) as three:
            kit.declare(three, "q")


def test_limits_of_the_cluster():
    """vhost_max, cluster_queue_limit, cluster_exchange_limit and consumer_max_per_channel refuse in RabbitMQ's words"""
    limits = {"vhost_max": 2, "cluster_queue_limit": 2, "cluster_exchange_limit": 15, "consumer_max_per_channel": 1}
    with kit.cluster(nodes=1, settings=limits) as cluster:
        node = cluster.nodes[0]
        api = Api(node)
        api.put("/vhosts/second")
        kit.check_equal(api.put("/vhosts/third", expect=400).json["reason"],
                        "cannot create vhost 'third': vhost limit of 2 is reached", "the third vhost")
        api.put("/vhosts/second", {"description": "again"}, expect=204)
        with kit.connected(node) as connection:
            for name in ("one", "two", "one"):
                kit.declare(connection, name)
            declare_exchange(connection, "first")
            refused(connection, 406, "cannot declare queue 'three': queue limit in cluster (2) is reached",
                    lambda: kit.declare(connection, "three"))
            refused(connection, 406, "cannot declare exchange 'x' in vhost '/': exchange limit of 15 is reached",
                    lambda: declare_exchange(connection, "x"))
            connection.call(1, "basic.consume", queue="one")
            try:
                connection.call(1, "basic.consume", queue="two")
                raise AssertionError("a second consumer was let in")
            except amqp.Closed as closed:
                kit.check_equal((closed.code, closed.text),
                                (530, "NOT_ALLOWED - reached maximum (1) of consumers per channel"), "close")


def test_what_new_vhosts_begin_with():
    """default_users, default_policies.operator and default_limits.vhosts furnish the first vhost and later ones; new
    passwords are judged and hashed as configured"""
    settings = {"default_users.anna.password": "secret of anna", "default_users.anna.tags": "management",
                "default_users.anna.vhost_pattern": "^(/|orders)$", "default_users.anna.read": "^none$",
                "default_policies.operator.short.vhost_pattern": "^orders$",
                "default_policies.operator.short.message_ttl": "1h", "default_limits.vhosts.all.max_queues": 1,
                "password_hashing_module": "rabbit_password_hashing_sha512",
                "credential_validator.validation_backend": "rabbit_credential_validator_min_password_length",
                "credential_validator.min_length": 8}
    with kit.cluster(nodes=1, settings=settings) as cluster:
        node = cluster.nodes[0]
        api = Api(node)
        for vhost in ("orders", "others"):
            api.put(f"/vhosts/{vhost}")
        api.put("/vhosts/orders", {"description": "again"}, expect=204)
        permissions = {(one["vhost"], one["read"]) for one in api.get("/users/anna/permissions")}
        kit.check_equal(permissions, {("/", "^none$"), ("orders", "^none$")}, "permissions of anna")
        policies = [(one["vhost"], one["name"], one["definition"]) for one in api.get("/operator-policies")]
        kit.check_equal(policies, [("orders", "short", {"message-ttl": 3600000})], "operator policies")
        limits = {one["vhost"]: one["value"] for one in api.get("/vhost-limits")}
        kit.check_equal(limits, {name: {"max-queues": 1} for name in ("/", "orders", "others")}, "limits")
        kit.check_equal(api.get("/users/anna")["hashing_algorithm"], "rabbit_password_hashing_sha512", "algorithm")
        with kit.connected(node, user="anna", password="secret of anna", vhost="orders") as connection:
            kit.declare(connection, "one")
            refused(connection, 406, "queue limit in vhost 'orders' (1) is reached",
                    lambda: kit.declare(connection, "two"))
        kit.check_equal(api.put("/users/bob", {"password": "short", "tags": ""}, expect=400).json["reason"],
                        "credential_validation_failed", "reason")
        api("GET", "/users/bob", expect=404)
        api.put("/users/bob", {"password": "long enough", "tags": ""})
        kit.check("minimum required password length is set to 8" in kit.read_log(node), "the log does not say why")


def test_how_a_node_starts_and_ends():
    """motd_file is logged line by line; with linger.timeout = 0 a client that is sent away sees a reset"""
    motd = write("motd", "Maintenance on Sunday.\n\nCall 555.\n")
    settings = {"motd_file": motd, "tcp_listen_options.linger.on": "true", "handshake_timeout": 500}
    with kit.cluster(nodes=1, settings=settings) as cluster:
        node = cluster.nodes[0]
        log = kit.read_log(node)
        for line in ("Maintenance on Sunday.", "", "Call 555."):
            kit.check(f'node motd text="{line}"' in log, f"{line!r} is not logged")
        with socket.create_connection((node.host, node.amqp_port), timeout=kit.PATIENCE) as client:
            client.sendall(b"AMQP")
            try:
                kit.check_equal(client.recv(100), "", "instead of a reset")
            except ConnectionResetError:
                pass
        kit.terminate(node)
        node.write_config()
        config = node.dir / "warren.conf"
        config.write_text(config.read_text().replace("linger.on = true", "linger.on = false"))
        node.process.start([cluster.binary, "--config", str(config)])
        cluster.wait_ready(60, [1])
        with socket.create_connection((node.host, node.amqp_port), timeout=kit.PATIENCE) as client:
            client.sendall(b"AMQP")
            kit.check_equal(client.recv(100), b"", "an orderly end")


def declare_exchange(connection, name):
    connection.call(1, "exchange.declare", exchange=name, type="fanout")


def refused(connection, code, words, action):
    try:
        action()
    except amqp.ChannelClosed as closed:
        kit.check(closed.code == code and words in closed.text, f"{closed.code} {closed.text}")
        connection.open_channel(1)
        return
    raise AssertionError(f"not refused: {words}")


def is_refused(node, code, words):
    try:
        kit.connect(node).close()
    except amqp.Closed as closed:
        return closed.code == code and words in closed.text
    return False


def opens_no_channel(connection):
    try:
        connection.open_channel(2)
    except amqp.Closed as closed:
        return closed.code == 530 and "has reached the maximum allowed limit of (3)" in closed.text
    connection.call(2, "channel.close", reply_code=200)
    return False


def room(node):
    return not is_refused(node, 530, "limit") and (node.host, node.amqp_port)


def test_docs_name_all_keys():
    """docs/configuration.md names each key of --print-keys, some by a pattern such as `ssl_options.*`"""
    docs = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    found = re.findall(r"^# ([a-z0-9_.]+[A-Za-z0-9_.]*) =", warrend("--print-keys").stdout, re.MULTILINE)
    kit.check(len(found) > 80, f"only {len(found)} keys were found")
    for key in found:
        shown = (key, re.sub(r"\.1(\.|$)", r".N\1", key))
        patterns = [f"`{key[:end]}{dot}*`" for end in range(3, len(key)) for dot in ("", ".")]
        kit.check(any(f"`{name}`" in docs for name in shown) or any(name in docs for name in patterns),
                  f"docs/configuration.md does not name {key}")


def test_version_and_help():
    """--version and --help answer, wrong words are refused"""
    kit.check(warrend("--version").stdout.startswith("warrend "), "--version")
    kit.check("--check-config" in warrend("--help").stdout, "--help")
    for words, said in ((["--nonsense"], "warrend: --nonsense: no such option"), (["--config"], "warrend: --config: a value must follow")):
        wrong = warrend(*words)
        kit.check_equal((wrong.returncode, wrong.stderr.split("\n")[0]), (64, said), " ".join(words))


def test_places_that_are_taken():
    """A port that another process has, and a folder that cannot be made, are refused by the names of their keys"""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        data = f"data_dir={os.environ['TMPDIR']}/data"
        for words, said in (([data, f"listeners.tcp.default={address}"], f"listeners.tcp: listen on {address}: Address already in use"),
                            ([data, "listeners.tcp.default=127.0.0.1:0", f"agent.tcp={address}"], f"agent.tcp: listen on {address}"),
                            (["data_dir=/dev/null/data"], "data_dir: make folder /dev/null/data: Not a directory")):
            wrong = warrend(*(word for assignment in words for word in ("--set", assignment)))
            kit.check_equal(wrong.returncode, 70, "exit code")
            kit.check(f"warrend: {said}" in wrong.stderr, wrong.stderr)
    script = pathlib.Path(__file__).resolve().parents[2] / "ha" / "cluster"
    wrong = subprocess.run([str(script), "up", "--dir", "/dev/null/cluster", "--binary", str(kit.binary())], capture_output=True,
                           text=True, timeout=60, check=False)
    kit.check_equal((wrong.returncode, wrong.stderr), (1, "cluster: /dev/null/cluster: Not a directory\n"), "ha/cluster up")
