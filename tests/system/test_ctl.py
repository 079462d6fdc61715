"""warrenctl and its other names against real clusters: what a deployment script does, and what an operator asks."""

import json
import os
import pathlib
import subprocess
import tempfile

import kit
from http_api import Api
from kit import check, check_equal

BIN = pathlib.Path(kit.places.ROOT) / "ha" / "bin"


class Tools:
    """Runs the tools on one cluster."""

    def __init__(self, cluster):
        self.cluster = cluster

    def run(self, name, *words, code=0, text=None, timeout=60, **more):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WARREN_")}
        done = subprocess.run([str(BIN / name), *words], input=text if text is not None else "", capture_output=True,
                              text=True,
                              env={**environment, "WARREN_DIR": str(self.cluster.dir), "PYTHONIOENCODING": "utf-8",
                                   **more},
                              timeout=timeout, check=False)
        check_equal(done.returncode, code,
                    f"exit code of {name} {' '.join(words)}: {done.stdout[-500:]}{done.stderr[-500:]}")
        return done.stdout if code == 0 else done.stderr

    def ctl(self, *words, **more):
        return self.run("rabbitmqctl", *words, **more)

    def rows(self, *words, name="rabbitmqctl"):
        """The rows of a listing, as JSON."""
        return json.loads(self.run(name, *words, "--formatter", "json"))


def client(node, user="guest", password="guest", vhost="/"):
    return kit.amqp.Connection(node.host, node.amqp_port, user=user, password=password, vhost=vhost, heartbeat=kit.HEARTBEAT)


def refused_login(node, *who):
    try:
        client(node, *who).close()
    except kit.LOSSES:
        return True
    return False


def is_closed(connection, words=""):
    """Reads what has come; a connection is over when its client has answered the close."""
    try:
        connection.poll(0.01)
        return False
    except kit.amqp.Closed as closed:
        return words in closed.text


def test_users_and_rights():
    """users, tags, passwords, permissions and limits, made on one node and asked for on another"""
    with kit.cluster() as cluster:
        tools, node = Tools(cluster), cluster.nodes[2]
        check("Adding user \"app\" ..." in tools.ctl("add_user", "app", "first"), "add_user does not say what it does")
        check("already exists" in tools.ctl("add_user", "app", "x", code=70), "a second add_user")
        tools.ctl("add_user", "ops", text="from standard input\n")
        tools.ctl("authenticate_user", "ops", "from standard input")
        tools.ctl("authenticate_user", "ops", "wrong", code=65)
        tools.ctl("set_user_tags", "ops", "administrator", "monitoring")
        tools.ctl("set_user_tags", "nobody", "administrator", code=67)
        check_equal(tools.ctl("list_users", "-n", "3").splitlines(),
                    ["Listing users ...", "user\ttags", "app\t[]", "guest\t[administrator]",
                     "ops\t[administrator, monitoring]"],
                    "list_users")
        check_equal(tools.ctl("-s", "list_users").splitlines()[0], "app\t[]", "list_users -s")
        check(refused_login(node, "app", "first"), "app has no rights in / and got in")
        tools.ctl("set_permissions", "app", "^app", ".*", ".*")
        client(node, "app", "first").close()
        tools.ctl("change_password", "app", "second")
        check(refused_login(node, "app", "first"), "the old password is taken")
        client(node, "app", "second").close()
        check_equal(tools.rows("list_user_permissions", "app"),
                    [{"vhost": "/", "configure": "^app", "write": ".*", "read": ".*"}],
                    "permissions")
        tools.ctl("set_user_limits", "app", '{"max-connections": 0}')
        kit.wait_for("the limit of connections holds", lambda: refused_login(node, "app", "second"))
        check_equal(tools.ctl("-q", "list_user_limits", "--user", "app").strip(), '{"max-connections":0}', "limits")
        tools.ctl("clear_user_limits", "app", "all")
        # This tool is a client of the API: it can be anybody who may use it.
        tools.ctl("list_users", "--username", "ops", "--password", "from standard input")
        check("does not let user" in tools.ctl("list_users", "--username", "app", "--password", "second", code=69),
              "app is no operator")
        tools.ctl("clear_permissions", "app")
        check_equal(tools.rows("list_user_permissions", "app"), [], "permissions that were cleared")
        tools.ctl("delete_user", "app")
        check('User "app" does not exist' in tools.ctl("delete_user", "app", code=67), "a second delete_user")


