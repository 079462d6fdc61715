"""warrenctl beside RabbitMQ's own tools, on the same RabbitMQ: the same words, exit codes and texts.

This tool needs no more than the management API, so a RabbitMQ of Debian is a yardstick for it: each line of a table is
run with both tools. Only the order of rows may differ, and what the words "heads" or "code" let differ.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess

import kit
from kit import check, check_equal

import rabbitmq
import rabbitmq_tools
import warren_tools

BIN = pathlib.Path(kit.places.ROOT) / "ha" / "bin"
THEIRS, OURS = "x1", "x2"     # what stands for @

# What both tools have to print alike, in this order. @NAME is another name for each of them, where what one made would
# be in the other's way.
SAME = """
rabbitmqctl add_user @alice secret
rabbitmqctl add_user @alice secret
rabbitmqctl -q add_user @bob secret
rabbitmqctl -s add_user @carol secret
rabbitmqctl set_user_tags @alice administrator monitoring
rabbitmqctl set_user_tags nobody administrator
rabbitmqctl set_user_tags @bob
rabbitmqctl list_users
rabbitmqctl -q list_users
rabbitmqctl -s list_users
rabbitmqctl list_users --no-table-headers
rabbitmqctl list_users --formatter json
rabbitmqctl list_users --formatter csv
rabbitmqctl list_users extra
rabbitmqctl list_users --nonsense
rabbitmqctl authenticate_user @alice second
rabbitmqctl authenticate_user @alice secret
rabbitmqctl delete_user @carol
rabbitmqctl delete_user @carol
rabbitmqctl add_vhost v1
rabbitmqctl list_vhosts name description default_queue_type tracing
rabbitmqctl list_vhosts name nonsense
rabbitmqctl list_permissions -p v1
rabbitmqctl set_permissions -p v1 @alice .* ^a ^b
rabbitmqctl set_permissions -p nowhere @alice .* ^a ^b
rabbitmqctl set_permissions -p v1 nobody .* ^a ^b
rabbitmqctl set_permissions -p v1 @alice .*
rabbitmqctl list_permissions -p v1
rabbitmqctl list_permissions -p v1 --formatter json
rabbitmqctl list_permissions -p nowhere
rabbitmqctl clear_permissions -p v1 @alice
rabbitmqctl clear_permissions -p v1 nobody
rabbitmqctl clear_permissions -p nowhere @alice
rabbitmqctl list_queues name arguments durable auto_delete type state consumers messages_ready
rabbitmqctl list_queues -p nowhere
rabbitmqctl list_queues --formatter json name arguments
rabbitmqctl list_queues --formatter csv name arguments
rabbitmqctl list_exchanges name type durable auto_delete internal arguments policy
rabbitmqctl list_bindings
rabbitmqctl list_bindings --formatter json
rabbitmqctl list_bindings source_name vhost
rabbitmqctl list_connections name user vhost port peer_host protocol auth_mechanism ssl state
rabbitmqctl list_connections channels timeout frame_max channel_max
rabbitmqctl list_channels name number user vhost confirm transactional consumer_count prefetch_count
rabbitmqctl list_consumers queue_name consumer_tag ack_required prefetch_count active activity_status arguments
rabbitmqctl set_policy p1 ^q {"max-length":50,"ha-mode":"all"} --priority 7 --apply-to queues
rabbitmqctl set_policy -p nowhere p2 ^q {"max-length":5}
rabbitmqctl set_policy -p v1 p2 [q {"max-length":5}
rabbitmqctl set_policy -p v1 p2 ^q {"max-length":5} --apply-to nonsense
rabbitmqctl set_policy -p v1 p2 ^q {"max-length":5} --priority abc
rabbitmqctl list_policies
rabbitmqctl list_policies -p v1
rabbitmqctl list_policies -p v1 --formatter json
rabbitmqctl list_policies -p nowhere
rabbitmqctl clear_policy none
rabbitmqctl set_parameter federation-upstream @up {"uri":"amqp://127.0.0.1:1"}
rabbitmqctl set_parameter nonsense up1 {"uri":"a"}
rabbitmqctl list_parameters
rabbitmqctl list_parameters --formatter json
rabbitmqctl federation_status
rabbitmqctl delete_queue none
rabbitmqctl decode {encrypted,<<"CX5Og1c2dKWV5ASCnCW2JGYR64Fjh7YNgJp6OH3L/qqFvEp965vnKHLs1w8iXLn9">>} pass
rabbitmq-diagnostics check_running
rabbitmq-diagnostics check_running -q
rabbitmq-diagnostics alarms --formatter json
rabbitmq-diagnostics check_port_listener 1
rabbitmq-diagnostics check_protocol_listener mqtt
rabbitmq-diagnostics server_version
rabbitmq-diagnostics server_version --formatter json
"""

# The same, for the long test, where tools are not kept in memory: RabbitMQ's take most of a second each.
MORE = """
rabbitmqctl change_password @alice second
rabbitmqctl change_password nobody second
rabbitmqctl clear_password @bob
rabbitmqctl set_user_limits @alice {"max-connections":64}
rabbitmqctl set_user_limits @alice {"foo":64}
rabbitmqctl list_user_limits --user @alice
rabbitmqctl list_user_limits --global
rabbitmqctl clear_user_limits @alice all
rabbitmqctl add_vhost @v --description second --tags a,b --default-queue-type quorum
rabbitmqctl list_vhosts
rabbitmqctl set_vhost_tags v1 x y
rabbitmqctl set_vhost_tags nowhere x
rabbitmqctl restart_vhost -p v1
rabbitmqctl restart_vhost -p nowhere
rabbitmqctl set_vhost_limits -p v1 {"max-connections":64,"max-queues":100}
rabbitmqctl set_vhost_limits -p nowhere {"max-connections":64}
rabbitmqctl list_vhost_limits
rabbitmqctl list_vhost_limits -p v1
rabbitmqctl list_vhost_limits -p nowhere
rabbitmqctl list_vhost_limits --global --formatter json
rabbitmqctl clear_vhost_limits -p nowhere
rabbitmqctl list_permissions
rabbitmqctl list_user_permissions @alice
rabbitmqctl set_topic_permissions -p v1 @alice amq.topic ^a ^b
rabbitmqctl set_topic_permissions -p v1 nobody amq.topic ^a ^b
rabbitmqctl list_topic_permissions -p v1
rabbitmqctl list_topic_permissions -p nowhere
rabbitmqctl clear_topic_permissions -p v1 @alice amq.topic
rabbitmqctl clear_topic_permissions -p v1 @alice
rabbitmqctl clear_topic_permissions -p v1 nobody
rabbitmqctl delete_vhost @v
rabbitmqctl delete_vhost nowhere
rabbitmqctl list_queues
rabbitmqctl list_queues -s name messages
rabbitmqctl list_queues name,messages
rabbitmqctl list_queues name leader members online type
rabbitmqctl list_queues -p v1
rabbitmqctl list_queues -p v1 --formatter json
rabbitmqctl list_exchanges
rabbitmqctl list_exchanges --formatter json name arguments
rabbitmqctl list_connections
rabbitmqctl list_unresponsive_queues
rabbitmqctl set_operator_policy @op ^q {"max-length":40} --priority 2 --apply-to queues
rabbitmqctl list_operator_policies
rabbitmqctl clear_operator_policy @op
rabbitmqctl clear_operator_policy none
rabbitmqctl clear_parameter federation-upstream @up
rabbitmqctl clear_parameter shovel none
rabbitmqctl set_global_parameter mine {"a":1}
rabbitmqctl list_global_parameters
rabbitmqctl clear_global_parameter none
rabbitmqctl shovel_status
rabbitmqctl restart_shovel none
rabbitmqctl delete_shovel none
rabbitmqctl restart_federation_link none
rabbitmqctl purge_queue none
rabbitmqctl close_connection nonsense reason
rabbitmqctl close_all_connections -p v1 reason
rabbitmqctl close_all_user_connections @alice reason
rabbitmqctl set_cluster_name mine
rabbitmqctl trace_on
rabbitmqctl trace_off
rabbitmqctl await_startup
rabbitmqctl await_online_nodes 1
rabbitmqctl list_feature_flags
rabbitmqctl list_feature_flags --formatter json
rabbitmqctl enable_feature_flag all
rabbitmqctl enable_feature_flag nonsense
rabbitmqctl set_vm_memory_high_watermark 1.5
rabbitmqctl set_disk_free_limit lots
rabbitmqctl set_log_level nonsense
rabbitmqctl hipe_compile /tmp
rabbitmq-diagnostics is_running --formatter json
rabbitmq-diagnostics is_booting
rabbitmq-diagnostics check_local_alarms
rabbitmq-diagnostics check_alarms
rabbitmq-diagnostics alarms
rabbitmq-diagnostics check_port_connectivity
rabbitmq-diagnostics check_protocol_listener amqp
rabbitmq-diagnostics check_protocol_listener amqp091
rabbitmq-diagnostics check_virtual_hosts
rabbitmq-diagnostics check_certificate_expiration --unit weeks --within 4
rabbitmq-diagnostics check_if_node_is_quorum_critical
rabbitmq-diagnostics check_if_node_is_mirror_sync_critical
rabbitmq-diagnostics erlang_version
rabbitmq-diagnostics log_location --all
rabbitmq-diagnostics resolve_hostname localhost
rabbitmq-diagnostics discover_peers
rabbitmq-queues quorum_status none
rabbitmq-queues grow none@host nonsense
rabbitmq-queues add_member none none@host
rabbitmq-queues delete_member none none@host
rabbitmq-upgrade await_online_quorum_plus_one -t 3
rabbitmq-plugins is_enabled rabbitmq_management
rabbitmq-plugins enable rabbitmq_nonsense
"""

# These print the same heads and as many columns; values are of another time or kind.
SAME_HEADS = """
rabbitmqctl list_queues name pid memory exclusive_consumer_tag slave_pids synchronised_slave_pids owner_pid
rabbitmqctl list_connections pid connected_at recv_oct send_oct client_properties
rabbitmqctl list_channels
rabbitmqctl list_consumers
rabbitmqctl list_node_auth_attempt_stats
"""

# These give JSON objects whose keys are all there.
SAME_KEYS = ("rabbitmqctl status", "rabbitmqctl cluster_status", "rabbitmq-diagnostics listeners",
             "rabbitmq-diagnostics memory_breakdown")
# What a management API cannot know of RabbitMQ.
KEYS_MISSING = {"rabbitmqctl status": {"crypto_lib_version", "enabled_plugin_file", "vm_memory_high_watermark_setting"}}


class Both:
    """`kept`: what keeps RabbitMQ's tools in memory; ours are in memory then, too. Without, each command is a process."""

    def __init__(self, node, kept=None):
        self.node, self.kept = node, kept
        self.environment = {**{key: value for key, value in os.environ.items() if not key.startswith("WARREN_")},
                            "WARREN_URL": node.url, "WARREN_DEBUG": "1", "PYTHONIOENCODING": "utf-8"}

    def ours(self, words, text=""):
        if self.kept:
            return warren_tools.run(words, self.environment, text)
        done = subprocess.run([str(BIN / words[0]), *words[1:]], input=text, capture_output=True, text=True, cwd="/",
                              env=self.environment, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def run(self, line, *more):
        words = line.split() + list(more)
        tool = self.kept.run if self.kept else self.node.tool
        theirs = tool(*[word.replace("@", THEIRS, 1) if word[0] == "@" else word for word in words])
        return theirs, self.ours([word.replace("@", OURS, 1) if word[0] == "@" else word for word in words])


def comparable(text):
    """Without colours, usage lines (they name our switches), and the order of rows."""
    text = re.sub(r"\x1b\[\d+m", "", text).replace(THEIRS, OURS)
    text = text.partition("\nUsage\n")[0]
    text = re.sub(r"\n(,)?(?=\{)", "\n", text)      # rows of JSON: the comma stands before all but the first
    return sorted(line for line in text.splitlines() if line.strip())


def explain(line, theirs, ours):
    return f"{line}\n  rabbitmq: {theirs}\n  warrenctl: {ours}"


def set_up(both):
    """Something to list. Made with this tool, as far as it can make it."""
    import amqp
    connection = amqp.Connection("127.0.0.1", both.node.port)
    connection.open_channel(1)
    connection.call(1, "queue.declare", "queue.declare-ok", queue="q1", durable=True, arguments={"x-max-length": 100})
    connection.call(1, "queue.declare", "queue.declare-ok", queue="q2", durable=True,
                    arguments={"x-queue-type": "quorum"})
    connection.call(1, "exchange.declare", "exchange.declare-ok", exchange="e1", type="topic", durable=True,
                    arguments={"alternate-exchange": "amq.fanout"})
    connection.call(1, "queue.bind", "queue.bind-ok", queue="q1", exchange="e1", routing_key="a.#", arguments={})
    connection.call(1, "exchange.bind", "exchange.bind-ok", destination="amq.topic", source="e1", routing_key="b",
                    arguments={})
    connection.call(1, "basic.qos", "basic.qos-ok", prefetch_count=2)
    connection.call(1, "basic.consume", "basic.consume-ok", queue="q1", consumer_tag="reader",
                    arguments={"x-priority": 3})
    kit.wait_for("RabbitMQ's statistics know all of it", lambda: (
        "q2" in both.ours(["rabbitmqctl", "list_queues"])[1] and "running\t1" in both.ours(
            ["rabbitmqctl", "list_connections", "state", "channels"])[1]
        and "up" in both.ours(["rabbitmqctl", "list_consumers", "activity_status"])[1]
        and "q1\trunning\t1" in both.ours(["rabbitmqctl", "list_queues", "name", "state", "consumers"])[1]
        and "1\t2" in both.ours(["rabbitmqctl", "list_channels", "consumer_count", "prefetch_count"])[1]), 60)
    return connection


def compare(lines, kept):
    if not rabbitmq.is_installed():
        raise kit.Skip("rabbitmq-server is not installed: ha/setup bench")
    with rabbitmq.running_node() as node, contextlib.ExitStack() as stack:
        both = Both(node, stack.enter_context(rabbitmq_tools.Tools(node)) if kept else None)
        connection = set_up(both)
        differences = [text for line in lines if (text := compare_all(both, connection, line))]
        differences += [text for line in filter(None, SAME_HEADS.splitlines()) if (text := compare_heads(both, connection, line))]
        differences += [text for line in SAME_KEYS if (text := compare_keys(both, line))]
        check(not differences, f"{len(differences)} differ:\n" + "\n".join(differences))
        check_equal(both.ours(["rabbitmqctl", "-q", "close_all_connections", "bye"])[1].strip(), "Closed 1 connections",
                    "closing")
        kit.wait_for("the client is told", lambda: is_closed(connection, "bye"))


def compare_all(both, connection, line):
    connection.poll(0)      # heartbeats
    theirs, ours = both.run(line)
    same = theirs[0] == ours[0] and all(comparable(a) == comparable(b) for a, b in zip(theirs[1:], ours[1:]))
    return "" if same else explain(line, theirs, ours)


def compare_heads(both, connection, line):
    connection.poll(0)
    theirs, ours = both.run(line, "-q")
    heads = [text.splitlines()[:1] for text in (theirs[1], ours[1])]
    widths = [{row.count("\t") for row in text.splitlines()} for text in (theirs[1], ours[1])]
    same = not theirs[0] and not ours[0] and heads[0] == heads[1] and widths[0] == widths[1]
    return "" if same else explain(line, theirs, ours)


def compare_keys(both, line):
    theirs, ours = both.run(line, "--formatter", "json")
    missing = set(json.loads(theirs[1])) - set(json.loads(ours[1])) - KEYS_MISSING.get(line, set())
    return f"{line} --formatter json: {missing} are missing" if theirs[0] or ours[0] or missing else ""


@kit.limit(300)
@kit.alone
def test_shapes():
    """the same command lines give the same texts and exit codes with RabbitMQ's tools and with ours"""
    compare(list(filter(None, SAME.splitlines())), kept=True)


@kit.limit(900)
@kit.long
def test_all_shapes():
    """the same, with every command that both tools have, each as a process of its own"""
    compare(list(filter(None, (SAME + MORE).splitlines())), kept=False)


def is_closed(connection, words):
    try:
        connection.poll(0.1)
        return False
    except kit.amqp.Closed as closed:
        return words in closed.text


@kit.limit(200)
@kit.alone
def test_definitions():
    """what RabbitMQ's tool exports ours imports without a difference, and the other way round"""
    if not rabbitmq.is_installed():
        raise kit.Skip("rabbitmq-server is not installed: ha/setup bench")
    with rabbitmq.running_node() as node:
        both = Both(node)
        connection = set_up(both)
        code, exported, _ = both.node.tool("rabbitmqctl", "-q", "export_definitions", "-")
        check_equal(code, 0, "RabbitMQ's export")
        code, mine, complaint = both.ours(["rabbitmqctl", "-q", "export_definitions", "-"])
        check_equal(code, 0, f"our export: {complaint}")
        for kind in ("queues", "exchanges", "bindings", "permissions"):
            check_equal(identities(kind, mine), identities(kind, exported), kind)
        code, out, complaint = both.ours(["rabbitmqctl", "-q", "import_definitions"], text=exported)
        check_equal((code, out.strip()), (0, "Definitions were imported"), f"our import: {complaint}")
        code, out, complaint = both.ours(["rabbitmqctl", "-q", "import_definitions", "--dry-run"], text=mine)
        check_equal((code, out.strip()), (0, "nothing would change"), f"our comparison: {complaint}")
        connection.close()


def identities(kind, text):
    from ctl import definitions
    return sorted(definitions.identity(kind, entry) for entry in json.loads(text)[kind])
