"""warrenctl on a running node: log lines and levels, limits, listeners, taking it out of service, stops that cost a majority."""

import concurrent.futures
import json
import os
import select
import signal
import socket
import subprocess

import kit
from http_api import Api
from kit import check, check_equal
from ports import free_base_port
from test_ctl import BIN, Tools, client

SETTINGS = {"cluster.groups": 4}


def diagnostics(tools, *words, **more):
    return tools.run("rabbitmq-diagnostics", *words, **more)


def alarms(tools):
    return json.loads(diagnostics(tools, "-q", "alarms", "--formatter", "json"))["alarms"]


def wait_for_alarms(tools, wanted):
    kit.wait_for(f"the alarms {wanted}", lambda: [alarm["resource"] for alarm in alarms(tools)] == wanted)


def test_limits_change_while_it_runs():
    """set_vm_memory_high_watermark, set_disk_free_limit and the disk monitoring's switches raise and clear alarms"""
    with kit.cluster(1, settings=SETTINGS) as cluster:
        tools = Tools(cluster)
        check_equal(alarms(tools), [], "alarms at first")
        check("to 1MB bytes ..." in tools.ctl("set_vm_memory_high_watermark", "absolute", "1MB"), "the banner")
        wait_for_alarms(tools, ["memory"])
        tools.ctl("set_vm_memory_high_watermark", "0.9")
        wait_for_alarms(tools, [])
        check("to 900TiB bytes ..." in tools.ctl("set_disk_free_limit", "900TiB"), "the banner")
        wait_for_alarms(tools, ["disk"])
        node = cluster.nodes[0].get_json("/api/nodes")[0]
        check_equal(node["disk_free_limit"], 900 << 40, "what the node says of its limit")
        tools.ctl("deactivate_free_disk_space_monitoring")
        wait_for_alarms(tools, [])
        tools.ctl("activate_free_disk_space_monitoring")
        wait_for_alarms(tools, ["disk"])
        tools.ctl("set_disk_free_limit", "mem_relative", "0.0")
        wait_for_alarms(tools, [])
        for words in (("set_vm_memory_high_watermark", "1.5"), ("set_vm_memory_high_watermark", "absolute", "much"),
                      ("set_disk_free_limit", "12 parsecs"), ("set_disk_free_limit", "mem_relative", "-1")):
            tools.ctl(*words, code=65)
        check("audit limits" in kit.read_log(cluster.nodes[0]), "changes leave no audit line")