def test_hashes():
    """a hash that the tool makes is a password of the broker"""
    with kit.cluster(nodes=1) as cluster:
        tools = Tools(cluster)
        hashed = tools.ctl("-q", "hash_password", "a secret").strip()
        tools.ctl("add_user", "hashed", hashed, "--pre-hashed-password")
        tools.ctl("set_permissions", "hashed", "", "", "")
        client(cluster.nodes[0], "hashed", "a secret").close()
        tools.ctl("clear_password", "hashed")
        check(refused_login(cluster.nodes[0], "hashed", "a secret"), "a password that was cleared is taken")


def test_vhosts():
    """virtual hosts with tags, limits and protection; deleting one takes what is in it along"""
    with kit.cluster() as cluster:
        tools = Tools(cluster)
        tools.ctl("add_vhost", "shop", "--description", "orders", "--tags", "a,b", "--default-queue-type", "quorum")
        check_equal(tools.rows("list_vhosts", "name", "description", "tags", "default_queue_type")[-1],
                    {"name": "shop", "description": "orders", "tags": ["a", "b"], "default_queue_type": "quorum"},
                    "list_vhosts")
        check_equal(tools.rows("list_permissions", "-p", "shop"), [], "nobody has rights in a new virtual host")
        tools.ctl("set_permissions", "-p", "shop", "guest", ".*", ".*", ".*")
        tools.ctl("set_vhost_limits", "-p", "shop", '{"max-queues": 1}')
        check_equal(tools.rows("list_vhost_limits", "--global"), [{"vhost": "shop", "limits": '{"max-queues":1}'}],
                    "limits")
        tools.ctl("set_topic_permissions", "-p", "shop", "guest", "amq.topic", "^a", "^b")
        check_equal(tools.rows("list_topic_permissions", "-p", "shop"),
                    [{"user": "guest", "exchange": "amq.topic", "write": "^a", "read": "^b"}], "topic permissions")
        tools.ctl("enable_vhost_deletion_protection", "shop")
        check("protected" in tools.ctl("delete_vhost", "shop", code=69), "a protected virtual host was deleted")
        tools.ctl("disable_vhost_deletion_protection", "shop")
        tools.ctl("set_vhost_tags", "shop", "c")
        tools.ctl("clear_vhost_limits", "-p", "shop")
        tools.ctl("delete_vhost", "shop")
        check_equal([row["name"] for row in tools.rows("list_vhosts", "-n", "2")], ["/"], "virtual hosts")
        tools.ctl("delete_vhost", "shop", code=65)
        tools.ctl("list_permissions", "-p", "shop", code=65)


