"""Two clusters that stand for two data centres, linked both ways by exchange federation.

    DIR/sites.json        which exchanges are federated, and the password of the links' user; for the owner's eyes
    DIR/site-1/, site-2/  a cluster each, as cluster.py describes it

Site 1 has base port P, site 2 has P+100 unless told otherwise.
"""

import json
import pathlib
import re
import secrets
import time

import amqp
from cluster import Cluster
from cluster_node import Problem

SITES = (1, 2)
PORT_STEP = 100
USER = "federation"
POLICY = "federation"
CHECK = "federated.check"          # exchange and queue for the message that proves a link
DEFAULT_PATTERN = r"^federated\."
RECONNECT_DELAY = 1                # seconds: a healed line is used again at once
HEARTBEAT = 5                      # seconds: a line that is cut without a word is noticed after two of them
LINK_TIMEOUT = 60.0


def site_dir(directory, site):
    return pathlib.Path(directory) / f"site-{site}"


def read(directory):
    """What sites.json says, or None when the directory holds no sites."""
    try:
        return json.loads((pathlib.Path(directory) / "sites.json").read_text())
    except OSError:
        return None


def remember(directory, pattern):
    """Writes sites.json, or changes the pattern of the one there; gives what it says."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise Problem(f"--federate '{pattern}' is not a regular expression: {error}") from None
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    state = {"password": secrets.token_urlsafe(24), **(read(directory) or {}), "pattern": pattern}
    path = directory / "sites.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(state, indent=1) + "\n")
    return state


def settings_of(site):
    return {"cluster.name": f"site-{site}"}   # must differ: federation tells clusters apart by it


def other(site):
    return 3 - site


def uris(addresses, password):
    return [f"amqp://{USER}:{password}@{host}:{port}?heartbeat={HEARTBEAT}" for host, port in addresses]


def federated_pattern(pattern):
    """The pattern of the policy: what was asked for, and the exchange of the check."""
    return pattern if re.search(pattern, CHECK) else f"({pattern})|^{re.escape(CHECK)}$"


def any_node(cluster):
    return cluster.helper(0)


def put(cluster, path, body):
    """PUT unless it says so already; True when something changed."""
    node = any_node(cluster)
    status, there = node.get(path)
    if status == 200:
        there = json.loads(there)
        if all(there.get(key) == value for key, value in body.items()):
            return False
    node.change("PUT", path, body=body)
    return True


def add_user(cluster, state):
    """The user that the other site's links log in as. It may touch what links make, and the federated exchanges."""
    node = any_node(cluster)
    if node.get(f"/api/users/{USER}")[0] != 200:
        node.change("PUT", f"/api/users/{USER}", body={"password": state["password"], "tags": ""})
    own = f"^federation: |{federated_pattern(state['pattern'])}"
    put(cluster, f"/api/permissions/%2F/{USER}", {"configure": own, "write": own, "read": own})


def federate(clusters, state, addresses=None):
    """Links each site to the other. `addresses` {site: [(host, port)]} are the ways to reach a site from the other one; by default
    those of its clients. Gives True when something changed."""
    for cluster in clusters.values():
        add_user(cluster, state)
    changed = False
    for site, cluster in clusters.items():
        far = other(site)
        ways = (addresses or {}).get(far) or clusters[far].addresses()
        found = uris(ways, state["password"])
        upstream = {"uri": found if len(found) > 1 else found[0], "reconnect-delay": RECONNECT_DELAY, "ack-mode": "on-confirm"}
        changed |= put(cluster, f"/api/parameters/federation-upstream/%2F/site-{far}", {"value": upstream})
        changed |= put(cluster, f"/api/policies/%2F/{POLICY}",
                       {"pattern": federated_pattern(state["pattern"]), "apply-to": "exchanges", "priority": 0,
                        "definition": {"federation-upstream": f"site-{far}"}})
    return changed


def links(cluster):
    """The federation links of a site as its API shows them; none while no node answers."""
    try:
        return any_node(cluster).get_json("/api/federation-links")
    except (OSError, Problem, ValueError):
        return []


def wait_linked(cluster, exchange, timeout=LINK_TIMEOUT):
    """Waits until the link of this exchange runs."""
    limit = time.monotonic() + timeout
    while True:
        found = [link for link in links(cluster) if link.get("exchange") == exchange]
        if any(link["status"] == "running" for link in found):
            return
        if time.monotonic() > limit:
            why = "; ".join(link.get("error", link["status"]) for link in found) or "there is no such link"
            raise Problem(f"the link of {exchange} in {cluster.dir.name} does not run after {timeout:.0f} s: {why}")
        time.sleep(0.1)


def declare_check(cluster):
    """The exchange and the queue of the check; before the link starts, so that a link that runs knows the binding."""
    with connected(cluster) as connection:
        connection.call(1, "exchange.declare", exchange=CHECK, type="fanout", durable=True)
        connection.call(1, "queue.declare", queue=CHECK, durable=True)
        connection.call(1, "queue.bind", queue=CHECK, exchange=CHECK, routing_key="")
        connection.call(1, "queue.purge", queue=CHECK)


def send_across(source, target, timeout=20.0):
    """One message into a site and out of the other: milliseconds from publish to having it there."""
    with connected(source) as near, connected(target) as far:
        near.call(1, "confirm.select")
        body = secrets.token_hex(16).encode()
        began = time.monotonic()
        near.publish(1, CHECK, "", body, mandatory=True, delivery_mode=2)
        answer = near.poll(timeout)
        if answer is None or answer.name != "basic.ack":
            raise Problem(f"{source.dir.name} did not confirm: {answer.name if answer else 'silence'}")
        while True:
            got = far.call(1, "basic.get", "basic.get-ok", "basic.get-empty", queue=CHECK, no_ack=True)
            if got.name == "basic.get-ok" and got.body == body:
                return (time.monotonic() - began) * 1000
            if time.monotonic() > began + timeout:
                raise Problem(f"what {source.dir.name} confirmed has not come to {target.dir.name} after {timeout:.0f} s")
            time.sleep(0.01)


def connected(cluster):
    return amqp.connected(*cluster.addresses()[0], name="sites check")


def clusters_of(directory):
    return {site: Cluster(site_dir(directory, site)) for site in SITES}