def test_log_lines_and_levels():
    """set_log_level by category, log_tail, log_tail_stream, consume_event_stream; rotation; syslog; JSON in the file"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(kit.PATIENCE)
        file = os.path.join(os.environ["TMPDIR"], "warren.log")
        settings = {**SETTINGS, "log.file": file, "log.file.formatter": "json", "log.file.rotation.size": "100MB",
                    "log.console": "true", "log.syslog": "true", "log.syslog.port": syslog.getsockname()[1],
                    "log.syslog.protocol": "rfc5424", "log.syslog.facility": "local2", "log.syslog.level": "warning"}
        with kit.cluster(1, settings=settings) as cluster:
            tools, node = Tools(cluster), cluster.nodes[0]
            check_equal(diagnostics(tools, "-q", "log_location").strip(), file, "log_location")
            check("node started" in diagnostics(tools, "log_tail"), "log_tail does not show the start")
            check_equal(len(diagnostics(tools, "-q", "log_tail", "-N", "2").strip().splitlines()), 2, "lines of log_tail -N 2")
            started = [line for line in json_lines(file) if line["msg"].startswith("node started")]
            check_equal((started[0]["level"], started[0]["fields"]["id"]), ("info", "1"), "a line as JSON")

            check('Setting log level to "error"' in tools.ctl("set_log_level", "connection", "error"), "the banner")
            client(node).close()
            tools.ctl("set_log_level", "connection", "info")
            check_event_stream(cluster, node)

            tools.ctl("rotate_logs")
            kit.wait_for("a new file", lambda: os.path.exists(file + ".0"))
            check(any(line["msg"].startswith("audit log_rotated") for line in json_lines(file)), "the new file's first line")
            check("not supported" in tools.ctl("set_log_level", "loud", code=69), "a level that is none")
            tools.ctl("set_log_level", "nonsense", "debug", code=69)
            tools.ctl("set_log_level", "none")
            before = kit.read_log(node)
            client(node).close()
            check_equal(kit.read_log(node), before, "what is logged at level none")
            tools.ctl("set_log_level", "debug")

            with socket.create_connection((node.host, node.amqp_port)) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
                stranger.recv(100)
            message = syslog.recv(2000).decode()    # what set_log_level said holds there, too
            while "HTTP request" not in message:
                message = syslog.recv(2000).decode()
            check(message.startswith("<148>1 20") and " warren " in message and "connection closed" in message,
                  f"syslog heard {message!r}")      # 18 * 8 + 4


def check_event_stream(cluster, node):
    """Clients come and leave until the stream, which takes its time to begin, tells of one."""
    with subprocess.Popen([BIN / "rabbitmq-diagnostics", "-q", "consume_event_stream", "-d", "60", "--pattern", "^connection"],
                          stdout=subprocess.PIPE, env={**os.environ, "WARREN_DIR": str(cluster.dir)}, text=True) as events:
        try:
            count = 0
            while not select.select([events.stdout], [], [], 0.5)[0]:
                check(count < 100, "the stream tells nothing")
                client(node).close()
                count += 1
            event = json.loads(events.stdout.readline())
        finally:
            events.terminate()
    check_equal(event["msg"].split()[1], "closed", "event of a client that came and left")
    kit.wait_for("a line of each client but the first, whose line was left out",
                 lambda: kit.read_log(node).count("connection closed") == count)


def json_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def can_connect(node):
    try:
        client(node).close()
        return True
    except OSError:
        return False


def test_listeners_can_be_suspended():
    """suspend_listeners: nobody new, clients that are there stay; /health/ready tells; resume_listeners ends it"""
    with kit.cluster(1, settings=SETTINGS) as cluster:
        tools, node = Tools(cluster), cluster.nodes[0]
        with kit.connected(node) as connection:
            kit.declare(connection, "kept")
            check("no longer accept" in tools.ctl("suspend_listeners"), "the banner")
            check(not can_connect(node), "a client came in")
            kit.publish(connection, "kept", [b"still here"])
            check_equal(node.get("/health/ready")[0], 503, "/health/ready")
            tools.ctl("suspend_listeners")
            tools.ctl("resume_listeners")
            check(can_connect(node), "nobody gets in after resume_listeners")
            check_equal(node.get("/health/ready")[0], 200, "/health/ready at the end")
            tools.ctl("resume_listeners")
            check(can_connect(node), "a second resume does harm")
            tools.ctl("suspend_listeners")
            taken = socket.create_server((node.host, node.amqp_port))
            check("ddress" in tools.ctl("resume_listeners", code=69), "an address that was taken meanwhile")
            taken.close()
            tools.ctl("resume_listeners")
            check(can_connect(node), "nobody gets in at the end")


@kit.limit(120)
def test_stop_app_and_start_app():
    """stop_app: no clients, no leaders, the process and its replicas go on; start_app ends it"""
    with kit.cluster(settings=SETTINGS) as cluster:
        tools, node = Tools(cluster), cluster.nodes[1]
        cluster.wait_settled(60)
        connection = client(node)
        check("Stopping rabbit application" in tools.ctl("-n", node.name, "stop_app"), "the banner")
        kit.wait_for("the client was closed", lambda: is_gone(connection))
        check(not can_connect(node), "a client came in")
        diagnostics(tools, "-n", node.name, "check_running", code=69)
        check_equal([group for group in node.get_json("/api/cluster/groups") if group["leader"] == node.number], [], "led groups")
        with kit.connected(cluster.nodes[0]) as other:
            kit.declare(other, "served")
            kit.publish(other, "served", kit.numbered(10))
        tools.ctl("-n", node.name, "start_app")
        check(can_connect(node), "nobody gets in after start_app")
        diagnostics(tools, "-n", node.name, "check_running")


def is_gone(connection):
    try:
        connection.poll(0.01)
        return False
    except kit.LOSSES:
        return True


@kit.limit(180)
def test_a_stop_that_costs_the_majority_needs_force():
    """shutdown, stop, drain and forget warn and refuse where a majority would be lost; SIGTERM only tells"""
    with kit.cluster(settings=SETTINGS) as cluster:
        tools = Tools(cluster)
        first, second, third = cluster.nodes
        cluster.wait_settled(60)
        said = tools.ctl("-n", third.name, "shutdown")
        check("successfully shut down" in said, f"shutdown says {said}")
        check(third.process.wait_gone(5), "shutdown returned before the process had ended")
        kit.wait_for("the node is away", lambda: not cluster.nodes[0].get_json(f"/api/nodes/{third.name}")["running"])

        refused = (("rabbitmqctl", "shutdown"), ("rabbitmqctl", "stop"), ("rabbitmq-upgrade", "drain"))
        with concurrent.futures.ThreadPoolExecutor(len(refused)) as pool:   # each waits a while for other nodes to come
            told = list(pool.map(lambda words: tools.run(words[0], "-n", second.name, *words[1:], code=69), refused))
        for words, said in zip(refused, told):
            check("Warning" in said and "--force" in said, f"{words} says {said}")
        check_equal(second.get("/health/ready")[0], 200, "the node that was to stop")

        second.process.send(signal.SIGTERM)
        check(second.process.wait_gone(kit.PATIENCE), "SIGTERM does not stop it")
        check("stop_costs_majority groups=5" in kit.read_log(second), "SIGTERM leaves no warning")

        said = tools.ctl("-n", first.name, "forget_cluster_node", third.name, code=69)
        check("Warning" in said and "for good" in said, f"forget_cluster_node says {said}")
        tools.ctl("-n", first.name, "stop", "--force")
        check(first.process.wait_gone(kit.PATIENCE), "stop --force does not stop it")
        check("already stopped" in tools.ctl("-n", first.name, "stop", "--idempotent"), "stop --idempotent")
        tools.ctl("-n", first.name, "stop", code=69)


def test_message_sizes():
    """message_size_stats adds up what all nodes were given"""
    with kit.cluster(settings=SETTINGS) as cluster:
        tools = Tools(cluster)
        for node in cluster.nodes:
            with kit.connected(node) as connection:
                kit.declare(connection, "sizes")
                kit.publish(connection, "sizes", [b"x" * 50, b"x" * 5000])
        rows = tools.rows("message_size_stats", name="rabbitmq-diagnostics")
        check_equal([(row["Count"], row["Percentage"]) for row in rows[:3]], [(3, "50.00"), (0, "0.00"), (3, "50.00")], "counts")
        check_equal(rows[2]["Message Size"], "between 1KB and 10KB", "the third row")


def test_reset_of_a_node_that_is_alone():
    """stop_app, reset, start_app: the node begins anew in the same process, its old data stays aside; members refuse"""
    with kit.cluster(1, settings=SETTINGS) as cluster:
        tools, node = Tools(cluster), cluster.nodes[0]
        tools.ctl("add_vhost", "shop")
        with kit.connected(node) as connection:
            kit.declare(connection, "old")
            kit.publish(connection, "old", kit.numbered(5))
        check("Stop it with 'rabbitmqctl stop_app'" in tools.ctl("reset", code=69), "a node that serves was reset")
        pid = node.process.pid()
        cluster.wait_settled(30)  # before that the members have not told their names
        tools.ctl("stop_app")
        check("Resetting node" in tools.ctl("reset"), "the banner")
        tools.ctl("start_app")
        check_equal(node.process.pid(), pid, "the process")
        check_equal([row["name"] for row in tools.rows("list_vhosts")], ["/"], "vhosts after the reset")
        check_equal(tools.rows("list_queues"), [], "queues after the reset")
        check((node.dir / "data.aside-1" / "identity").exists(), "the old data is gone")
        with kit.connected(node) as connection:
            kit.declare(connection, "new")
            kit.publish(connection, "new", [b"one"])
        kit.terminate(node)
        node.start()
        cluster.wait_ready(30)
        check_equal([row["name"] for row in tools.rows("list_queues")], ["new"], "queues after another start")


def test_a_member_is_not_reset():
    """reset of one of several says what to do instead"""
    with kit.cluster(settings=SETTINGS) as cluster:
        tools = Tools(cluster)
        cluster.wait_settled(60)
        tools.ctl("-n", cluster.nodes[2].name, "stop_app")
        check("leave_cluster" in tools.ctl("-n", cluster.nodes[2].name, "reset", code=69), "reset of a member")
        tools.ctl("-n", cluster.nodes[2].name, "start_app")


def test_rights_and_words_of_this_node():
    """/api/this-node: looking needs monitoring, changing an administrator, the log too; wrong bodies are refused and change nothing"""
    with kit.cluster(1, settings=SETTINGS) as cluster:
        tools, node = Tools(cluster), cluster.nodes[0]
        tools.ctl("add_user", "watcher", "of the watcher")
        tools.ctl("set_user_tags", "watcher", "monitoring")
        watcher, admin, nobody = Api(node, "watcher", "of the watcher"), Api(node), Api(node, "nobody", "x")
        limits = admin.get("/this-node/limits")
        for path in ("/this-node/limits", "/this-node/log/levels"):
            check_equal(watcher("GET", path).status, 200, f"GET {path} as monitoring")
            check_equal(nobody("GET", path).status, 401, f"GET {path} as nobody")
        for method, path, body in (("GET", "/this-node/log", None), ("PUT", "/this-node/limits", {"disk_monitoring": False}),
                                   ("PUT", "/this-node/log/levels", {"level": "none"}), ("POST", "/this-node/log/rotate", {}),
                                   ("POST", "/this-node/listeners/suspend", {}), ("POST", "/this-node/stop", {}),
                                   ("POST", "/this-node/reset", {})):
            check_equal(watcher(method, path, body).status, 401, f"{method} {path} as monitoring")
        for path, body in (("/this-node/limits", {}), ("/this-node/limits", {"disk_free_limit": 5}),
                           ("/this-node/limits", {"disk_free_limit": {"absolute": -1}}),
                           ("/this-node/limits", {"vm_memory_high_watermark": {"relative": 1.1}}),
                           ("/this-node/limits", {"vm_memory_high_watermark": {"relative": "much"}}),
                           ("/this-node/limits", {"disk_monitoring": "perhaps"}),
                           ("/this-node/log/levels", {}), ("/this-node/log/levels", {"level": 3}),
                           ("/this-node/log/levels", {"level": "loud"}),
                           ("/this-node/log/levels", {"level": "info", "category": "none"})):
            check_equal(admin("PUT", path, body).status, 400, f"PUT {path} {body}")
        check_equal(admin("POST", "/this-node/listeners/close", {}).status, 404, "a verb that is none")
        check_equal(admin("POST", "/this-node/stop", {"force": "perhaps"}).status, 400, "POST stop with a wrong body")
        check_equal(admin.get("/this-node/limits"), limits, "the limits at the end")
        check_equal(len(admin.get("/this-node/log?lines=3")["lines"]), 3, "lines")
        last = admin.get("/this-node/log?lines=0")
        check_equal(last["lines"], [], "no lines")
        kit.wait_for("no lines after the last one", lambda: not admin.get(
            f"/this-node/log?after={admin.get('/this-node/log?lines=0')['last']}")["lines"])
        check(can_connect(node), "nobody gets in")


def test_syslog_over_tcp():
    """log.syslog.transport = tcp: a server that comes later gets what was said before, each message with its length"""
    address = ("127.0.0.1", free_base_port())
    settings = {**SETTINGS, "log.console": "true", "log.syslog": "true", "log.syslog.host": "127.0.0.1", "log.syslog.port": address[1],
                "log.syslog.transport": "tcp", "log.syslog.formatter": "json"}
    with kit.cluster(1, settings=settings), socket.create_server(address) as server:
        server.settimeout(60)
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            size = 0
            while (digit := stream.read(1)) != b" ":
                size = size * 10 + int(digit)
            message = stream.read(size).decode()
    check(message.startswith("<30>") and json.loads(message[message.index("{"):])["level"] == "info", f"heard {message!r}")
