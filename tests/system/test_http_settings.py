"""What the configuration changes about the management port: paths, heads of answers, bodies, figures."""

import http.client

import kit
from http_api import Api


def fetch(node, method, path, **headers):
    connection = http.client.HTTPConnection(node.host, node.http_port, timeout=20)
    try:
        connection.request(method, path, None, headers)
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


def test_policies():
    """Policies of the configuration stand in the heads of answers; CORS lets in the origins that are named, and no others"""
    settings = {"management.cors.allow_origins.1": "https://one.example", "management.cors.allow_origins.2": "http://two",
                "management.cors.max_age": 60, "management.csp.policy": "default-src 'none'",
                "management.hsts.policy": "max-age=31536000", "management.headers.frame_options": "DENY",
                "management.headers.xss_protection": "1; mode=block"}
    with kit.cluster(nodes=1, settings=settings) as cluster:
        node, api = cluster.nodes[0], Api(cluster.nodes[0])
        page = fetch(node, "GET", "/")
        kit.check_equal((page.headers["Content-Security-Policy"], page.headers["X-Frame-Options"]),
                        ("default-src 'none'", "DENY"), "heads of the page")
        answer = api("GET", "/overview", Origin="http://two")
        kit.check_equal([answer.headers[h] for h in ("Strict-Transport-Security", "X-XSS-Protection", "X-Content-Type-Options",
                                                     "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Vary")],
                        ["max-age=31536000", "1; mode=block", "nosniff", "http://two", "true", "Origin"], "heads of the API")
        kit.check_equal(api("GET", "/overview", Origin="http://three").headers["Access-Control-Allow-Origin"], None, "a stranger")
        kit.check_equal(api("GET", "/overview").headers["Access-Control-Allow-Origin"], None, "no origin")
        before = fetch(node, "OPTIONS", "/api/queues/%2F/q", Origin="https://one.example",
                       **{"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"})
        kit.check_equal([before.status] + [before.headers["Access-Control-" + h] for h in (
            "Allow-Origin", "Allow-Methods", "Allow-Headers", "Max-Age")],
            [200, "https://one.example", "HEAD, GET, PUT, DELETE, OPTIONS", "authorization", "60"], "preflight")
    with kit.cluster(nodes=1, settings={"management.cors.allow_origins.1": "*"}) as cluster:
        kit.check_equal(Api(cluster.nodes[0])("GET", "/overview", Origin="http://any").headers["Access-Control-Allow-Origin"],
                        "http://any", "everybody")
    with kit.cluster(nodes=1) as cluster:
        answer = Api(cluster.nodes[0])("GET", "/overview", Origin="http://any")
        kit.check_equal((answer.headers["Access-Control-Allow-Origin"], answer.headers["Strict-Transport-Security"]),
                        (None, None), "without any of the keys")


def test_paths_and_bodies():
    """Below management.path_prefix are page and API, elsewhere health and metrics; a body above the limit is refused"""
    with kit.cluster(nodes=1, settings={"management.path_prefix": "/a/warren/", "management.http.max_body_size": "1KiB"}) as cluster:
        node, api = cluster.nodes[0], Api(cluster.nodes[0])
        for path, status in (("/a/warren/", 200), ("/a/warren/page/app.js", 200), ("/a/warren/api/overview", 401), ("/", 404),
                             ("/api/overview", 404), ("/a/warrenx/api/overview", 404), ("/health/live", 200), ("/metrics", 401)):
            kit.check_equal(fetch(node, "GET", path).status, status, path)
        moved = fetch(node, "GET", "/a/warren")
        kit.check_equal((moved.status, moved.headers["Location"]), (302, "/a/warren/"), "the prefix alone")
        api.prefix = "/a/warren/api"
        kit.check_equal(api.get("/whoami")["name"], "guest", "whoami")
        api.put("/queues/%2F/q", {"arguments": {"x": 900 * "y"}})
        api.put("/queues/%2F/r", {"arguments": {"x": 1100 * "y"}}, expect=400)


