"""rabbitmq-c's command line tools through HAProxy, unchanged, while a leader is killed."""

import shutil
import subprocess
import threading

import kit

LOGINS = 3


def tool(cluster, name, *arguments, stdin=b"", timeout=60):
    """Runs amqp-NAME against HAProxy; gives its output."""
    if not shutil.which(f"amqp-{name}"):
        raise kit.Skip("amqp-tools is not installed; ha/setup test does it")
    port = cluster.addresses()[0][1]
    for _ in range(LOGINS):
        result = subprocess.run([f"amqp-{name}", "--url", f"amqp://127.0.0.1:{port}", *arguments], input=stdin,
                                capture_output=True, timeout=timeout, check=False)
        # A connection that HAProxy had just given to a node that died may be cut before it has logged in; nothing was done yet.
        if result.returncode == 0 or b"logging in" not in result.stderr:
            break
    kit.check(result.returncode == 0, f"amqp-{name} {' '.join(arguments)}: exit {result.returncode}: {result.stderr.decode()}")
    return result.stdout


def test_tools_work_while_the_leader_dies():
    """amqp-publish, amqp-get and amqp-consume go on after the leader was killed"""
    with kit.cluster(haproxy=True) as cluster:
        kit.check_equal(tool(cluster, "declare-queue", "-d", "-q", "orders"), b"orders\n", "amqp-declare-queue")
        tool(cluster, "publish", "-p", "-r", "orders", "-b", "before")
        leader = cluster.leader("orders")
        kit.kill(leader)
        tool(cluster, "publish", "-p", "-r", "orders", "-b", "after")
        kit.check_equal(tool(cluster, "get", "-q", "orders"), b"before", "first message")
        kit.check_equal(tool(cluster, "consume", "-q", "orders", "-c", "1", "cat"), b"after", "second message")
        kit.start(cluster, leader)
        kit.check_equal(tool(cluster, "delete-queue", "-q", "orders"), b"0\n", "messages of the deleted queue")


def test_consumer_waits_through_a_leader_change():
    """amqp-consume that waits gets what amqp-publish sends after the leader was killed"""
    with kit.cluster(haproxy=True) as cluster:
        tool(cluster, "declare-queue", "-d", "-q", "wait")
        leader = cluster.leader("wait")
        survivor = kit.others(cluster, leader)[0]
        got = []

        def wait():
            got.append(subprocess.run(["amqp-consume", "--url", f"amqp://127.0.0.1:{survivor.amqp_port}", "-q", "wait", "-c",
                                       "3", "cat"], capture_output=True, timeout=90, check=False).stdout)

        consumer = threading.Thread(target=wait)
        consumer.start()
        kit.wait_for("the consumer is there", lambda: kit.queue_facts(survivor, "wait")["consumers"] == 1)
        tool(cluster, "publish", "-p", "-r", "wait", "-b", "1")
        kit.kill(leader)
        for body in ("2", "3"):
            tool(cluster, "publish", "-p", "-r", "wait", "-b", body)
        consumer.join()
        # amqp-publish does not wait for confirms: 2 and 3 are of different connections and may overtake each other.
        kit.check_equal([bytes(sorted(text)) for text in got], [b"123"], "what the consumer printed, sorted")