def test_listings():
    """queues, exchanges, bindings, connections, channels and consumers, with every column"""
    from ctl import columns
    with kit.cluster() as cluster:
        tools, api = Tools(cluster), Api(cluster.nodes[0])
        api.put("/queues/%2F/orders", {"durable": True, "arguments": {"x-max-length": 10}})
        api.put("/exchanges/%2F/events", {"type": "topic", "durable": True})
        api.post("/bindings/%2F/e/events/q/orders", {"routing_key": "order.#"}, expect=201)
        connection = client(cluster.nodes[1])
        connection.open_channel(1)
        connection.call(1, "basic.consume", "basic.consume-ok", queue="orders", consumer_tag="reader")
        check(tools.ctl("list_queues", "name",
                        "consumers").endswith("Listing queues for vhost / ...\nname\tconsumers\norders\t1\n"),
              "list_queues")
        queue = tools.rows("list_queues", *columns.QUEUE)[0]
        check_equal((queue["leader"] in queue["members"], len(queue["members"]), queue["arguments"], queue["state"]),
                    (True, 3, [["x-max-length", "signedint", 10]], "running"), "a queue")
        check(queue["pid"].startswith(f"<{queue['leader']}."), f"pid {queue['pid']}")
        check_equal([set(row) for row in tools.rows("list_exchanges", *columns.EXCHANGE)][:1], [set(columns.EXCHANGE)],
                    "columns")
        check({"source_name": "events", "source_kind": "exchange", "destination_name": "orders",
               "destination_kind": "queue",
               "routing_key": "order.#", "arguments": []} in tools.rows("list_bindings"), "list_bindings")
        found = kit.wait_for("the connection is listed", lambda: tools.rows("list_connections", *columns.CONNECTION))[0]
        check_equal((found["user"], found["node"], found["state"], found["channels"]),
                    ("guest", cluster.nodes[1].name, "running", 1),
                    "a connection")
        channel = kit.wait_for("the channel is listed", lambda: tools.rows("list_channels", *columns.CHANNEL))[0]
        check_equal((channel["number"], channel["connection"], channel["consumer_count"]), (1, found["pid"], 1),
                    "a channel")
        consumer = tools.rows("list_consumers", *columns.CONSUMER)[0]
        check_equal((consumer["queue_name"], consumer["consumer_tag"], consumer["channel_pid"]),
                    ("orders", "reader", channel["pid"]),
                    "a consumer")
        check_equal(tools.rows("list_queues", "-p", "nowhere"), [], "queues of a virtual host that is not there")
        check_equal(tools.rows("list_unresponsive_queues"), [], "unresponsive queues")
        # By the identifier that the list shows, from another node.
        tools.ctl("-n", "3", "close_connection", found["pid"], "told so")
        kit.wait_for("the client is told", lambda: is_closed(connection, "told so"))
        kit.wait_for("the connection is closed", lambda: not tools.rows("list_connections"))


def test_closing_connections():
    """connections are closed by virtual host, by user and by node, some or all"""
    with kit.cluster() as cluster:
        tools = Tools(cluster)
        tools.ctl("add_user", "app", "app")
        tools.ctl("set_permissions", "app", ".*", ".*", ".*")
        clients = [client(cluster.nodes[at % 3], "app", "app") for at in range(6)] + [client(cluster.nodes[0])]
        kit.wait_for("seven connections are listed", lambda: len(tools.rows("list_connections")) == 7)
        check("Closed 2 connections" in tools.ctl("close_all_connections", "--limit", "2", "enough"), "a limit")
        kit.wait_for("two are told", lambda: sum(is_closed(one) for one in clients) == 2)
        kit.wait_for("five are left", lambda: len(tools.rows("list_connections")) == 5)
        tools.ctl("close_all_user_connections", "app", "enough")
        kit.wait_for("the user's are told", lambda: sum(is_closed(one) for one in clients) in (6, 7))
        kit.wait_for("one is left", lambda: [row["user"] for row in tools.rows("list_connections")] in (["guest"], []))
        clients.append(client(cluster.nodes[1]))
        tools.ctl("-n", "2", "close_all_connections", "--global", "enough")
        kit.wait_for("the client is told", lambda: is_closed(clients[-1], "enough"))
        kit.wait_for("node 2 has none", lambda: all(row["node"] != cluster.nodes[1].name
                                                    for row in tools.rows("list_connections", "node")))


