"""Two data centres: ha/cluster and ha/drill with --sites 2."""

import json
import os
import pathlib
import subprocess

import kit
import places
import two_sites as sites
from cluster import Cluster
from cluster_node import HTTP_OFFSET, LINK_OFFSET, Problem
from ports import BASE_PORTS, claim, is_free
from sites_line import why_no_namespaces

DRILL = str(places.ROOT / "ha" / "lib" / "drill_command.py")
CLUSTER = str(places.ROOT / "ha" / "lib" / "cluster_command.py")


def cluster_command(*words, expect=0):
    result = subprocess.run(["/usr/bin/python3", CLUSTER, *words], capture_output=True, text=True, timeout=120, check=False)
    kit.check(result.returncode == expect, f"ha/cluster {' '.join(words)}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def two_bases():
    """A base port P with P+100 free as well; the claims are kept by the caller until the test ends."""
    for base in BASE_PORTS:
        both = (base, base + sites.PORT_STEP)
        claims = [claim(one) for one in both]
        if all(claims) and all(is_free(one + offset + at) for one in both for offset in (0, HTTP_OFFSET, LINK_OFFSET)
                               for at in range(3)):
            return base, claims
        for one in claims:
            if one:
                one.close()
    raise kit.Skip("no free ports for two sites")


@kit.limit(180)
def test_two_sites():
    """ha/cluster up --sites 2: two clusters, linked both ways; again it changes nothing; verbs of either site"""
    directory = pathlib.Path(os.environ["TMPDIR"]) / "sites"
    base, _claims = two_bases()
    where = ("--dir", str(directory))
    try:
        first = cluster_command("up", "--sites", "2", "--nodes", "1", "--base-port", str(base), "--binary", str(kit.binary()), *where)
        for site in sites.SITES:
            kit.check(f"one message from site {site} to site {3 - site}: there after" in first, f"no message sent:\n{first}")
        before = json.loads(cluster_command("status", "--json", *where))["sites"]
        kit.check_equal([one["base_port"] for one in before], [base, base + sites.PORT_STEP], "base ports")
        again = cluster_command("up", *where)
        kit.check("linked already" in again and "started" not in again, f"the second `up` has changed something:\n{again}")
        after = json.loads(cluster_command("status", "--json", *where))["sites"]
        kit.check_equal([[node["pid"] for node in one["nodes"]] for one in after],
                        [[node["pid"] for node in one["nodes"]] for one in before], "processes")
        kit.check("say which one" in cluster_command("kill", "1", *where, expect=1), "a verb without --site")
        cluster_command("kill", "1", "--site", "2", *where)
        kit.check_equal([one["nodes"][0]["state"] for one in json.loads(cluster_command("status", "--json", *where))["sites"]],
                        ["up", "down"], "states")
        cluster_command("start", "1", "--site", "2", *where)
        clusters = sites.clusters_of(directory)
        for site, cluster in clusters.items():
            sites.wait_linked(cluster, sites.CHECK)
            sites.send_across(cluster, clusters[sites.other(site)])
        cluster_command("down", "--wipe", *where)
        kit.check(not directory.exists(), "--wipe has left something")
    finally:
        for site in sites.SITES:
            try:
                Cluster(sites.site_dir(directory, site)).stop()
            except Problem:
                pass   # down has been there


def drill(fault, *words):
    """Two sites of a drill; gives its report."""
    result = subprocess.run(["/usr/bin/python3", DRILL, "--sites", "2", "--fault", fault, "--rounds", "1", "--rate", "300",
                             "--queues", "2", "--json", "-", "--binary", str(kit.binary()), *words],
                            capture_output=True, text=True, timeout=165, check=False)
    kit.check(result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}")
    report = json.loads(result.stdout)
    kit.check(report["confirmed"] > 300, f"hardly any traffic: {report}")
    for site, figures in report["sites"].items():
        kit.check(figures["delivered"] > 300 and not figures["lost"], f"site {site}: {figures}")
    return report


@kit.limit(180)
def test_drill_everything():
    """ha/drill --sites 2 --dedup: a slow line, a cut, nodes of both sides killed; each message once per site"""
    report = drill("cut-slow-kill", "--dedup")
    kit.check_equal([figures["duplicated"] for figures in report["sites"].values()], [0, 0], "duplicated")


@kit.limit(180)
def test_drill_cut_in_namespaces():
    """ha/drill --sites 2 --fault cut-link: packets between two network namespaces are dropped without a word"""
    why = why_no_namespaces()
    if why:
        raise kit.Skip(why)
    kit.check_equal(drill("cut-link")["line"], "namespaces", "line")
