"""The real HAProxy in front: one master with backups, and what the health checks say."""

import contextlib
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import amqp
import kit
import places
from ports import free_base_port


def opened(node):
    return kit.metric(node, "rabbitmq_connections_opened_total")


def connect_anew(cluster, timeout=kit.PATIENCE):
    """A client that connects again until it gets through, as every client does."""
    return kit.wait_for("a client gets through HAProxy", lambda: kit.connect(cluster.addresses()[0], timeout=5), timeout)


def test_master_dies_clients_find_their_queues_on_the_backup():
    """mode warren: the master is killed, clients land on the backup with queues and messages; the master returns"""
    with kit.cluster(haproxy=True, mode="warren") as cluster:
        master, backup, last = cluster.nodes
        client = connect_anew(cluster)
        kit.declare(client, "work")
        kit.publish(client, "work", kit.numbered(100))
        before = opened(master)
        kit.check(opened(backup) == 0 and opened(last) == 0 and before >= 1, "clients were not all on the master")
        kit.kill(master)
        began = time.monotonic()
        try:
            while client.poll(kit.PATIENCE):
                pass
            raise AssertionError("the connection to the dead master is still there")
        except amqp.Closed:
            pass
        client = connect_anew(cluster)
        print(f"a client was served again after {time.monotonic() - began:.2f} s")
        kit.check(opened(backup) >= 1 and opened(last) == 0, "clients are not all on the first backup")
        kit.check_equal(kit.declare(client, "work", passive=True).fields["message_count"], 100, "messages on the backup")
        kit.publish(client, "work", kit.numbered(10, "after"))
        kit.check_equal(kit.bodies_of(kit.consume(client, "work", 60)), kit.numbered(60), "messages in order")

        kit.start(cluster, master)

        def is_back():
            with kit.connected(cluster.addresses()[0]):
                return opened(master) > 0
        kit.wait_for("new clients go to the master again", is_back)
        # The client on the backup stays there and loses nothing.
        kit.check_equal(kit.bodies_of(kit.consume(client, "work", 50)), kit.numbered(100)[60:] + kit.numbered(10, "after"),
                        "the rest, over the connection to the backup")
        client.close()


def test_master_that_hangs_is_left():
    """mode warren: a master that hangs loses its clients to the backup within seconds"""
    with kit.cluster(haproxy=True, mode="warren") as cluster:
        master = cluster.nodes[0]
        client = connect_anew(cluster)
        kit.declare(client, "work")
        kit.publish(client, "work", kit.numbered(10))
        master.process.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            try:
                while time.monotonic() < began + kit.PATIENCE:
                    client.poll(0.5)
                raise AssertionError("HAProxy leaves the client with a node that hangs")
            except amqp.Closed:
                pass
            client = connect_anew(cluster)
            kit.publish(client, "work", kit.numbered(10))
            print(f"served again after {time.monotonic() - began:.2f} s")
            client.close()
        finally:
            master.process.send(signal.SIGCONT)
        cluster.wait_ready(kit.PATIENCE)


def test_health_checks_tell_the_truth():
    """/health/live, ready and leader: 200 or 503 with a reason, without credentials"""
    with kit.cluster() as cluster:
        codes = [[node.get(f"/health/{check}")[0] for check in ("live", "ready")] for node in cluster.nodes]
        kit.check_equal(codes, [[200, 200]] * 3, "live and ready of all nodes")
        kit.wait_for("one leader of the meta group", lambda: sorted(  # it may be on its way to another node
            node.get("/health/leader")[0] for node in cluster.nodes) == [200, 503, 503])
        kit.check_equal(cluster.nodes[0].get("/health/nonsense")[0], 404, "an unknown check")
        survivor = cluster.nodes[0]
        kit.kill(*cluster.nodes[1:])

        def refuses():
            status, body = survivor.get("/health/ready")
            return status == 503 and b"majority" in body
        kit.wait_for("the survivor says that it sees no majority", refuses)
        kit.check_equal(survivor.get("/health/live")[0], 200, "live without a majority")
        kit.start(cluster, cluster.nodes[1])
        kit.wait_for("ready with a majority again", lambda: survivor.get("/health/ready")[0] == 200)


# The agent check