def test_queues():
    """queues are purged and deleted, on conditions too; what cannot be is told"""
    with kit.cluster() as cluster:
        tools, api = Tools(cluster), Api(cluster.nodes[0])
        for name in ("full", "used"):
            api.put(f"/queues/%2F/{name}", {"durable": True})
        for _ in range(3):
            api.post("/exchanges/%2F/amq.default/publish", {"properties": {}, "routing_key": "full", "payload": "x",
                                                            "payload_encoding": "string"})
        kit.wait_for("three wait", lambda: {"name": "full", "messages": 3} in tools.rows("list_queues"))
        check("x" in tools.run("rabbitmq-queues", "peek", "full", "3"), "peek")
        tools.run("rabbitmq-queues", "peek", "full", "4", code=69)
        check("not empty" in tools.ctl("delete_queue", "full", "--if-empty", code=69), "a full queue was deleted")
        tools.ctl("purge_queue", "full")
        kit.wait_for("none waits", lambda: {"name": "full", "messages": 0} in tools.rows("list_queues"))
        check("successfully deleted with 0 ready messages" in tools.ctl("delete_queue", "full", "--if-empty"),
              "delete_queue")
        tools.ctl("delete_queue", "full", code=64)
        tools.ctl("purge_queue", "full", code=69)
        tools.ctl("sync_queue", "used")
        tools.ctl("cancel_sync_queue", "used")
        tools.ctl("--dry-run", "delete_queue", "used")
        check_equal([row["name"] for row in tools.rows("list_queues")], ["used"], "queues after a dry run")
        status = tools.rows("quorum_status", "used", name="rabbitmq-queues")
        check_equal(sorted(row["Raft State"] for row in status), ["follower", "follower", "leader"], "quorum_status")
        tools.run("rabbitmq-queues", "rebalance", "all")
        tools.run("rabbitmq-queues", "rebalance", "some", code=69)


def test_policies_and_parameters():
    """policies, operator policies, parameters and global parameters are set, shown, refused and cleared"""
    with kit.cluster() as cluster:
        tools, api = Tools(cluster), Api(cluster.nodes[1])
        api.put("/queues/%2F/tmp.1", {"durable": True})
        tools.ctl("set_policy", "short", "^tmp", '{"max-length": 5}', "--priority", "3", "--apply-to", "queues")
        tools.ctl("set_operator_policy", "guard", ".*", '{"max-length": 2}', "--apply-to", "queues")
        check_equal(tools.rows("list_policies"), [{"vhost": "/", "name": "short", "pattern": "^tmp",
                                                   "apply-to": "queues",
                                                   "definition": '{"max-length":5}', "priority": 3}], "list_policies")
        kit.wait_for("the queue has its policy", lambda: tools.rows("list_queues", "name",
                                                                    "policy") == [{"name": "tmp.1", "policy": "short"}])
        check_equal([row["name"] for row in tools.rows("list_policies_that_match", "tmp.1")], ["short"], "what matches")
        check_equal([row["name"] for row in tools.rows("list_operator_policies", "-n", "3")], ["guard"],
                    "list_operator_policies")
        check("Validation failed" in tools.ctl("set_policy", "bad", ".*", '{"max-length": "x"}', code=69),
              "a bad value")
        check("JSON decoding error" in tools.ctl("set_policy", "bad", ".*", '{', code=69), "bad JSON")
        tools.ctl("set_policy", "-p", "nowhere", "bad", ".*", '{"max-length": 1}', code=65)
        for words in (("clear_policy", "short"), ("clear_operator_policy", "guard")):
            tools.ctl(*words)
            check("Parameter does not exist" in tools.ctl(*words, code=69), f"{words} twice")
        tools.ctl("set_parameter", "federation-upstream", "east", '{"uri":"amqp://127.0.0.1:1"}')
        check_equal(tools.rows("list_parameters"), [{"component": "federation-upstream", "name": "east",
                                                     "value": '{"uri":"amqp://127.0.0.1:1"}'}], "list_parameters")
        tools.ctl("clear_parameter", "federation-upstream", "east")
        tools.ctl("clear_parameter", "federation-upstream", "east", code=69)
        tools.ctl("set_global_parameter", "mine", '{"a":[1]}')
        check({"name": "mine", "value": '{"a":[1]}'} in tools.rows("list_global_parameters"), "list_global_parameters")
        tools.ctl("clear_global_parameter", "mine")


