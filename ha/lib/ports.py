"""Free ports for clusters that a script starts for itself."""

import random
import socket

from cluster_node import HTTP_OFFSET, LINK_OFFSET

NODES_MAX = 9
# Below the ports that the kernel hands out to clients, and clear of 5672 to 5681, where a cluster of the user may run.
BASE_PORTS = range(6000, 12700, 10)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def claim(base):
    """The right to use a base among all scripts of this machine, as a socket that holds it until it is closed; None when
    another script has it, whose nodes may not listen yet."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0warren-ports-{base}")
        return holder
    except OSError:
        holder.close()
        return None


_claims = []   # until this process ends


def free_base_port():
    """A base port P such that P to P+9 are free, with the same above the offsets for HTTP and links."""
    for _ in range(200):
        base = random.choice(BASE_PORTS)
        holder = claim(base)
        if not holder:
            continue
        if all(is_free(base + offset + at) for offset in (0, HTTP_OFFSET, LINK_OFFSET) for at in range(NODES_MAX + 1)):
            _claims.append(holder)
            return base
        holder.close()
    raise OSError("no free ports for a cluster")
