"""ha/drill: each fault, a round or two, all promises kept."""

import os
import subprocess

import kit
import places
from random_ledger import RandomBooks


def drill(fault, *arguments, timeout=165):
    result = subprocess.run([str(places.ROOT / "ha" / "drill"), "--fault", fault, "--binary", str(kit.binary()), "--rate", "600",
                             *arguments], capture_output=True, text=True, timeout=timeout, check=False)
    print(result.stdout)
    kit.check(result.returncode == 0, f"exit code {result.returncode}\n{result.stderr}")


@kit.limit(180)
def test_kill_leader():
    """ha/drill --fault kill-leader: nothing lost, duplicated or reordered"""
    drill("kill-leader", "--rounds", "2")


@kit.limit(180)
def test_kill_all():
    """ha/drill --fault kill-all: nothing lost, duplicated or reordered"""
    drill("kill-all", "--rounds", "2")


@kit.limit(180)
def test_pause_leader():
    """ha/drill --fault pause-leader: nothing lost, duplicated or reordered"""
    drill("pause-leader", "--rounds", "1")


@kit.limit(180)
def test_rolling_restart():
    """ha/drill --fault rolling-restart: nothing lost, duplicated or reordered"""
    drill("rolling-restart", "--rounds", "1")


@kit.limit(180)
def test_partition_leader():
    """ha/drill --fault partition-leader: nothing lost, duplicated or reordered"""
    if os.getuid() != 0:
        raise kit.Skip("partitions need network namespaces, which need root")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode != 0:
        raise kit.Skip("this machine gives no network namespaces")
    drill("partition-leader", "--rounds", "1")


@kit.limit(180)
def test_kill_leader_with_shards():
    """ha/drill --fault kill-leader with shards = 3: nothing lost, duplicated or reordered"""
    drill("kill-leader", "--rounds", "1", "--set", "shards=3")


@kit.limit(180)
def test_random():
    """ha/drill --fault random (Jepsen's queue workload) on five nodes: nothing lost, nothing unexpected"""
    drill("random", "--nodes", "5", "--direct", "--rounds", "3", "--seed", "7")


def test_random_books():
    """The books of the random drill notice what is lost, unexpected, repeated without the flag"""
    books = RandomBooks()
    for number in (books.next_number() for _ in range(4)):
        if number < 4:
            books.answered(number, confirmed=True)
    books.take(1, False)
    books.take(1, True)
    books.take(2, False)
    books.take(2, False)
    books.take(4, False)
    books.take(99, False)
    report = books.report()
    figures = {name: report[name] for name in ("lost", "unexpected", "duplicated_redelivered", "duplicated_unflagged", "recovered")}
    kit.check_equal(figures, {"lost": 1, "unexpected": 1, "duplicated_redelivered": 1, "duplicated_unflagged": 1, "recovered": 1},
                    "figures")
    kit.check_equal(report["examples"], {"lost": ["3"], "unexpected": ["99"], "duplicated_unflagged": ["2"]}, "examples")