def test_definitions():
    """definitions are exported, compared, imported into another cluster, from standard input too, large in parts"""
    with kit.cluster() as cluster, kit.cluster(nodes=1) as other, tempfile.TemporaryDirectory() as directory:
        here, there = Tools(cluster), Tools(other)
        here.ctl("add_vhost", "shop")
        here.ctl("add_user", "app", "secret")
        for user in ("app", "guest"):
            here.ctl("set_permissions", "-p", "shop", user, ".*", ".*", ".*")
        Api(cluster.nodes[0]).put("/queues/shop/orders", {"durable": True, "arguments": {"x-max-length": 7}})
        here.ctl("set_policy", "-p", "shop", "p", ".*", '{"max-length": 5}')
        path = os.path.join(directory, "definitions.json")
        here.ctl("export_definitions", path)
        text = there.ctl("import_definitions", "--dry-run", path)
        check("new     queues: shop orders" in text and "new     users: app" in text, f"the difference: {text}")
        check_equal(there.rows("list_queues", "-p", "shop"), [], "a dry run makes nothing")
        faulty = {"queues": [{"name": f"q{at}", "vhost": "/", "durable": True, "arguments": {}} for at in range(600)]
                  + [{"name": "amq.bad", "vhost": "/", "durable": True, "arguments": {}}]}
        for words in (("--dry-run",), ()):  # the second one would go in parts
            said = there.ctl("import_definitions", *words, text=json.dumps(faulty), code=69)
            check("amq.bad" in said, f"import_definitions {words} of a faulty document says {said}")
        check_equal(there.rows("list_queues"), [], "a faulty document makes nothing")
        said = there.ctl("import_definitions", "--skip-refused", text=json.dumps({"queues": faulty["queues"][-2:]}), code=69)
        check("amq.bad" in said, f"import_definitions --skip-refused of a faulty document says {said}")
        check_equal([row["name"] for row in there.rows("list_queues", "name")], ["q599"], "the rest of a faulty document")
        there.ctl("delete_queue", "q599")
        there.ctl("import_definitions", text=pathlib.Path(path).read_text(encoding="utf-8"))
        check_equal(there.rows("list_queues", "-p", "shop", "name", "arguments"),
                    [{"name": "orders", "arguments": [["x-max-length", "signedint", 7]]}], "what was imported")
        check_equal([row["user"] for row in there.rows("list_permissions", "-p", "shop")], ["app", "guest"],
                    "rights that were imported")
        check("unchanged" in there.ctl("import_definitions", "--skip-if-unchanged", path), "an import of the same")
        exported = json.loads(there.ctl("-q", "export_definitions", "-"))
        exported["queues"] = [{"name": f"many.{at}", "vhost": "/", "durable": True, "auto_delete": False,
                               "arguments": {}}
                              for at in range(1100)]
        pathlib.Path(path).write_text(json.dumps(exported), encoding="utf-8")
        there.ctl("import_definitions", path)
        check_equal(len(there.rows("list_queues")), 1100, "queues of a large document")
        check("deserialise" in there.ctl("import_definitions", text="{", code=65), "half a document")


