"""What is measured on a running cluster. Each measure returns {figure name: value}; the load tool checks for loss meanwhile."""

import json
import pathlib
import re
import subprocess
import tempfile
import time

import brokers

WARM_UP_S = 1.0       # at the front of each throughput run, not counted
PREFETCH = 1000
ACK_EVERY = 10
LATENCY_RATE = 2000   # messages a second
BACKLOG = 200_000     # messages of 128 bytes
SETTLE_S = 5.0        # before memory is read
KILL_RATE = 1000
KILL_AFTER_S, KILL_WATCH_S = 2.0, 4.0
CATCH_UP_TIMEOUT = 90.0
THROUGHPUTS = [(queues, size) for queues in (1, 8) for size in (128, 1024, 16384)]


class Failed(Exception):
    """The load tool says that a promise was broken, or could not run."""


class Bench:
    """The load tool, run against one cluster."""

    def __init__(self, binary, system, directory, say):
        self.binary, self.system, self.dir, self.say = binary, system, pathlib.Path(directory), say

    def command(self, uris, pattern, size, words):
        argv = [str(self.binary), "--queue-pattern", pattern, "--size", str(size), "--queue-args", brokers.QUEUE_ARGUMENTS,
                "--flag", "persistent", "--prefetch", str(PREFETCH), "--multi-ack-every", str(ACK_EVERY), "--quiet"]
        for uri in uris:
            argv += ["--uri", uri]
        return argv + [str(word) for word in words]

    def start(self, uris, pattern, size, *words):
        output = tempfile.NamedTemporaryFile(dir=self.dir, suffix=".json", delete=False)
        argv = self.command(uris, pattern, size, words) + ["--json", output.name]
        return subprocess.Popen(argv, stderr=subprocess.PIPE, text=True), pathlib.Path(output.name), argv

    def finish(self, started, timeout):
        process, path, argv = started
        try:
            _, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failed(f"no end after {timeout:.0f} s: {' '.join(argv)}") from None
        text = path.read_text()
        path.unlink()
        if process.returncode == 2 or not text:
            raise Failed(f"{self.system.name}: {errors.strip()}: {' '.join(argv)}")
        result = json.loads(text)
        if process.returncode:
            faults = {key: result[key] for key in ("lost", "duplicated", "reordered")}
            raise Failed(f"{self.system.name} broke a promise: {faults}: {' '.join(argv)}")
        return result

    def run(self, uris, pattern, size, *words, timeout=180):
        return self.finish(self.start(uris, pattern, size, *words), timeout)


def written_bytes(pids):
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/io").read_text()
        except OSError:
            continue
        total += int(re.search(r"^write_bytes: (\d+)", text, re.MULTILINE).group(1))
    return total


def throughput(bench, queues, size, seconds):
    """Confirmed and consumed as fast as it goes; the smaller of the two counts. Clients are spread over the nodes."""
    name = f"{queues}q-{size}"
    window = 1000 if queues == 1 else 100
    if size > 4096:
        window = min(window, 200)
    pids = bench.system.pids()
    cpu, disk = brokers.cpu_seconds(pids), written_bytes(pids)
    result = bench.run(bench.system.uris(), f"t{name}-%d", size, "--producers", queues, "--consumers", queues, "--queues",
                       queues, "--confirm", window, "--time", seconds + WARM_UP_S, "--interval", 0.25, "--delete")
    cpu, disk = brokers.cpu_seconds(pids) - cpu, written_bytes(pids) - disk
    counted = [n for n in result["intervals"] if n["at_s"] > WARM_UP_S]
    first = max((n["at_s"] for n in result["intervals"] if n["at_s"] <= WARM_UP_S), default=0.0)
    span = counted[-1]["at_s"] - first
    rate = min(sum(n["confirmed"] for n in counted), sum(n["received"] for n in counted)) / span
    millions = result["confirmed"] / 1e6
    return {f"throughput-{name}": rate, f"cpu-{name}": cpu / millions, f"disk-{name}": disk / 1e6 / millions,
            f"client-cpu-{name}": result["cpu_s"] / millions}


