"""What a node says when it is set up wrongly."""

import os
import subprocess

import kit


def warrend(*arguments):
    return subprocess.run([str(kit.binary()), *arguments], capture_output=True, text=True, timeout=20, check=False)


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


def test_version_and_help():
    """--version and --help answer, wrong words are refused"""
    kit.check(warrend("--version").stdout.startswith("warrend "), "--version")
    kit.check("--check-config" in warrend("--help").stdout, "--help")
    kit.check(warrend("--nonsense").returncode == 64, "--nonsense")