def ask_agent(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as asker:
        asker.settimeout(2)
        return asker.makefile().read()
    return ""


@contextlib.contextmanager
def front(cluster, agents, folder):
    """A HAProxy of its own that asks agents; gives a function that says what HAProxy thinks of a node."""
    listen = free_base_port()
    nodes = [f"node{n.number}={n.host}:{n.amqp_port}:{n.http_port}:{agents + n.number}" for n in cluster.nodes]
    text = subprocess.run([str(places.ROOT / "ha/haproxy/generate"), "--listen", f"127.0.0.1:{listen}", "--stats-socket", str(folder / "stats"),
                           *(word for node in nodes for word in ("--node", node))], check=True, capture_output=True, text=True).stdout
    (folder / "haproxy.cfg").write_text(text)
    process = subprocess.Popen(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def thinks(number, column="status"):
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(str(folder / "stats"))
            asker.sendall(b"show stat\n")
            rows = [line.split(",") for line in asker.makefile().read().splitlines()]
        row = next(row for row in rows if row[:2] == ["amqp_nodes", f"node{number}"])
        return row[rows[0].index(column)]

    try:
        kit.wait_for("HAProxy answers", lambda: thinks(1) == "UP")
        thinks.address = ("127.0.0.1", listen)
        yield thinks
    finally:
        process.kill()
        process.wait()


def test_agent_tells_haproxy_what_a_node_wants():
    """The agent check: up while the node serves, down with a reason when it sees no majority, and HAProxy acts on it"""
    agents = free_base_port()
    with kit.cluster(settings={"agent.tcp": f"127.0.0.1:{agents // 10}{{node}}"}) as cluster, tempfile.TemporaryDirectory() as name:
        survivor = cluster.nodes[0]
        for node in cluster.nodes:
            kit.wait_for(f"the agent of {node.name} says that it serves",
                         lambda node=node: re.fullmatch(r"up ready (\d+)%\n", ask_agent(agents + node.number)))
        with front(cluster, agents, pathlib.Path(name)) as thinks:
            kit.kill(*cluster.nodes[1:])
            kit.wait_for("the survivor's agent says down", lambda: ask_agent(agents + survivor.number).startswith("down#group"))
            kit.wait_for("HAProxy uses the survivor no more", lambda: thinks(survivor.number).startswith("DOWN"))
            kit.start(cluster, cluster.nodes[1])
            kit.wait_for("HAProxy uses it again", lambda: thinks(survivor.number) == "UP")


def connect_until(thinks, there):
    """Six clients, and more while the node in question has none of them: what HAProxy thinks of loads decides."""
    clients = []
    while len(clients) < 6 or not there():
        kit.check(len(clients) < 60, "the node gets no clients")
        clients.append(kit.connect(thinks.address))
    return clients


def test_drained_node_keeps_its_clients():
    """A node that is drained: HAProxy shows DRAIN and sends no new clients, those that are there stay; revived, it gets clients again"""
    agents = free_base_port()
    with kit.cluster(settings={"agent.tcp": f"127.0.0.1:{agents // 10}{{node}}"}) as cluster, tempfile.TemporaryDirectory() as name:
        with front(cluster, agents, pathlib.Path(name)) as thinks:
            for node in cluster.nodes:
                kit.wait_for(f"{node.name} is used", lambda node=node: thinks(node.number) == "UP")
            node = cluster.nodes[1]
            clients = connect_until(thinks, lambda: int(thinks(2, "scur")) >= 1)
            node.change("POST", f"/api/cluster/members/{node.number}/drain")
            kit.wait_for("the agent says drain", lambda: ask_agent(agents + 2) == "drain\n")
            kit.wait_for("HAProxy shows DRAIN", lambda: thinks(2).startswith("DRAIN"))
            before = opened(node)
            later = [kit.connect(thinks.address) for _ in range(6)]
            kit.check_equal(opened(node), before, "connections opened on the node that drains")
            kit.check(thinks(2).startswith("DRAIN") and int(thinks(2, "scur")) >= 1, "HAProxy cut the clients of the node that drains")
            for number, client in enumerate([*clients, *later]):     # those of the drained node, too
                kit.declare(client, f"q{number}")
                kit.publish(client, f"q{number}", kit.numbered(10))
            node.change("POST", f"/api/cluster/members/{node.number}/revive")
            kit.wait_for("HAProxy uses it again", lambda: thinks(2) == "UP")
            for client in [*clients, *later]:
                client.close()
            fresh = connect_until(thinks, lambda: opened(node) > before)
            for client in fresh:
                client.close()


def test_weight_follows_load():
    """The agent's weight falls while a node is busy, HAProxy takes it over, and it comes back"""
    agents = free_base_port()
    with kit.cluster(settings={"agent.tcp": f"127.0.0.1:{agents // 10}{{node}}"}) as cluster, tempfile.TemporaryDirectory() as name:
        node = cluster.nodes[0]
        with front(cluster, agents, pathlib.Path(name)) as thinks, kit.connected(node) as connection:
            kit.wait_for("an idle node has all its weight", lambda: ask_agent(agents + 1) == "up ready 100%\n", 60)
            for number in range(200):    # each message is two hundred
                kit.declare(connection, f"q{number}", arguments={"x-max-length": 10})
                connection.call(1, "queue.bind", queue=f"q{number}", exchange="amq.fanout")

            def less():
                for _ in range(100):
                    connection.publish(1, "amq.fanout", "", b"x")
                connection.flush(30)
                # Where the nodes hardly get a processor, they lose leaders, and say for a while that they are down.
                share = re.findall(r"^up ready (\d+)%", ask_agent(agents + 1))
                return share and int(share[0]) < 100

            kit.wait_for("a busy node asks for less", less, 40, 0)
            kit.wait_for("HAProxy takes it over", lambda: less() and int(thinks(1, "weight")) < 100, 40, 0)
            kit.wait_for("the idle node asks for all again", lambda: ask_agent(agents + 1) == "up ready 100%\n", 60, 0.5)