def latency(bench, seconds):
    result = bench.run(bench.system.uris(), "latency-%d", 128, "--rate", LATENCY_RATE, "--confirm", 1000, "--time", seconds,
                       "--delete")
    return {"latency-p50": result["confirm_ms"]["p50"], "latency-p99": result["confirm_ms"]["p99"],
            "latency-end-to-end-p50": result["end_to_end_ms"]["p50"],
            "latency-end-to-end-p99": result["end_to_end_ms"]["p99"]}


def idle_memory(bench):
    time.sleep(SETTLE_S)
    return {"memory-idle": brokers.memory_mb(bench.system.pids())}


def backlog_memory(bench):
    bench.run(bench.system.uris(), "backlog-%d", 128, "--consumers", 0, "--confirm", 1000, "--pmessages", BACKLOG,
              timeout=600)
    time.sleep(SETTLE_S)
    memory = brokers.memory_mb(bench.system.pids())
    drained = bench.run(bench.system.uris(), "backlog-%d", 128, "--producers", 0, "--cmessages", BACKLOG, "--time", 300,
                        "--delete", timeout=400)
    return {"memory-backlog": memory, "drain": BACKLOG / drained["seconds"]}


def wait_online(system, queue):
    """Until all replicas of the queue are there: a kill must not hit a cluster that still heals."""
    limit = time.monotonic() + CATCH_UP_TIMEOUT
    while system.online(queue) < brokers.NODES:
        if time.monotonic() > limit:
            raise Failed(f"{system.name}: queue {queue} has no {brokers.NODES} replicas after {CATCH_UP_TIMEOUT:.0f} s")
        time.sleep(0.2)


def one_kill(bench, queue):
    """kill -9 of the leader while a client at another node publishes; how long that one saw no confirm."""
    system = bench.system
    leader = system.leader(queue)
    uri = system.uris()[(leader + 1) % brokers.NODES]
    started = bench.start([uri], queue, 128, "--rate", KILL_RATE, "--confirm", 1000, "--time", KILL_AFTER_S + KILL_WATCH_S,
                          "--predeclared")
    time.sleep(KILL_AFTER_S)
    killed_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    system.kill(leader)
    result = bench.finish(started, 120)
    hit = [p["ms"] for p in result["pauses"]
           if p["monotonic_s"] + p["ms"] / 1e3 > killed_s - 0.05 and p["monotonic_s"] < killed_s + KILL_WATCH_S]
    system.start_node(leader)
    system.ready()
    wait_online(system, queue)
    return max(hit, default=0.0)  # shorter than the load tool's threshold: nothing to see


def pauses(bench, kills):
    queue = "pause"
    bench.run(bench.system.uris(), queue, 128, "--pmessages", 1000, "--confirm", 100)
    wait_online(bench.system, queue)
    values = []
    for number in range(kills):
        values.append(one_kill(bench, queue))
        bench.say(f"{bench.system.name}: kill {number + 1} of {kills}: {values[-1]:.0f} ms without a confirm")
    return {"pauses": values}


def attempt(bench, measure, *arguments):
    """Twice at most: a broker that closes a connection for reasons of its own must not cost the other figures. A promise that was
    broken is said aloud and leaves the figure out."""
    for last in (False, True):
        try:
            yield measure(*arguments)
            return
        except Failed as failure:
            bench.say(f"FAILED{'' if last else ', once more'}: {failure}")
            time.sleep(SETTLE_S)


def all_of(bench, only, seconds, kills):
    """Yields the figures, in the order in which they disturb each other least."""
    def wanted(*names):
        return not only or any(name.startswith(word) for word in only for name in names)

    if wanted("memory-idle"):
        yield from attempt(bench, idle_memory, bench)
    if wanted("latency"):
        yield from attempt(bench, latency, bench, seconds)
    for queues, size in THROUGHPUTS:
        name = f"{queues}q-{size}"
        if wanted(f"throughput-{name}", f"cpu-{name}"):
            yield from attempt(bench, throughput, bench, queues, size, seconds)
    if wanted("memory-backlog", "drain"):
        yield from attempt(bench, backlog_memory, bench)
    if kills and wanted("pause"):
        yield from attempt(bench, pauses, bench, kills)