def test_nodes():
    """status, cluster_status, checks and waits, while all nodes are up and while one is down"""
    with kit.cluster() as cluster:
        tools = Tools(cluster)
        first, second, third = cluster.nodes
        tools.ctl("await_startup")
        tools.ctl("await_online_nodes", "3", "-t", "20")
        text = tools.ctl("-n", second.name, "status")
        check(f"Status of node {second.name}" in text and f"port: {second.amqp_port}, protocol: amqp" in text, "status")
        data = json.loads(tools.ctl("status", "--formatter", "json"))
        check(data["pid"] == first.process.pid() and data["uptime"] >= 0 and data["alarms"] == [],
              f"status as JSON: {data}")
        data = json.loads(tools.ctl("cluster_status", "--formatter", "json"))
        check_equal(data["running_nodes"], [node.name for node in cluster.nodes], "running nodes")
        for words in (("ping",), ("check_running",), ("check_local_alarms",), ("check_alarms",),
                      ("check_port_connectivity",),
                      ("check_port_listener", str(first.amqp_port)), ("check_protocol_listener", "amqp"),
                      ("check_virtual_hosts",),
                      ("check_certificate_expiration",), ("check_if_node_is_quorum_critical",), ("is_running",),
                      ("listeners",),
                      ("memory_breakdown",), ("server_version",), ("discover_peers",), ("maybe_stuck",),
                      ("environment",),
                      ("check_for_quorum_queues_without_an_elected_leader", "--across-all-vhosts"),
                      ("log_tail", "-N", "2"),
                      ("check_if_metadata_store_is_initialized_with_data",), ("list_feature_flags",)):
            tools.run("rabbitmq-diagnostics", *words)
        check("not active" in tools.run("rabbitmq-diagnostics", "check_port_listener", "1",
                                        code=69).replace("No listener", "not active"),
              "a port that nobody listens on")
        tools.run("rabbitmq-diagnostics", "check_protocol_listener", "mqtt", code=69)
        check(str(first.process.output_file.name) in tools.run("rabbitmq-diagnostics", "log_location"), "log_location")
        tools.ctl("node_health_check")
        tools.ctl("reset_stats_db", "--all")
        tools.run("rabbitmq-upgrade", "post_upgrade")
        tools.run("rabbitmq-upgrade", "has_reached_target_cluster_size")
        kit.kill(third)
        kit.wait_for("the others notice", lambda: json.loads(tools.ctl("cluster_status", "--formatter",
                                                                       "json"))["running_nodes"]
                     == [first.name, second.name])
        tools.ctl("await_online_nodes", "3", "-t", "1", code=75)
        check("unable to perform" in tools.ctl("-n", third.name, "status", code=69), "a node that is down")
        tools.run("rabbitmq-diagnostics", "-n", third.name, "ping", code=69)
        tools.run("rabbitmq-diagnostics", "-n", third.name, "check_running", code=69)
        tools.run("rabbitmq-diagnostics", "check_if_node_is_quorum_critical", code=69)
        tools.run("rabbitmq-upgrade", "has_reached_target_cluster_size", code=69)
        tools.ctl("list_queues")


def test_names_and_targets():
    """a node is found by its number, its name, an address, a URL, and its own configuration file"""
    with kit.cluster() as cluster:
        tools, node = Tools(cluster), cluster.nodes[1]
        config = {"WARREN_DIR": "", "WARREN_CONFIG": str(node.dir / "warren.conf")}
        for words, more in ((("-n", "2"), {}), (("-n", node.name), {}), (("-n", f"{node.host}:{node.http_port}"), {}),
                            (("--url", f"http://{node.host}:{node.http_port}"), {}), ((), config),
                            # Asked where it is, the first node tells.
                            (("-n", node.name), {"WARREN_DIR": "",
                                                 "WARREN_URL": f"http://127.0.0.1:{cluster.nodes[0].http_port}"})):
            got = json.loads(tools.ctl(*words, "status", "--formatter", "json", **more))
            check_equal(got["pid"], node.process.pid(), f"the node that {words} {more} means")
        check("not know where" in tools.ctl("-n", "warren@nowhere", "status", code=69), "a name that nobody has")


