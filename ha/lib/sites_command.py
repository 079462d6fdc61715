"""The verbs of ha/cluster for two sites: `up --sites 2`, and `status` and `down` of both."""

import argparse
import json
import pathlib
import shutil

import amqp
import two_sites as sites
from cluster import Cluster
from cluster_node import Problem

NEXT_STEPS = """
Try next:
  {me} kill 1 --site 1{options}      and {me} start 1 --site 1{options}
  {me} logs 1 --site 2{options}
  {me} status{options}      nodes of both sites, and the links between them
  ha/drill --sites 2      trouble on the line and on both sides, with proof

Exchanges whose name matches {pattern} are federated: declare one of the same name and type in both sites, bind queues, and
what is published in one site reaches the queues of both. ha/warrenctl --dir {dir}/site-1 federation_status tells more.
"""


def is_sites(directory):
    return sites.read(directory) is not None


def options_of(options, site):
    """The options of a verb, for one site."""
    found = argparse.Namespace(**vars(options))
    found.dir = str(sites.site_dir(options.dir, site))
    return found


def up(options, start_up, say):
    """Starts both clusters by `start_up(options, settings)`, links them, and sends a message each way."""
    there = sites.read(options.dir) or {}
    state = sites.remember(options.dir, options.federate or there.get("pattern", sites.DEFAULT_PATTERN))
    first = sites.site_dir(options.dir, 1)
    base = options.base_port or (Cluster(first).base_port if (first / "cluster.json").exists() else 5672)
    clusters = {}
    for site in sites.SITES:
        one = options_of(options, site)
        if options.base_port or not (pathlib.Path(one.dir) / "cluster.json").exists():
            one.base_port = base + (site - 1) * sites.PORT_STEP
        clusters[site] = start_up(one, sites.settings_of(site))
        say(f"site {site} serves")
    try:
        for cluster in clusters.values():
            sites.declare_check(cluster)
        say("linked the sites" if sites.federate(clusters, state) else "the sites are linked already")
        for cluster in clusters.values():
            sites.wait_linked(cluster, sites.CHECK)
        for site, cluster in clusters.items():
            far = sites.other(site)
            say(f"one message from site {site} to site {far}: there after {sites.send_across(cluster, clusters[far]):.1f} ms")
    except amqp.LOSSES as error:
        raise Problem(f"both sites are up, but linking them failed: {error}") from error
    return state


def print_next_steps(options, state):
    extra = "" if options.dir == ".cluster" else f" --dir {options.dir}"
    print(NEXT_STEPS.format(me="ha/cluster", options=extra, pattern=state["pattern"],
                            dir=options.dir))


def print_links(directory):
    for site, cluster in sites.clusters_of(directory).items():
        for link in sites.links(cluster):
            what = link.get("exchange") or link.get("queue")
            trouble = f"  {link['error']}" if link.get("error") else f"  {link.get('lag_messages', 0)} messages behind"
            print(f"link into site {site}: {what} from {link['upstream']}, {link['status']} on {link.get('node', '?')}{trouble}")


def status_json(directory, one_status):
    """`one_status(cluster)` is a cluster's part."""
    found = [{"site": site, **one_status(cluster), "links": sites.links(cluster)}
             for site, cluster in sites.clusters_of(directory).items()]
    return json.dumps({"sites": found}, indent=1)


def down(options, say):
    found = []
    for site in sites.SITES:
        if (sites.site_dir(options.dir, site) / "cluster.json").exists():
            found.append(Cluster(sites.site_dir(options.dir, site)))
    for cluster in found:
        cluster.lock()
        cluster.stop()
        say(f"{cluster.dir.name} stopped")
    if options.wipe:
        shutil.rmtree(options.dir)
        say(f"removed {options.dir}")
    else:
        say(f"data stays in {options.dir}; remove it with --wipe")
