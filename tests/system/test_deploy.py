"""What a service manager and a package manager do with a node: notify, watchdog, rotation of the log, the Debian package."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import kit
import places
from ports import free_base_port

DEPLOY = places.ROOT / "ha" / "deploy"


@contextlib.contextmanager
def service_manager(folder):
    """The socket that systemd would listen on; gives a function that returns the next message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(folder / "notify"))

        def hear(word, timeout=kit.PATIENCE):
            end = time.monotonic() + timeout
            while (left := end - time.monotonic()) > 0:
                listener.settimeout(left)
                try:
                    message = listener.recv(4096).decode()
                except TimeoutError:
                    break
                if word in message.split("\n") or word in message:
                    return message
            raise AssertionError(f"the service manager never heard {word}")

        yield hear


@contextlib.contextmanager
def managed_node(folder, **environment):
    base = free_base_port()
    arguments = {"data_dir": folder / "data", "listeners.tcp.default": f"127.0.0.1:{base}", "management.tcp": f"127.0.0.1:{base + 10000}",
                 "log.file": folder / "warren.log"}
    command = [str(kit.binary()), *(word for key, value in arguments.items() for word in ("--set", f"{key}={value}"))]
    process = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), **environment})
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()


def test_service_manager_hears_the_truth():
    """notify: READY after the listeners, WATCHDOG while all loops answer, RELOADING on SIGHUP with a new log file, STOPPING at the end"""
    with tempfile.TemporaryDirectory() as name, service_manager(folder := pathlib.Path(name)) as hear:
        with managed_node(folder, WATCHDOG_USEC="400000") as process:
            hear("READY=1")
            hear("WATCHDOG=1")
            hear("WATCHDOG=1")
            log = folder / "warren.log"
            log.rename(folder / "warren.log.1")
            process.send_signal(signal.SIGHUP)
            hear("RELOADING=1")
            hear("READY=1")
            kit.wait_for("lines in the new file", lambda: log.exists() and "node reloaded" in log.read_text())
            process.terminate()
            hear("STOPPING=1")
            kit.check_equal(process.wait(60), 0, "exit code")


def test_a_watchdog_sees_a_node_that_hangs():
    """A node whose loops do not answer says nothing to the watchdog"""
    with tempfile.TemporaryDirectory() as name, service_manager(folder := pathlib.Path(name)) as hear:
        with managed_node(folder, WATCHDOG_USEC="400000") as process:
            hear("WATCHDOG=1")
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            with contextlib.suppress(AssertionError):
                while True:
                    hear("WATCHDOG=1", 0.01)   # what was on its way
            try:
                hear("WATCHDOG=1", 1.5)
            except AssertionError:
                pass
            else:
                raise AssertionError("the watchdog was told that a stopped node lives")
            process.send_signal(signal.SIGCONT)
            hear("WATCHDOG=1")


@kit.limit(240)
def test_debian_package():
    """cpack builds a .deb; unpacked elsewhere its binary runs with its configuration; the unit is sound"""
    build = pathlib.Path(kit.binary()).resolve().parent
    if not (build / "CPackConfig.cmake").exists():
        raise kit.Skip("the binary under test was not built in a folder of cmake")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made = subprocess.run(["cpack", "--config", str(build / "CPackConfig.cmake"), "-B", str(folder)], capture_output=True, text=True, check=False)
        packages = list(folder.glob("*.deb"))
        kit.check(made.returncode == 0 and len(packages) == 1, made.stdout + made.stderr)
        facts = subprocess.run(["dpkg-deb", "--info", str(packages[0])], capture_output=True, text=True, check=True).stdout
        for word in ("Package: warren", "libraft0", "libuv1", "postinst", "conffiles"):
            kit.check(word in facts, f"{word} is missing in {facts}")
        root = folder / "root"
        subprocess.run(["dpkg-deb", "--extract", str(packages[0]), str(root)], check=True)
        version = subprocess.run([str(root / "usr/bin/warrend"), "--version"], capture_output=True, text=True, check=True).stdout
        kit.check(re.match(r"warrend \d+\.\d+\.\d+", version), f"it says {version!r}")
        configuration = (root / "etc/warren/warren.conf").read_text()
        base = free_base_port()
        for word, other in (("/var/log/warren", folder), ("/var/lib/warren", folder / "data"), ("/run/warren", folder / "run"),
                            ("127.0.0.1:5672", f"127.0.0.1:{base}"), ("127.0.0.1:15672", f"127.0.0.1:{base + 10000}")):
            kit.check(word in configuration, f"the configuration has no {word}")
            configuration = configuration.replace(word, str(other))
        (folder / "warren.conf").write_text(configuration)
        checked = subprocess.run([str(root / "usr/bin/warrend"), "--config", str(folder / "warren.conf"), "--check-config"], capture_output=True, text=True, check=False)
        kit.check(checked.returncode == 0 and "warning" not in checked.stderr, checked.stdout + checked.stderr)
        run_installed(root, folder)
        for place in ("usr/lib/systemd/system/warren.service", "usr/lib/sysusers.d/warren.conf", "etc/logrotate.d/warren", "usr/share/doc/warren/operate.md"):
            kit.check((root / place).is_file(), f"the package has no {place}")
        verify_unit(root / "usr/lib/systemd/system/warren.service", root / "usr/bin/warrend", folder)


