"""Rolling upgrades to a program of the next level, which is built here (decision 0011)."""

import pathlib
import subprocess
import tempfile

import kit

NEXT_LEVEL = 2
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def build_next(folder):
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", f"-DWARREN_LEVEL={NEXT_LEVEL}", "-DWARREN_TESTS=OFF"],
                   check=True, capture_output=True)
    subprocess.run(["cmake", "--build", folder, "--target", "warrend"], check=True, capture_output=True)
    return pathlib.Path(folder) / "warrend"


def restart(cluster, number, binary):
    kit.terminate(cluster.node(number))
    cluster.binary = binary
    cluster.node(number).start()
    cluster.wait_ready(30)


def wait_levels(cluster, level, of_members):
    """The cluster's level and its members', by number."""
    def levels():
        seen = cluster.helper(0).get_json("/api/cluster/members")
        told = [member["level"] for member in sorted(seen["members"], key=lambda member: member["id"])]
        return (seen["level"], told) == (level, of_members)
    kit.wait_for(f"level {level}, members {of_members}", levels, 20)


@kit.long
@kit.limit(600)
def test_levels():
    """Nodes get the next program one by one: until the last one each may be put back, then older programs are refused in words"""
    with tempfile.TemporaryDirectory() as folder, kit.cluster(settings={"cluster.groups": 4}) as cluster:
        old, new = cluster.binary, build_next(folder)
        wait_levels(cluster, 1, [1, 1, 1])
        with kit.connected(cluster.node(3)) as connection:
            kit.declare(connection, "kept")
            kit.publish(connection, "kept", kit.numbered(20))
        restart(cluster, 1, new)
        wait_levels(cluster, 1, [2, 1, 1])
        restart(cluster, 1, old)
        wait_levels(cluster, 1, [1, 1, 1])
        for number in (1, 2):
            restart(cluster, number, new)
        wait_levels(cluster, 1, [2, 2, 1])
        restart(cluster, 3, new)
        wait_levels(cluster, 2, [2, 2, 2])
        with kit.connected(cluster.node(1)) as connection:
            kit.check(kit.bodies_of(kit.consume(connection, "kept", 20)) == kit.numbered(20), "messages are missing")
        kit.terminate(cluster.node(2))
        cluster.binary = old
        cluster.node(2).start()
        kit.wait_for("the old program is refused", lambda: "works at level 2, and the program of node 2 knows 1" in
                     kit.read_log(cluster.node(2)))
