"""What operators set up over HTTP: vhosts, users, rights, limits, policies, parameters, and all of it as one file."""

import base64
import hashlib
import json
import pathlib
import tempfile

import amqp
import kit
from http_api import Admin, Api, name

# As RabbitMQ 3.6 writes it, cut down: tags with commas, no apply-to, mirroring policies, limits among the parameters.
OLD_FILE = {
    "rabbit_version": "3.6.16",
    "users": [{"name": "old", "password_hash": "2kiNwE2PrBQvrTQvVpFJ9fWZMSqJIHUNHZaJfkOhcp8x5RBy",
               "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "administrator,impersonator"}],
    "vhosts": [{"name": "/"}, {"name": "legacy"}],
    "permissions": [{"user": "old", "vhost": "legacy", "configure": ".*", "write": ".*", "read": ".*"},
                    {"user": "guest", "vhost": "legacy", "configure": ".*", "write": ".*", "read": ".*"}],
    "parameters": [{"value": {"max-queues": 3}, "vhost": "legacy", "component": "vhost-limits", "name": "limits"}],
    "global_parameters": [{"name": "cluster_name", "value": "rabbit@old"}],
    "policies": [{"vhost": "legacy", "name": "ha", "pattern": "^ha\\.", "definition": {"ha-mode": "all"}, "priority": 0}],
    "queues": [{"name": "ha.orders", "vhost": "legacy", "durable": True, "auto_delete": False,
                "arguments": {"x-max-length": 100, "x-queue-mode": "lazy"}}],
    "exchanges": [{"name": "routes", "vhost": "legacy", "type": "headers", "durable": True, "auto_delete": False,
                   "internal": False, "arguments": {}}],
    "bindings": [{"source": "routes", "vhost": "legacy", "destination": "ha.orders", "destination_type": "queue",
                  "routing_key": "", "arguments": {"x-match": "all", "kind": "order", "size": 3}}],
}


def test_vhosts_and_users():
    """Vhosts, users and permissions are made on one node and hold on all; rights are asked for over HTTP, too"""
    with kit.cluster() as cluster:
        api, other = Api(cluster.nodes[0]), Api(cluster.nodes[2])
        api.put("/vhosts/shop", {"description": "orders", "tags": "a,b"})
        api.put("/vhosts/shop", {"description": "all orders"}, expect=204)
        vhost = other.get("/vhosts/shop")
        kit.check_equal((vhost["description"], vhost["tags"]), ("all orders", ["a", "b"]), "vhost on another node")
        kit.check_equal(sorted(v["name"] for v in other.get("/vhosts")), ["/", "shop"], "vhosts")
        kit.check_equal(other.get("/vhosts/shop/permissions")[0]["user"], "guest", "who made it may use it")
        api.put("/vhosts/typed", {"default_queue_type": "quorum"})
        other.put("/queues/typed/q", {"durable": True})
        queue = other.get("/queues/typed/q")
        kit.check_equal((queue["type"], queue["arguments"]), ("quorum", {"x-queue-type": "quorum"}), "a queue's type")
        api.put("/vhosts/typed", {"default_queue_type": "heap"}, expect=400)
        api.delete("/vhosts/typed")
        api.put("/users/ann", {"password": "secret", "tags": "management"})
        api.put("/users/bob", {"password": "x"}, expect=400)
        for body, why in (({"password_hash": "no hash"}, '{not_base64,<<"no hash">>}'),
                          ({"password_hash": "", "password": "x"}, "both_password_and_password_hash_are_provided")):
            kit.check_equal(api.put("/users/bob", {"tags": "", **body}, expect=400).json["reason"], why, f"a user of {body}")
        kit.check_equal(other.get("/users/ann")["tags"], ["management"], "tags")
        kit.check_equal([u["name"] for u in other.get("/users/without-permissions")], ["ann"], "without permissions")
        api.put("/permissions/shop/ann", {"configure": "^ann", "write": "^ann", "read": ".*"})
        api.put("/permissions/shop/ann", {"configure": "^ann"}, expect=400)
        api.put("/permissions/nowhere/ann", {"configure": "", "write": "", "read": ""}, expect=400)
        kit.check_equal(other.get("/permissions/shop/ann"), {"vhost": "shop", "user": "ann", "configure": "^ann",
                                                             "write": "^ann", "read": ".*"}, "permission")
        api.put("/topic-permissions/shop/ann", {"exchange": "amq.topic", "write": "^a", "read": ".*"})
        kit.check_equal(other.get("/topic-permissions/shop/ann")[0]["exchange"], "amq.topic", "topic permission")
        kit.check_equal(len(other.get("/users/ann/permissions")), 1, "permissions of a user")

        ann = Api(cluster.nodes[1], "ann", "secret")
        kit.check_equal(ann.get("/whoami"), {"name": "ann", "tags": ["management"]}, "whoami")
        kit.check_equal([v["name"] for v in ann.get("/vhosts")], ["shop"], "vhosts that ann sees")
        ann.put("/queues/shop/ann.box")
        refusal = ann.put("/queues/shop/box", expect=401).json
        kit.check("configure access to queue 'box' in vhost 'shop' refused for user 'ann'" in refusal["reason"], refusal)
        ann("GET", "/queues/%2F", expect=401)
        ann("GET", "/users", expect=401)
        ann.put("/vhosts/mine", expect=401)
        kit.check_equal([q["name"] for q in ann.get("/queues")], ["ann.box"], "queues that ann sees")
        connection = kit.connect(cluster.nodes[2], user="ann", password="secret", vhost="shop")
        kit.check_equal(kit.declare(connection, "ann.box", passive=True).fields["queue"], "ann.box", "by AMQP")
        connection.close()

        api.delete("/topic-permissions/shop/ann")
        api.delete("/permissions/shop/ann")
        other("GET", "/permissions/shop/ann", expect=404)
        api.put("/vhosts/kept")
        api.post("/vhosts/kept/deletion/protection", expect=204)
        api("DELETE", "/vhosts/kept", expect=412)
        api.delete("/vhosts/kept/deletion/protection")
        api.delete("/vhosts/kept")
        api.delete("/vhosts/shop")
        other("GET", "/queues/shop", expect=404)
        api.post("/users/bulk-delete", {"users": ["ann"]}, expect=204)
        other("GET", "/users/ann", expect=404)
        kit.check_equal(Api(cluster.nodes[1], "ann", "secret")("GET", "/whoami").status, 401, "after the user's end")


def test_policies_and_parameters():
    """Policies, parameters and limits are set, shown, refused with RabbitMQ's words, and cleared"""
    with kit.cluster() as cluster:
        api, other = Api(cluster.nodes[0]), Api(cluster.nodes[1])
        api.put("/policies/%2F/short", {"pattern": "^q", "definition": {"max-length": 5}, "apply-to": "queues", "priority": 2})
        kit.check_equal(other.get("/policies/%2F/short"), {"vhost": "/", "name": "short", "pattern": "^q", "priority": 2,
                                                           "apply-to": "queues", "definition": {"max-length": 5}}, "policy")
        api.put("/queues/%2F/q1")
        api.put("/queues/%2F/other")
        api.put("/policies/%2F/bad", {"pattern": "^q"}, expect=400)
        bad = api.put("/policies/%2F/bad", {"pattern": "(", "definition": {"max-length": 5}}, expect=400).json
        kit.check("regular expression" in bad["reason"], bad)
        api.put("/operator-policies/%2F/cap", {"pattern": ".*", "definition": {"max-length": 9}, "apply-to": "queues"})
        kit.check_equal([p["name"] for p in other.get("/operator-policies/%2F")], ["cap"], "operator policies")
        queue = other.get("/queues/%2F/q1")
        kit.check_equal((queue["policy"], queue["operator_policy"], queue["effective_policy_definition"]),
                        ("short", "cap", {"max-length": 5}), "policies of a queue")
        kit.check_equal(other.get("/queues/%2F/other")["policy"], None, "a queue that no policy fits")
        api.put("/global-parameters/colour", {"value": {"a": [1, 2]}})
        kit.check_equal(other.get("/global-parameters/colour"), {"name": "colour", "value": {"a": [1, 2]}}, "global parameter")
        api.put("/vhost-limits/%2F/max-queues", {"value": 50}, expect=204)
        api.put("/vhost-limits/%2F/bogus", {"value": 5}, expect=400)
        kit.check_equal(other.get("/vhost-limits"), [{"vhost": "/", "value": {"max-queues": 50}}], "vhost limits")
        api.put("/user-limits/guest/max-connections", {"value": 7}, expect=204)
        kit.check_equal(other.get("/user-limits/guest"), [{"user": "guest", "value": {"max-connections": 7}}], "user limits")
        kit.check_equal(other.get("/users/guest")["limits"], {"max-connections": 7}, "limits of the user")
        api.put("/cluster-name", {"name": "east"}, expect=204)
        kit.check_equal(other.get("/cluster-name"), {"name": "east"}, "cluster name")
        for path in ("/policies/%2F/short", "/operator-policies/%2F/cap", "/global-parameters/colour",
                     "/vhost-limits/%2F/max-queues", "/user-limits/guest/max-connections"):
            other.delete(path)
            other.delete(path, expect=204 if "limits" in path else 404)     # limits of nothing may go twice


def test_definitions():
    """What is exported is imported again, by another cluster, without a difference; an old file comes in without edits"""
    with kit.cluster() as cluster:
        api = Api(cluster.nodes[0])
        api.post("/definitions", OLD_FILE, expect=204)
        api.post("/definitions", OLD_FILE, expect=204)  # once more changes nothing
        kit.check_equal(api.get("/users/old")["tags"], ["administrator", "impersonator"], "tags of an old user")
        kit.check_equal(api.get("/queues/legacy/ha.orders")["arguments"], {"x-max-length": 100, "x-queue-mode": "lazy"}, "queue")
        binding = api.get("/bindings/legacy/e/routes/q/ha.orders")[0]
        kit.check_equal(binding["arguments"], {"x-match": "all", "kind": "order", "size": 3}, "binding")
        kit.check_equal(api.get("/vhost-limits/legacy"), [{"vhost": "legacy", "value": {"max-queues": 3}}], "limits")
        with kit.connected(cluster.nodes[0]) as connection:
            kit.declare(connection, "private", exclusive=True)
            first = api.get("/definitions")
        kit.check_equal([q["name"] for q in first["queues"]], ["ha.orders"], "exclusive queues are nobody else's")
        refused = api.post("/definitions", {"queues": [{"name": "amq.wrong", "vhost": "legacy", "arguments": {}},
                                                       {"name": "fine", "vhost": "legacy", "arguments": {}}]}, expect=400).json
        kit.check("amq.wrong" in refused["reason"], refused)
        api("GET", "/queues/legacy/fine", expect=404)
        api.post("/definitions/legacy", {"queues": [{"name": "third", "arguments": {}}], "bindings": [
            {"source": "routes", "destination": "third", "destination_type": "queue", "routing_key": "k", "arguments": {}}]},
                 expect=204)
        kit.check_equal(len(api.get("/queues/legacy/third/bindings")), 2, "of a file of one vhost")
        api.delete("/queues/legacy/third")
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        api.post("/definitions", first, expect=204)
        kit.check_equal(json.dumps(api.get("/definitions")), json.dumps(first), "the second export")


def test_rabbitmqadmin_setup():
    """rabbitmqadmin makes vhosts, users, permissions and policies, and exports and imports definitions"""
    with kit.cluster() as cluster:
        admin, file = Admin(cluster.nodes[0]), cluster.dir / "definitions.json"
        admin("declare", "vhost", "name=shop")
        admin("declare", "user", "name=ann", "password=secret", "tags=")
        admin("declare", "permission", "vhost=shop", "user=ann", "configure=.*", "write=.*", "read=.*")
        admin("declare", "policy", "name=short", "pattern=^q", 'definition={"max-length": 5}', "apply-to=queues")
        admin("-V", "shop", "declare", "queue", "name=q1")
        kit.check_equal(sorted(row["name"] for row in admin.rows("list", "users", "name")), ["ann", "guest"], "users")
        admin("list", "vhosts", "name", "messages")
        admin("list", "permissions")
        admin("list", "policies")
        admin("export", str(file))
        admin("delete", "vhost", "name=shop")
        admin("delete", "user", "name=ann")
        admin("import", str(file))
        kit.check_equal([row["vhost"] for row in admin.rows("list", "queues", "vhost")], ["shop"], "queues after the import")
        connection = kit.connect(cluster.nodes[1], user="ann", password="secret", vhost="shop")
        kit.check_equal(kit.declare(connection, "q1", passive=True).fields["message_count"], 0, "as the imported user")
        connection.close()


def test_checks():
    """Health checks answer 200 and 503 as RabbitMQ's do, also when nodes are gone; the aliveness test sends a message"""
    with kit.cluster() as cluster:
        api, node = Api(cluster.nodes[0]), cluster.nodes[0]
        for check in ("alarms", "local-alarms", f"port-listener/{node.amqp_port}", "protocol-listener/amqp", "virtual-hosts",
                      "certificate-expiration/1/months", "node-is-quorum-critical", "node-is-mirror-sync-critical",
                      "is-in-service", "ready-to-serve-clients", "below-node-connection-limit", "reached-target-cluster-size",
                      "metadata-store/initialized", "metadata-store/initialized/with-data",
                      "quorum-queues-without-elected-leaders/all-vhosts/",
                      "quorum-queues-without-elected-leaders/vhost/%2F/pattern/.%2A"):
            kit.check_equal(api.get("/health/checks/" + check)["status"], "ok", check)
        api("GET", "/health/checks/port-listener/1", expect=503)
        api("GET", "/health/checks/port-listener/abc", expect=400)
        api("GET", "/health/checks/certificate-expiration/1/years", expect=200)
        api("GET", "/health/checks/certificate-expiration/1/minutes", expect=400)
        kit.check_equal(api("GET", "/health/checks/protocol-listener/mqtt", expect=503).json["missing"], "mqtt", "missing")
        kit.check_equal(api.get("/aliveness-test/%2F"), {"status": "ok"}, "aliveness")
        kit.check_equal(api.get("/healthchecks/node")["status"], "ok", "old health check")
        kit.kill(cluster.nodes[2])
        kit.wait_for("a node that may not go", lambda: api("GET", "/health/checks/node-is-quorum-critical").status == 503)
        api("GET", "/health/checks/reached-target-cluster-size", expect=503)


def test_odds():
    """Smaller paths that tools call: whoami, version, extensions, login, feature flags, rebalance, reset"""
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        kit.check_equal(api.get("/whoami"), {"name": "guest", "tags": ["administrator"]}, "whoami")
        kit.check(isinstance(api.get("/version"), str), "version")
        kit.check(api.get("/extensions"), "extensions")
        kit.check(all(flag["state"] == "enabled" for flag in api.get("/feature-flags")), "feature flags")
        api.put("/feature-flags/stream_queue/enable", expect=204)
        api.put("/feature-flags/no_such_flag/enable", expect=400)
        kit.check_equal(api.get("/deprecated-features/used"), [], "deprecated features")
        api.post("/rebalance/queues", expect=204)
        api.delete("/reset")
        api("POST", "/login", "username=guest&password=guest", expect=200)
        api("POST", "/login", "username=guest&password=wrong", expect=401)
        attempts = api.get("/auth/attempts/" + name(cluster.nodes[0].name))
        http = next(entry for entry in attempts if entry["protocol"] == "http")
        kit.check(http["auth_attempts_failed"] >= 1 and http["auth_attempts_succeeded"] >= 5, http)
        kit.check_equal(len(api.get("/auth/hash_password/secret")["ok"]), 48, "a password's hash")
        try:
            kit.connect(cluster.nodes[0], password="wrong")
            raise AssertionError("a wrong password was taken")
        except (amqp.Closed, OSError):
            pass


def test_shovels():
    """A shovel is set up, shown by every node, restarted and deleted over HTTP"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as connection:
        api, other = Api(cluster.nodes[0]), Api(cluster.nodes[1])
        uri = f"amqp://{cluster.nodes[0].host}:{cluster.nodes[0].amqp_port}"
        kit.declare(connection, "here")
        kit.declare(connection, "there")
        refusal = api.put("/parameters/shovle/%2F/mover", {"value": {}}, expect=400)
        kit.check("component shovle not found" in refusal.json["reason"], f"an unknown component: {refusal.body}")
        api.put("/parameters/shovel/%2F/mover", {"value": {"src-uri": uri, "src-queue": "here", "dest-uri": uri,
                                                           "dest-queue": "there"}})
        for each in (api, other):
            kit.wait_for("a running shovel", lambda each=each: [
                (s["name"], s["vhost"], s["type"], s["state"]) for s in each.get("/shovels/%2F")]
                == [("mover", "/", "dynamic", "running")], timeout=60)
        kit.publish(connection, "here", kit.numbered(10))
        kit.wait_for("moved messages", lambda: other.get("/queues/%2F/there")["messages"] == 10)
        kit.check(other.get("/shovels/vhost/%2F/mover")["node"] in [node.name for node in cluster.nodes], "node")
        other.delete("/shovels/vhost/%2F/mover/restart")
        kit.wait_for("a restarted shovel", lambda: [s["state"] for s in api.get("/shovels")] == ["running"], timeout=60)
        other.delete("/shovels/vhost/%2F/mover")
        kit.wait_for("no shovel", lambda: other.get("/shovels") == [], timeout=60)
        other.delete("/shovels/vhost/%2F/mover", expect=404)
        kit.check_equal(api.get("/federation-links"), [], "federation links")


def test_definitions_at_start():
    """load_definitions brings files in when the cluster starts, on whichever node first; their users are all there are"""
    salt = b"salt"
    boss = {"name": "boss", "tags": ["administrator"], "hashing_algorithm": "rabbit_password_hashing_sha256",
            "password_hash": base64.b64encode(salt + hashlib.sha256(salt + b"secret").digest()).decode()}
    rights = [{**right, "user": "boss"} for right in OLD_FILE["permissions"]]
    with tempfile.TemporaryDirectory() as directory:
        (pathlib.Path(directory) / "1.json").write_text(json.dumps({"users": [boss]}))
        (pathlib.Path(directory) / "2.json").write_text(json.dumps({**OLD_FILE, "permissions": rights}))
        with kit.cluster(settings={"load_definitions": directory}) as cluster:
            api = Api(cluster.nodes[1], "boss", "secret")
            kit.wait_for("the file's queue", lambda: api("GET", "/bindings/legacy/e/routes/q/ha.orders").status == 200
                         and len(api.get("/bindings/legacy/e/routes/q/ha.orders")) == 1)
            kit.wait_for("each node's word", lambda: all("definitions loaded" in kit.read_log(node) for node in cluster.nodes))
            kit.check(not any("definitions refused" in kit.read_log(node) for node in cluster.nodes), "something was refused")
            doers = [node.number for node in cluster.nodes if "refused=0" in kit.read_log(node)]
            kit.check_equal(len(doers), 1, f"nodes that brought the files in: {doers}")
            kit.wait_for("two files that two nodes left to it",
                         lambda: sum(kit.read_log(node).count(f" by={doers[0]}") for node in cluster.nodes) == 4)
            kit.check_equal(sorted(user["name"] for user in api.get("/users")), ["boss", "old"], "users")
            Api(cluster.nodes[0])("GET", "/overview", expect=401)  # guest was not made
            form = ('--mark\r\nContent-Disposition: form-data; name="file"; filename="d.json"\r\n\r\n'
                    '{"queues": [{"name": "by-form", "vhost": "legacy", "durable": true, "arguments": {}}]}\r\n--mark--\r\n')
            api("POST", "/definitions", form, expect=204, **{"Content-Type": "multipart/form-data; boundary=mark"})
            api.get("/queues/legacy/by-form")
            api("POST", "/definitions", "no braces", expect=400)


def test_definitions_of_each_version():
    """Files as RabbitMQ 3.6 to 4.1 write them come in without edits: users log in, queues and bindings are there, twice is once"""
    files = sorted((pathlib.Path(__file__).parent / "definitions").glob("*.json"))
    kit.check_equal(len(files), 10, "files")
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        for path in files:
            file = json.loads(path.read_text())
            for _ in range(2):
                answer = api("POST", "/definitions", path.read_text())
                kit.check(answer.status == 204, f"{path.name}: {answer.status} {answer.body[:1000]}")
            exported = api.get("/definitions/v")
            for kind in ("queues", "exchanges", "policies"):
                kit.check({thing["name"] for thing in file[kind]} <= {thing["name"] for thing in exported[kind]},
                          f"{path.name}: {kind} {exported[kind]}")
            for binding in file["bindings"]:
                kit.check(any(all(other[key] == value for key, value in binding.items() if key != "vhost")
                              for other in exported["bindings"]), f"{path.name}: {binding} is not in {exported['bindings']}")
            for queue in file["queues"]:
                shown = api.get(f"/queues/v/{name(queue['name'])}")
                kit.check_equal(shown["arguments"], queue["arguments"], f"{path.name}: {queue['name']}")
                kit.check_equal(shown["type"], queue["arguments"].get("x-queue-type", "classic"), f"{path.name}: type")
            for user in file["users"]:
                connection = kit.connect(cluster.nodes[0], user=user["name"], password="secret", vhost="v")
                kit.declare(connection, file["queues"][0]["name"], passive=True)
                connection.close()
                tags = user["tags"] if isinstance(user["tags"], list) else [tag for tag in user["tags"].split(",") if tag]
                kit.check_equal(api.get("/users/" + user["name"])["tags"], tags, f"{path.name}: tags")
            api.delete("/vhosts/v/deletion/protection")
            api.delete("/vhosts/v")
            for user in file["users"]:
                api.delete("/users/" + user["name"])


def test_hashes_that_do_not_say_how():
    """A password_hash without hashing_algorithm is of the node's own, in files of old versions of what these had"""
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        for version, algorithm in (({}, "sha256"), ({"rabbit_version": "3.13.7"}, "sha256"), ({"rabbitmq_version": "4.1.0"}, "sha256"),
                                   ({"rabbit_version": "3.6.0"}, "sha256"), ({"rabbit_version": "3.5.7"}, "md5")):
            digest = hashlib.new(algorithm, b"saltsecret").digest()
            user = {"name": "app", "tags": "management", "password_hash": base64.b64encode(b"salt" + digest).decode()}
            api.post("/definitions", {**version, "users": [user]}, expect=204)
            kit.check_equal(Api(cluster.nodes[0], "app", "secret")("GET", "/whoami").status, 200, f"who logs in, from {version}")
            api.delete("/users/app")
        reason = api.post("/definitions", {"users": [{"name": "app", "tags": "", "password_hash": "?"}]}, expect=400).json["reason"]
        kit.check_equal(reason, 'user app: {not_base64,<<"?">>}', "a hash that is none")


def test_definitions_report_each_failure():
    """Each entry that is refused is told, at start once in the cluster; the entries beside it are done, over HTTP when that is asked for; a node's own file is its own"""
    wrong = [{"name": f"amq.wrong{n}", "vhost": "/", "durable": True, "arguments": {}} for n in range(30)]
    file = {"queues": wrong + [{"name": "fine", "vhost": "/", "durable": True, "arguments": {}}],
            "bindings": [{"source": "amq.topic", "vhost": "/", "destination": "fine", "destination_type": "queue",
                          "routing_key": "k", "arguments": {}}]}
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "file.json"
        path.write_text(json.dumps(file))
        with kit.cluster(settings={"load_definitions": str(path)}) as cluster:
            api = Api(cluster.nodes[0])
            kit.wait_for("each node's word", lambda: all("definitions loaded" in kit.read_log(node) for node in cluster.nodes))
            kit.check_equal(len(api.get("/queues/%2F/fine/bindings")), 2, "what stands beside the refused")
            told = [line for node in cluster.nodes for line in kit.read_log(node).splitlines() if "definitions refused" in line]
            kit.check_equal(len(told), 30, "refusals in all logs")
            kit.check(all(sum(f"{queue['name']}:" in line for line in told) == 1 for queue in wrong), told)
            api.delete("/queues/%2F/fine")
            reasons = api.post("/definitions?skip_refused=true", file, expect=400).json["reason"].splitlines()
            kit.check_equal(len(reasons), 30, f"reasons over HTTP: {reasons}")
            kit.check_equal(len(api.get("/queues/%2F/fine/bindings")), 2, "what stands beside the refused, over HTTP")


def test_definitions_are_checked_before_the_first():
    """A file of which anything is refused changes nothing, and all of it that is refused is told; a check alone changes nothing either"""
    queue = {"vhost": "new", "durable": True, "auto_delete": False, "arguments": {}}
    binding = {"vhost": "new", "routing_key": "k", "arguments": {}, "destination_type": "queue"}
    file = {"users": [{"name": "app", "password": "secret", "tags": ""}], "vhosts": [{"name": "new"}],
            "permissions": [{"vhost": vhost, "user": user, "configure": ".*", "write": ".*", "read": ".*"}
                            for vhost, user in (("new", "app"), ("/", "app"), ("new", "guest"))],
            "parameters": [{"vhost": "new", "component": "vhost-limits", "name": "limits", "value": {"max-queues": 7}}],
            "policies": [{"vhost": "new", "name": "p", "pattern": "^q", "definition": {"max-length": 5}}],
            "queues": [{**queue, "name": "q"}, {**queue, "name": "q"}],
            "exchanges": [{**queue, "name": "x", "type": "topic", "internal": False}],
            "bindings": [{**binding, "source": "x", "destination": "q"}, {**binding, "source": "amq.topic", "destination": "q"},
                         {**binding, "vhost": "/", "source": "there.x", "destination": "there.q"}]}
    wrong = {"users": [{"name": "bad", "tags": "", "password_hash": "?"}],
             "permissions": [{"vhost": "new", "user": "nobody", "configure": "", "write": "", "read": ""},
                             {"vhost": "new", "user": "app", "configure": "(", "write": "", "read": ""}],
             "policies": [{"vhost": "new", "name": "bad", "pattern": "", "definition": {"max-length": "many"}}],
             "queues": [{**queue, "name": "amq.bad"}, {**queue, "name": "bad", "arguments": {"x-max-length": "many"}},
                        {**queue, "name": "bad", "vhost": "nowhere"}],
             "exchanges": [{**queue, "name": "bad", "type": "none", "internal": False}],
             "bindings": [{**binding, "source": "x", "destination": "missing"}, {**binding, "source": "none", "destination": "q"}]}
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        api.put("/queues/%2F/there.q", {"durable": True})
        api.put("/exchanges/%2F/there.x", {"type": "direct", "durable": True})
        before = json.dumps(api.get("/definitions"))
        both = {kind: entries + wrong.get(kind, []) for kind, entries in file.items()}
        for path in ("/definitions", "/cluster/definitions/check"):
            reasons = api.post(path, both, expect=400).json["reason"]
            for words in ("not_base64", "User 'nobody' does not exist", "invalid regular expression '('", "max-length",
                          "queue amq.bad: ", "queue bad: PRECONDITION_FAILED - invalid arg 'x-max-length'",
                          "queue bad: NOT_ALLOWED - vhost nowhere not found", "unknown exchange type 'none'",
                          "no queue 'missing' in vhost 'new'", "no exchange 'none' in vhost 'new'"):
                kit.check(words in reasons, f"{words} is not in {reasons}")
            kit.check_equal(json.dumps(api.get("/definitions")), before, f"definitions after POST {path}")
        api.post("/cluster/definitions/check", file, expect=204)
        kit.check_equal(json.dumps(api.get("/definitions")), before, "definitions after a check of a sound file")
        for path in ("/definitions", "/cluster/definitions/check", "/definitions"):
            api.post(path, file, expect=204)
        kit.check_equal(len(api.get("/queues/new/q/bindings")), 3, "bindings of what was imported")
        kit.check_equal(len(api.get("/queues/%2F/there.q/bindings")), 2, "bindings of what was there")


def test_federation_links():
    """A federation link is shown by every node with its upstream, as running and as down, and restarted by its id"""
    with kit.cluster(nodes=1) as up, kit.cluster() as down:
        api, other = Api(down.nodes[0]), Api(down.nodes[2])
        uri = f"amqp://{up.nodes[0].host}:{up.nodes[0].amqp_port}"
        Api(up.nodes[0]).put("/exchanges/%2F/fed.x", {"type": "topic", "durable": True})
        api.put("/exchanges/%2F/fed.x", {"type": "topic", "durable": True})
        api.put("/parameters/federation-upstream/%2F/east", {"value": {"uri": uri, "reconnect-delay": 1}})
        api.put("/policies/%2F/fed", {"pattern": "^fed\\.", "definition": {"federation-upstream-set": "all"}, "apply-to": "exchanges"})
        for each in (api, other):
            kit.wait_for("a running link", lambda each=each: [link["status"] for link in each.get("/federation-links")]
                         == ["running"], timeout=60)
        link, = other.get("/federation-links/%2F")
        kit.check_equal([link[key] for key in ("upstream", "type", "exchange", "vhost", "status")],
                        ["east", "exchange", "fed.x", "/", "running"], "facts of the link")
        kit.check(link["uri"].startswith(uri), f"uri: {link['uri']}")
        kit.check(link["id"] and link["node"] in [node.name for node in down.nodes] and "local_connection" in link, link)
        kit.check_equal(api.get("/federation-links/state/down"), [], "links that are down")
        api.put("/vhosts/empty")
        kit.check_equal(api.get("/federation-links/empty"), [], "links of another vhost")
        path = f"/federation-links/vhost/%2F/{name(link['id'])}/{name(link['node'])}/restart"
        other.delete(path)
        kit.wait_for("a restarted link", lambda: [each["status"] for each in api.get("/federation-links")] == ["running"], timeout=60)
        other.delete(f"/federation-links/vhost/%2F/nothing/{name(link['node'])}/restart", expect=404)
        kit.kill(up.nodes[0])
        kit.wait_for("a link that is down", lambda: [each["upstream"] for each in api.get("/federation-links/state/down")]
                     == ["east"], timeout=60)
        kit.check_equal(other.get("/federation-links/%2F/state/down")[0]["id"], link["id"], "the same link")
        api.delete("/parameters/federation-upstream/%2F/east")
        kit.wait_for("no link", lambda: api.get("/federation-links") == [], timeout=60)


def test_login_attempts_by_source():
    """Logins are counted by protocol, and by address and user, on the node that saw them; a reset forgets them"""
    with kit.cluster(settings={"shards": 2}) as cluster:
        node, api = cluster.nodes[0], Api(cluster.nodes[1])
        path = "/auth/attempts/" + name(node.name)
        Api(node, "eve", "guess")("GET", "/overview", expect=401)
        for _ in range(3):
            kit.connect(node).close()
        try:
            kit.connect(node, user="mallory", password="wrong")
            raise AssertionError("a wrong password was taken")
        except (amqp.Closed, OSError):
            pass

        def source(protocol, user):
            rows = [row for row in api.get(path + "/source") if (row["protocol"], row["username"]) == (protocol, user)]
            return [(row["remote_address"], row["auth_attempts"], row["auth_attempts_failed"], row["auth_attempts_succeeded"])
                    for row in rows]

        kit.check_equal(source("amqp091", "guest"), [("127.0.0.1", 3, 0, 3)], "good logins")
        kit.check_equal(source("amqp091", "mallory"), [("127.0.0.1", 1, 1, 0)], "a bad login")
        kit.check_equal(source("http", "eve"), [("127.0.0.1", 1, 1, 0)], "a bad login by HTTP")
        total = next(row for row in api.get(path) if row["protocol"] == "amqp091")
        kit.check_equal((total["auth_attempts"], total["auth_attempts_failed"]), (4, 1), "all together")
        api.delete(path)
        kit.check_equal((source("amqp091", "guest"), source("http", "eve")), ([], []), "after a reset")
        api("GET", "/auth/attempts/nobody/source", expect=404)
