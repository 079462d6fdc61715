"""Client libraries of other people, unchanged, through HAProxy: everyday work, and a leader that dies."""

import os
import pathlib
import shutil
import subprocess
import sys

import kit
import places

SCRIPTS = kit.HERE / "clients"
NODE_MODULES = places.ROOT / "build" / "clients" / "node_modules"
PHP_INCLUDES = "/usr/share/php"
COUNT = 3000        # messages of a failover
STEPS = 10          # of an everyday program


def run(cluster, command, *arguments, timeout=90):
    host, port = cluster.addresses()[0]
    result = subprocess.run([*command, host, str(port), *arguments], capture_output=True, text=True, timeout=timeout,
                            check=False, env=environment())
    kit.check(result.returncode == 0, f"{command[-1]}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def environment():
    return {**os.environ, "NODE_PATH": str(NODE_MODULES)}


def everyday(command):
    with kit.cluster(haproxy=True) as cluster:
        output = run(cluster, command)
        kit.check_equal(output.count("ok: "), STEPS, f"steps that {command[-1]} has done")


def failover(command):
    """A publisher and a consumer, each a program of its own; the queue's leader is killed when a third is published."""
    with kit.cluster(haproxy=True) as cluster:
        host, port = cluster.addresses()[0]
        programs = [subprocess.Popen([*command, role, host, str(port), "failover", str(COUNT)], stdout=subprocess.PIPE, text=True,
                                     env=environment()) for role in ("publish", "consume")]
        publisher, consumer = programs
        try:
            kit.check_equal(publisher.stdout.readline().strip(), "a third", "first word of the publisher")
            leader = cluster.leader("failover")
            kit.kill(leader)
            published = publisher.communicate(timeout=100)[0].split()
            kit.check_equal(published[:2], ["confirmed", str(COUNT)], "the publisher")
            kit.start(cluster, leader)
            consumed = consumer.communicate(timeout=100)[0].split()
            kit.check_equal(consumed[:2], ["seen", str(COUNT)], "the consumer")
            print(" ".join(published + consumed))
            # A publisher whose connection broke may send one message twice; without that nothing comes twice unflagged.
            kit.check(int(consumed[5]) <= int(published[3]), f"unflagged duplicates: {' '.join(published + consumed)}")
        finally:
            for program in programs:
                program.kill()
                program.wait()


def python_with_pika():
    """The python that runs this may be another one than Debian's, for which the package is installed."""
    for python in (sys.executable, "/usr/bin/python3"):
        if pathlib.Path(python).exists() and subprocess.run([python, "-c", "import pika"], capture_output=True,
                                                            check=False).returncode == 0:
            return python
    raise kit.Skip("pika is not installed; ha/setup test does it")


def node():
    if not shutil.which("node"):
        raise kit.Skip("node is not installed; ha/setup test does it")
    if not (NODE_MODULES / "amqplib").exists():
        raise kit.Skip("amqplib is not installed in build/clients; ha/setup test does it")
    return "node"


def other(command, probe, name):
    if not shutil.which(command) or subprocess.run([command, *probe], capture_output=True, check=False).returncode != 0:
        raise kit.Skip(f"{name} is not installed; ha/setup test does it")
    return command


def test_pika_everyday():
    """pika: declare, confirms, returns, consume, ttl, dead letters, headers, exclusive"""
    everyday([python_with_pika(), str(SCRIPTS / "pika_everyday.py")])


def test_amqplib_everyday():
    """amqplib (node): declare, confirms, returns, consume, ttl, dead letters, headers, exclusive"""
    everyday([node(), str(SCRIPTS / "amqplib_everyday.js")])


def test_bunny_everyday():
    """bunny (ruby): declare, confirms, returns, consume, ttl, dead letters, headers, exclusive"""
    everyday([other("ruby", ["-e", 'require "bunny"'], "bunny"), str(SCRIPTS / "bunny_everyday.rb")])


def test_php_amqplib_everyday():
    """php-amqplib: declare, confirms, returns, consume, ttl, dead letters, headers, exclusive"""
    php = other("php", ["-d", f"include_path={PHP_INCLUDES}", "-r",
                        'exit(stream_resolve_include_path("PhpAmqpLib/autoload.php") ? 0 : 1);'], "php-amqplib")
    everyday([php, "-d", f"include_path={PHP_INCLUDES}", str(SCRIPTS / "amqplib_everyday.php")])


def test_pika_goes_on_after_a_leader_died():
    """pika programs publish and consume everything through the death of the leader"""
    failover([python_with_pika(), str(SCRIPTS / "pika_failover.py")])


def test_amqplib_goes_on_after_a_leader_died():
    """node programs publish and consume everything through the death of the leader"""
    failover([node(), str(SCRIPTS / "amqplib_failover.js")])