def test_links():
    """shovels and federation links are shown, restarted and deleted"""
    with kit.cluster() as cluster:
        tools, node = Tools(cluster), cluster.nodes[0]
        uri = f"amqp://guest:guest@127.0.0.1:{node.amqp_port}"
        tools.ctl("set_parameter", "shovel", "mover", json.dumps(
            {"src-uri": uri, "src-queue": "from", "dest-uri": uri, "dest-queue": "to"}))
        found = kit.wait_for("the shovel runs", lambda: [row for row in tools.rows("shovel_status")
                                                         if row["state"] == "running"], 60)
        check_equal([(row["name"], row["vhost"], row["type"], row["source_queue"], row["destination_queue"])
                     for row in found], [("mover", "/", "dynamic", "from", "to")], "shovel_status")
        tools.ctl("restart_shovel", "mover")
        kit.wait_for("it runs again", lambda: [row["state"] for row in tools.rows("shovel_status")] == ["running"], 60)
        tools.ctl("restart_shovel", "none", code=69)
        tools.ctl("delete_shovel", "mover")
        kit.wait_for("it is gone", lambda: not tools.rows("shovel_status"), 60)
        tools.ctl("delete_shovel", "mover", code=69)

        Api(node).put("/exchanges/%2F/fed", {"type": "fanout", "durable": True})
        tools.ctl("set_parameter", "federation-upstream", "up", json.dumps({"uri": "amqp://127.0.0.1:1"}))
        tools.ctl("set_policy", "fed", "^fed", '{"federation-upstream-set":"all"}', "--apply-to", "exchanges")
        link = kit.wait_for("the link is shown", lambda: tools.rows("federation_status", "--only-down"), 60)[0]
        check_equal((link["exchange"], link["upstream"], link["type"], link["vhost"]), ("fed", "up", "exchange", "/"),
                    "federation_status")
        check("exchange => <<\"fed\">>" in tools.ctl("federation_status"), "federation_status as terms")
        tools.ctl("restart_federation_link", link["id"])
        tools.ctl("restart_federation_link", "none", code=69)


def test_plugins_and_rest():
    """scripts that enable plugins and feature flags go through; what has no meaning says what to do instead"""
    with kit.cluster(nodes=1) as cluster:
        tools = Tools(cluster)
        tools.run("rabbitmq-plugins", "enable", "rabbitmq_management", "rabbitmq_shovel")
        tools.run("rabbitmq-plugins", "enable", "rabbitmq_nonsense", code=70)
        tools.run("rabbitmq-plugins", "is_enabled", "rabbitmq_prometheus")
        tools.run("rabbitmq-plugins", "is_enabled", "rabbitmq_mqtt", code=69)
        check("rabbitmq_federation" in tools.run("rabbitmq-plugins", "list", "-m", "-q"), "list of plugins")
        tools.ctl("enable_feature_flag", "all")
        tools.ctl("enable_feature_flag", "nonsense", code=64)
        check_equal(tools.ctl("eval", "node().").strip(), cluster.nodes[0].name, "eval")
        for words in (("reset",), ("exec", "1"), ("force_boot",), ("join_cluster", "rabbit@nowhere")):
            check(len(tools.ctl(*words, code=69)) > 40, f"{words} does not say what to do instead")
        tools.run("rabbitmq-streams", "stream_status", "x", code=69)
        tools.ctl("set_cluster_name", "mine")
        check("Cluster name: mine" in tools.ctl("cluster_status"), "the cluster's name")
        check("End of server status report" in tools.ctl("report"), "a report")


def test_many_queues():
    """listing thousands of queues goes page by page and stays quick"""
    import time
    with kit.cluster(nodes=1) as cluster, tempfile.TemporaryDirectory() as directory:
        tools, path = Tools(cluster), os.path.join(directory, "many.json")
        queues = [{"name": f"q.{at:05}", "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
                  for at in range(3000)]
        pathlib.Path(path).write_text(json.dumps({"queues": queues}), encoding="utf-8")
        tools.ctl("import_definitions", path)
        began = time.monotonic()
        check_equal([row["name"] for row in tools.rows("list_queues", "name")], [queue["name"] for queue in queues],
                    "names")
        check(time.monotonic() - began < kit.PATIENCE, "listing 3000 queues took longer than anybody waits")