def run_installed(root, folder):
    """The node and the tool as they were unpacked, with the package's configuration; the tool goes by the node's socket."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WARREN_")}
    with subprocess.Popen([root / "usr/bin/warrend", "--config", folder / "warren.conf"]) as process:
        try:
            def ctl(*words):
                return subprocess.run([root / "usr/bin/warrenctl", "--config", folder / "warren.conf", *words], env=environment,
                                      cwd=folder, capture_output=True, text=True, check=False)
            kit.wait_for("the node serves", lambda: ctl("await_startup", "-t", "1").returncode == 0, 60)
            kit.wait_for("the default user is there, and goes", lambda: ctl("delete_user", "guest").returncode == 0, 60)
            status = ctl("status")
            kit.check("Status of node" in status.stdout, f"without any user: {status.stdout}{status.stderr}")
            kit.check("successfully shut down" in ctl("shutdown").stdout, "shutdown")
            kit.check_equal(process.wait(60), 0, "exit code")
        finally:
            process.kill()


def verify_unit(unit, binary, folder):
    if not shutil.which("systemd-analyze"):
        print("systemd-analyze is not here: the unit was not verified")
        return
    copy = folder / "warren.service"
    copy.write_text(unit.read_text().replace("/usr/bin/warrend", str(binary)))
    verdict = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
    complaints = [line for line in verdict.stderr.splitlines() if "warren.service" in line and "User" not in line]
    kit.check(not complaints, "\n".join(complaints))


def test_cluster_files_name_what_exists():
    """Container, compose and Kubernetes files: every key that they set is known, every probe is served"""
    known = subprocess.run([str(kit.binary()), "--print-keys"], capture_output=True, text=True, check=True).stdout
    for path in (DEPLOY / "Containerfile", DEPLOY / "compose.yaml", DEPLOY / "kubernetes" / "warren.yaml"):
        text = path.read_text()
        keys = set(re.findall(r"([a-z_]+(?:\.[a-z_0-9]+)+)=", text)) | {key for key in re.findall(r"--set[\", ]+([a-z_]+)=", text)}
        kit.check(keys, f"no keys found in {path.name}")
        for key in keys:
            stem = re.sub(r"\.\d+$", ".", key)
            kit.check(stem in known, f"{path.name} sets {key}, which warrend does not know")
    with kit.cluster(nodes=1) as cluster:
        probes = re.findall(r"path: (/health/\w+)", (DEPLOY / "kubernetes" / "warren.yaml").read_text())
        for probe in probes:
            status, _ = cluster.nodes[0].get(probe)
            kit.check_equal(status, 200, f"{probe} of a node that serves")


JOURNAL = """
import socket, subprocess, sys
binary, folder, port = sys.argv[1:]
subprocess.run("mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/journal", shell=True, check=True)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
    journal.bind("/run/systemd/journal/socket")
    journal.settimeout(30)
    node = subprocess.Popen([binary, "--set", f"data_dir={folder}", "--set", f"listeners.tcp.default=127.0.0.1:{port}",
                             "--set", "log.journald=true", "--set", "log.ra.level=none"])
    try:
        while b"serves_clients" not in (entry := journal.recv(4000)):
            pass
        print(entry.decode())
    finally:
        node.terminate()
        node.wait(30)
"""


def test_lines_reach_the_journal():
    """log.journald: systemd's journal (a socket of the same form, in a mount namespace) gets lines with level and fields"""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        raise kit.Skip("a mount namespace needs root and unshare")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["unshare", "-m", sys.executable, "-c", JOURNAL, str(kit.binary()), folder + "/data",
                               str(free_base_port())], capture_output=True, text=True, timeout=90, check=False)
        kit.check_equal(done.returncode, 0, done.stderr)
        fields = dict(line.partition("=")[::2] for line in done.stdout.splitlines() if line)
        kit.check_equal((fields["MESSAGE"], fields["PRIORITY"], fields["WARREN_CATEGORY"], fields["WARREN_SHARD"]),
                        ("node serves_clients", "6", "default", "0"), "an entry")
        kit.check_equal(done.stderr, "", "what went to standard error besides")
