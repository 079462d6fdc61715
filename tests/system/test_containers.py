"""What the container, compose and Kubernetes files start, started without a container engine: each node in a root of its own
(chroot with the system's libraries, a shell and warrend), as user 999, in a network namespace of its own, with the words and
the environment of the file. Needs root; the images themselves, and an orchestrator's probes and volumes, are not tried."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import kit
import places
from namespaces import Namespaces

DEPLOY = places.ROOT / "ha" / "deploy"
USER = 999              # of the Containerfile and of Kubernetes' security context
SECRET = "a secret of the containers\n"
AMQP, HTTP = 5672, 15672
PASSWORD = "of the app"

# Of the machine: its libraries, read only. Everything else in the root is the container's.
ENTER = """
set -e
for folder in lib lib64 usr/lib usr/lib64; do
    if [ -d /$folder ]; then mkdir -p $1/$folder; mount --rbind /$folder $1/$folder; mount -o remount,ro,bind $1/$folder; fi
done
mkdir -p $1/dev $1/proc; mount --bind /dev $1/dev; mount -t proc none $1/proc
root=$1; shift
exec chroot --userspec={user}:{user} $root "$@"
""".replace("{user}", str(USER))


def entrypoint():
    return json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", (DEPLOY / "Containerfile").read_text().replace("\\\n", ""), re.M)[1])


class Containers:
    """Nodes with the names that the file gives them."""

    def __init__(self, folder, network, names, secret_path):
        self.folder, self.network, self.names, self.secret_path = pathlib.Path(folder), network, names, secret_path
        self.running = {}
        for name in names:
            self._make_root(name)

    def _make_root(self, name):
        root = self.folder / name
        for path in ("usr/bin", "etc", "tmp", "var/lib/warren", self.secret_path.parent.relative_to("/")):
            (root / path).mkdir(parents=True)
        (root / "bin").symlink_to("usr/bin")
        shutil.copy("/bin/sh", root / "usr/bin/sh")
        shutil.copy(kit.binary(), root / "usr/bin/warrend")
        os.chown(root / "var/lib/warren", USER, USER)
        (root / "etc/passwd").write_text(f"warren:x:{USER}:{USER}::/var/lib/warren:/bin/sh\n")
        (root / "etc/nsswitch.conf").write_text("hosts: files\n")
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n" + "".join(
            f"{host} {other}\n" for other, host in zip(self.names, self.network.hosts)))
        secret = root / self.secret_path.relative_to("/")
        secret.write_text(SECRET)
        secret.chmod(0o440)
        os.chown(secret, 0, USER)

    def start(self, name, words, environment):
        netns = self.network.names[self.names.index(name)]
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                ["ip", "netns", "exec", netns, "unshare", "-m", "sh", "-c", ENTER, "sh", str(self.folder / name), *words],
                env={"PATH": os.environ["PATH"], **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, number):
        for process in self.running.values():
            process.send_signal(number)
        codes = {name: process.wait(60) for name, process in self.running.items()}
        self.running.clear()
        return codes

    def host(self, name):
        return self.network.hosts[self.names.index(name)].removeprefix("http://")

    def ready(self, name):
        import http.client
        connection = http.client.HTTPConnection(self.host(name), HTTP, timeout=2)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def wait_ready(self):
        try:
            kit.wait_for("all are ready", lambda: all(self.ready(name) for name in self.names), timeout=60)
        except AssertionError:
            for name in self.names:
                print(f"-- {name}\n{(self.folder / f'{name}.log').read_text()[-1500:]}")
            raise

    def client(self, name, user, password):
        connection = kit.amqp.Connection(self.host(name), AMQP, user=user, password=password)
        connection.open_channel(1)
        return connection


def tried(names, secret_path, start, user, password):
    """All start at once, serve a client from outside, are killed all at once, come back with what was confirmed, and stop in order."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        raise kit.Skip("network namespaces need root and iproute2")
    network = Namespaces(len(names))
    network.open()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            containers = Containers(folder, network, names, pathlib.PurePosixPath(secret_path))
            try:
                for name in names:
                    start(containers, name)
                containers.wait_ready()
                connection = containers.client(names[0], user, password)
                kit.declare(connection, "kept", durable=True)
                kit.publish(connection, "kept", kit.numbered(20), delivery_mode=2)
                containers.stop(signal.SIGKILL)
                for name in names:
                    start(containers, name)
                containers.wait_ready()
                connection = containers.client(names[-1], user, password)
                kit.check_equal(kit.bodies_of(kit.consume(connection, "kept", 20)), kit.numbered(20), "after all were killed")
                owner = (containers.folder / names[0] / "var/lib/warren/identity").stat().st_uid
                kit.check_equal(owner, USER, "who owns the data")
                kit.check_equal(containers.stop(signal.SIGTERM), {name: 0 for name in names}, "exit codes after SIGTERM")
            finally:
                containers.stop(signal.SIGKILL)
    finally:
        network.close()


@kit.limit(240)
def test_compose():
    """The three nodes of compose.yaml with the image's entry point: they find each other by name and serve the user that it names"""
    text = (DEPLOY / "compose.yaml").read_text()
    services = {name: json.loads(words) for name, words in re.findall(r"^  (\w+):\n    <<: \*node\n    command: (\[.*?\])\n", text, re.M | re.S)}
    kit.check_equal(len(services), 3, "services of compose.yaml")
    environment = dict(re.findall(r"^    (RABBITMQ_\w+): (.*)$", text, re.M))
    user = environment["RABBITMQ_DEFAULT_USER"]
    kit.check("${WARREN_PASSWORD" in environment["RABBITMQ_DEFAULT_PASS"], f"the password is {environment}")
    environment["RABBITMQ_DEFAULT_PASS"] = PASSWORD

    def start(containers, name):
        containers.start(name, [*entrypoint(), *services[name]], environment)
    tried(list(services), "/run/secrets/warren", start, user, PASSWORD)


@kit.limit(240)
def test_kubernetes():
    """The pods of the StatefulSet: number and name from the pod's name, peers by the headless service's names"""
    text = (DEPLOY / "kubernetes" / "warren.yaml").read_text()
    script = " ".join(re.search(r"args:\n +- >-\n(.*?)\n +env:", text, re.S)[1].split())
    variables = re.findall(r"- \{name: (RABBITMQ_\w+), (?:value: (\w+)|valueFrom: \{secretKeyRef: \{name: warren-cluster, key: (\w+)\}\})\}", text)
    environment = {name: value or PASSWORD for name, value, _ in variables}
    kit.check_equal(sorted(environment), ["RABBITMQ_DEFAULT_PASS", "RABBITMQ_DEFAULT_USER"], "the environment")
    pods = [f"warren-{number}.warren-nodes" for number in range(3)]

    def start(containers, name):
        containers.start(name, ["/bin/sh", "-c", script], {**environment, "HOSTNAME": name.partition(".")[0]})
    tried(pods, "/etc/warren/secret", start, environment["RABBITMQ_DEFAULT_USER"], PASSWORD)
