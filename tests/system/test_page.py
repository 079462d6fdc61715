"""The management page in a real Chromium."""

import contextlib
import os
import pathlib
import subprocess
import threading

import kit

TOUR = kit.HERE / "clients" / "page_tour.py"
STEPS = 10
PICTURES = "WARREN_PICTURES"   # a folder: the screenshots of docs/ are made by this test


@contextlib.contextmanager
def traffic(node):
    """A publisher and a consumer, so that there is something to see."""
    over = threading.Event()

    def publish():
        with kit.connected(node, heartbeat=60, name="shop") as connection:
            books = kit.Publisher(connection)
            while not over.wait(0.005):
                with contextlib.suppress(*kit.LOSSES):
                    books.send("orders", b"an order")
                    books.settle(50)

    def consume():
        with kit.connected(node, heartbeat=60, name="warehouse") as connection:
            connection.call(1, "basic.qos", prefetch_count=20)
            connection.call(1, "basic.consume", queue="orders", consumer_tag="picker")
            while not over.is_set():
                event = connection.poll(0.1)
                if event is not None and event.name == "basic.deliver":
                    connection.send(1, "basic.ack", delivery_tag=event.fields["delivery_tag"], multiple=False)

    threads = [threading.Thread(target=target, daemon=True) for target in (publish, consume)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(10)


@kit.limit(300)
@kit.alone
def test_an_operators_tour():
    """Log in, look at everything, add, publish, get, delete; a node that dies shows at once; nothing is loaded from elsewhere"""
    if not pathlib.Path("/usr/bin/chromedriver").exists():
        raise kit.Skip("needs the packages chromium, chromium-driver and python3-selenium")
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0], heartbeat=60) as connection:
        kit.declare(connection, "orders")
        kit.publish(connection, "orders", [b"%d" % at for at in range(500)])
        node = cluster.nodes[0]
        stack = contextlib.ExitStack()
        stack.enter_context(traffic(node))
        command = ["/usr/bin/python3", str(TOUR), f"http://127.0.0.1:{node.http_port}", *filter(None, [os.environ.get(PICTURES)])]
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            lines = []
            for line in program.stdout:
                lines.append(line.strip())
                if line.startswith("kill a node now"):
                    kit.kill(cluster.nodes[2])
                    program.stdin.write("done\n")
                    program.stdin.flush()
            error = program.stderr.read()
            kit.check(program.wait(60) == 0, f"after {lines[-1:]}:\n{error[-4000:]}")
            kit.check_equal(sum(line.startswith("ok: ") for line in lines), STEPS, "steps of the tour")
        finally:
            program.kill()
            program.wait()
            stack.close()