def test_disable_stats():
    """disable_stats leaves objects without figures, enable_queue_totals their numbers of messages; both by key and by query"""
    bare = {"name", "vhost", "type", "durable", "auto_delete", "exclusive", "arguments", "node", "state"}
    figures = {"message_stats", "consumers", "memory", "messages_details", "consumer_details"}
    totals = {"messages", "messages_ready", "messages_unacknowledged"}

    def check(queue, with_totals, what):
        kit.check(bare <= set(queue) and not figures & set(queue), f"{what}: {sorted(queue)}")
        kit.check_equal(totals & set(queue), totals if with_totals else set(), what)

    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        api.put("/queues/%2F/q")
        check(api.get("/queues?disable_stats=true")[0], False, "asked to leave them out")
        check(api.get("/queues/%2F/q?disable_stats=true&enable_queue_totals=true"), True, "asked for totals")
        kit.check(figures <= set(api.get("/queues/%2F/q")), "figures by default")
        overview = api.get("/overview")
        kit.check_equal((overview["disable_stats"], overview["enable_queue_totals"]), (False, False), "overview by default")
    with kit.cluster(settings={"management.disable_stats": "true", "management.enable_queue_totals": "true"}) as cluster:
        api = Api(cluster.nodes[0])
        api.put("/queues/%2F/q", {"durable": True})
        with kit.connected(cluster.nodes[1]) as connection:
            kit.publish(connection, "q", kit.numbered(3))
            kit.wait_for("messages of a queue", lambda: api.get("/queues")[0]["messages"] == 3)
            check(api.get("/queues")[0], True, "by configuration")
            overview = api.get("/overview")
            kit.check_equal((overview["disable_stats"], overview["enable_queue_totals"], "message_stats" in overview,
                             overview["object_totals"]["queues"]), (True, True, False, 1), "overview")
            for path in ("connections", "channels", "consumers", "vhosts/%2F/connections", "consumers/%2F"):
                kit.check_equal(api("GET", "/" + path, expect=400).json["reason"],
                                "Stats in management UI are disabled on this node", path)


def test_what_a_node_consists_of():
    """Ports, contexts, plugins, mechanisms and the configuration in force are shown as they are, without its secrets"""
    settings = {"management.path_prefix": "/warren", "auth_mechanisms.1": "PLAIN", "default_pass": "hidden", "default_user": "boss"}
    with kit.cluster(settings=settings) as cluster:
        node, api = cluster.nodes[0], Api(cluster.nodes[0], "boss", "hidden")
        api.prefix = "/warren/api"
        overview, shown = api.get("/overview"), api.get("/nodes/" + cluster.nodes[1].name.replace("@", "%40"))
        kit.check_equal(sorted((c["node"], c["description"], c["path"], c["port"]) for c in overview["contexts"]),
                        sorted((n.name, "RabbitMQ Management", "/warren", str(n.http_port)) for n in cluster.nodes), "contexts")
        kit.check_equal([c["node"] for c in shown["contexts"]], [cluster.nodes[1].name], "contexts of a node")
        kit.check({"amqp", "clustering", "http"} == {entry["protocol"] for entry in overview["listeners"]}, overview["listeners"])
        kit.check_equal({m["name"]: m["enabled"] for m in shown["auth_mechanisms"]},
                        {"PLAIN": True, "AMQPLAIN": False, "EXTERNAL": False, "RABBIT-CR-DEMO": False}, "mechanisms")
        kit.check({"rabbitmq_management", "rabbitmq_shovel", "rabbitmq_delayed_message_exchange"} <= set(shown["enabled_plugins"]),
                  shown["enabled_plugins"])
        kit.check(shown["config_files"] and shown["db_dir"], shown)
        effective = api.get("/config/effective")
        kit.check_equal([effective[key] for key in ("auth_mechanisms.1", "default_pass", "node.id", "heartbeat", "management.path_prefix")],
                        ["PLAIN", "********", str(node.number), "60", "/warren"], "configuration in force")


def test_a_vhost_called_detailed():
    """/api/queues/detailed are all queues; a vhost of that name is listed by its escaped name"""
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        api.put("/vhosts/detailed")
        api.put("/queues/detailed/inside")
        api.put("/queues/%2F/outside")
        kit.check_equal(sorted(q["name"] for q in api.get("/queues/detailed")), ["inside", "outside"], "all")
        kit.check_equal([q["name"] for q in api.get("/queues/%64etailed")], ["inside"], "of the vhost")
