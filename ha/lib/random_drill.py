"""ha/drill --fault random: Jepsen's queue workload. Clients on every node put and take numbers one at a time, while nodes are killed,
paused and parted from each other in an order that the seed gives. At the end all is healed and the queue is drained: each number whose
put was confirmed must have been taken, and nothing may be taken that nobody put.
"""

import random
import time

import amqp
import drill_report
from random_faults import RandomFaults
from random_ledger import RandomBooks
from random_traffic import OPERATION_TIMEOUT, Client, drain

CLIENTS = 5
REST = (0.5, 2.0)           # seconds between two faults
READY_TIMEOUT = 60.0
PROMISES = ("lost", "unexpected", "duplicated_unflagged")


def run(cluster, namespaces, options, say):
    """The drill; gives the report."""
    seed = options.seed if options.seed is not None else random.randrange(1 << 31)
    say(f"seed {seed}" + ("" if namespaces else "; no partitions: they need a cluster in namespaces, and root"))
    queue, books, troubles = f"drill.random.{seed}", RandomBooks(), []
    faults = RandomFaults(cluster, namespaces, seed, say)
    began = time.monotonic()
    with_queue(cluster.nodes[0], "queue.declare", queue, durable=True)
    clients = [Client(f"drill client {at + 1}", (node.host, node.amqp_port), queue, CLIENTS / options.rate, seed + at, books)
               for at, node in ((at, cluster.nodes[at % len(cluster.nodes)]) for at in range(CLIENTS))]
    for client in clients:
        client.start()
    for _ in range(options.rounds):
        time.sleep(faults.random.uniform(*REST))
        faults.round(options.hold)
    cluster.wait_ready(READY_TIMEOUT)
    say("all is healed; every client must get answers again")
    stuck = without_answers(clients)
    if stuck:
        troubles.append(f"without answers after all was healed: {', '.join(stuck)}")
    stop(clients)
    say("draining")
    try:
        drain(cluster, queue, books)
        with_queue(cluster.nodes[0], "queue.delete", queue)
    except amqp.LOSSES as error:
        troubles.append(f"the queue could not be drained: {error}")
    result = {"fault": "random", "seed": seed, "rounds": options.rounds, "seconds": round(time.monotonic() - began, 1),
              "faults": faults.counts, **books.report()}
    result["broken_promises"] = drill_report.broken(result, PROMISES) + troubles
    return result


def without_answers(clients):
    """Names of the clients that do not get some more answers within READY_TIMEOUT."""
    wanted, limit = {client: client.done + 10 for client in clients}, time.monotonic() + READY_TIMEOUT
    while any(client.done < enough for client, enough in wanted.items()) and time.monotonic() < limit:
        time.sleep(0.1)
    return [client.name for client, enough in wanted.items() if client.done < enough]


def stop(clients):
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(2 * OPERATION_TIMEOUT + 5)


def with_queue(node, method, queue, **fields):
    with amqp.connected(node.host, node.amqp_port, name="drill") as connection:
        connection.call(1, method, queue=queue, **fields)


def print_report(result):
    drill_report.print_figures(result, [name for name, value in result.items() if isinstance(value, (int, float))])
    print(f"{'faults':<34}{', '.join(f'{name} {count}' for name, count in sorted(result['faults'].items()))}")
    drill_report.print_verdict(result, f"random, seed {result['seed']}", {"": result["examples"]})
