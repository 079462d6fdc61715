"""What an operator looks at when something is odd."""

import os
import pathlib
import socket
import time

from . import facts, target
from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Report, Rows, bright
from .outcome import DATA, Failure, Refused

SECTION = "Monitoring, observability and health checks"
ENVIRONMENT = "Configuration and Environment"
ONLY = (DIAGNOSTICS,)
LINES = 50
FOLLOW_INTERVAL = 0.2
SECRET = ("pass", "secret_key", "token")     # settings whose names have these words are not shown


def diagnostic(name, usage, about, banner=None, tools=ONLY, section=SECTION, **more):
    return command(name, usage, about, section, tools, banner=banner, **more)


@diagnostic("server_version", "", "Displays server version on the target node",
            lambda call: f"Asking node {call.node_or_url()} for its RabbitMQ version...")
def server_version(call):
    version = call.api.get("/api/overview")["rabbitmq_version"]
    return Report(version, {"result": "ok", "value": version})


@diagnostic("erlang_version", "[--details | --offline]", "Displays Erlang/OTP version on the target node",
            lambda call: f"Asking node {call.node_or_url()} for its Erlang/OTP version...", switches={"details": bool})
def erlang_version(call):
    """Tools compare it. Warren is written in C and tells what its answers pretend."""
    overview = call.api.get("/api/overview")
    version = overview["erlang_full_version"] if call.option("details") else f"Erlang/OTP {overview['erlang_version']}"
    return Report(version, {"result": "ok", "value": version})


@diagnostic("memory_breakdown", "[--unit <bytes | mb | gb>]", "Provides a memory usage breakdown on the target node",
            lambda call: f"Reporting memory breakdown on node {call.node_or_url()}...", switches={"unit": str},
            check=lambda call: _unit(call))
def memory_breakdown(call):
    node, memory = facts.node_of(call), facts.memory_of(call, call.node)
    rows = facts.memory_rows(memory, facts.total_memory(node, memory))
    text = "\n".join(f"{kind}: {facts.in_unit(size, _unit(call))} ({percent}%)" for kind, size, percent in rows)
    return Report(text, {kind: {"bytes": size, "percentage": percent} for kind, size, percent in rows})


def _unit(call):
    from .nodes import unit_of
    return unit_of(call)


@diagnostic("environment", "", "Displays the effective configuration of the node",
            lambda call: f"Application environment of node {call.node_or_url()} ...", (CTL, DIAGNOSTICS), ENVIRONMENT)
def environment(call):
    try:
        found = call.api.get("/api/config/effective")
    except Refused as refused:
        if refused.status not in (404, 405):
            raise
        found = local_settings(call)
    pairs = found.items() if isinstance(found, dict) else [(key.get("name", key.get("key")), key.get("value"))
                                                           for key in found]
    pairs = [(name, "(hidden)" if any(word in name for word in SECRET) else value) for name, value in pairs]
    return Report("\n".join(f"{name} = {value}" for name, value in pairs), dict(pairs))


def local_settings(call):
    """What stands in the node's configuration file, when node and file are on this machine."""
    words = process_words(call)
    if "--config" not in words[:-1]:
        raise Failure(f"{call.node} was started without a configuration file; its command line: {' '.join(words)}")
    return target.read_settings({"config": words[words.index("--config") + 1]})


def process_words(call):
    pid = facts.node_of(call).get("os_pid")
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
    except OSError:
        raise Failure(f"process {pid} of {call.node} is not on this machine: ask there") from None
    return [word for word in words if word]


@command("report", "",
         "Generate a server status report containing a concatenation of all server status information for support "
         "purposes", SECTION, (CTL, DIAGNOSTICS),
         banner=lambda call: f"Reporting server status of node {call.node_or_url()} ...\n",
         examples=[("report > report.txt", "all that helps somebody else to help")])
def report(call):
    """What fails is said in its place: a report is written when things do not work."""
    from . import commands
    from .main import run_command
    shared = [word for name, value in call.options.items() if name in ("node", "url", "dir", "config", "username",
                                                                       "password", "ca-file")
              for word in (f"--{name}", value)]
    for name in ("status", "cluster_status", "list_vhosts", "list_connections", "list_channels", "list_users",
                 "list_feature_flags",
                 "shovel_status", "federation_status"):
        run_command(call.tool, commands.find(name, commands.OWN_NAME), [name, *shared])
        print(flush=True)
    for vhost in call.api.get("/api/vhosts"):
        for name in ("list_queues", "list_exchanges", "list_bindings", "list_permissions", "list_policies",
                     "list_parameters"):
            run_command(call.tool, commands.find(name, commands.OWN_NAME), [name, *shared, "--vhost", vhost["name"]])
            print(flush=True)
    return Message("End of server status report", "message")


# Logs

def log_files(call):
    files = list(facts.node_of(call).get("log_files") or [])
    directory, state = target.cluster_directory(call.options)
    if not files and state is not None and call.node.removeprefix("warren@node").isdigit():
        files = [str((directory / f"node-{call.node.removeprefix('warren@node')}" / "output.log").resolve())]
    return files or ["<stderr>"]


@diagnostic("log_location", "[--all|-a]", "Shows log file location(s) on target node",
            lambda call: f"Log file location(s) on node {call.node_or_url()} ...", section=ENVIRONMENT,
            switches={"all": bool}, letters={"a": "all"})
def log_location(call):
    files = log_files(call)
    files = files if call.option("all") else files[:1]
    return Report("\n".join(files), {"result": "ok", "value": files, "node": call.node})


def local_log(call):
    found = next((path for path in log_files(call) if os.path.isfile(path)), None)
    if not found:
        raise Failure(f"the log of {call.node} is not a file on this machine ({', '.join(log_files(call))}); look "
                      f"there, or into "
                      "journalctl -u warren")
    return pathlib.Path(found)


@diagnostic("log_tail", "[--number|-N <number>]", "Prints the last N lines of the log on the node",
            lambda call: f"Last {call.option('number', LINES)} log lines on node {call.node_or_url()} ...",
            switches={"number": int}, letters={"N": "number"})
def log_tail(call):
    return Message("\n".join(tail_of(local_log(call), call.option("number", LINES))), "message")


def tail_of(path, count):
    import collections
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in collections.deque(file, maxlen=count)]


@diagnostic("log_tail_stream", "[--duration|-d <seconds>]", "Streams logs from a running node for a period of time",
            lambda call: (f"Streaming logs from node {call.node_or_url()} "
                          + (f"for {call.option('duration')} seconds ..." if call.option("duration")
                             else "indefinitely ...")),
            switches={"duration": float}, letters={"d": "duration"})
def log_tail_stream(call):
    end = time.monotonic() + call.option("duration") if call.option("duration") else None
    with open(local_log(call), encoding="utf-8", errors="replace") as file:
        file.seek(0, os.SEEK_END)
        while end is None or time.monotonic() < end:
            line = file.readline()
            if line:
                print(line, end="", flush=True)
            else:
                time.sleep(FOLLOW_INTERVAL)


@diagnostic("consume_event_stream", "[--duration|-d <seconds>] [--pattern <pattern>]",
            "Streams internal events from a running node",
            switches={"duration": float, "pattern": str}, letters={"d": "duration"})
def consume_event_stream(call):
    raise Failure("a node does not publish internal events; rates and states are in /metrics and in the lists of this "
                  "tool")


# Network and TLS, as seen from here

@diagnostic("resolve_hostname", "<hostname> [--address-family <ipv4 | ipv6>]",
            "Resolves a hostname to a set of addresses, on this machine",
            lambda call: (f"Asking node {call.node_or_url()} to resolve hostname {call.words[0]} to "
                          f"{call.option('address-family', 'IPv4')} addresses..."), section=ENVIRONMENT, words=(1, 1),
            switches={"address-family": str})
def resolve_hostname(call):
    family = {"ipv6": socket.AF_INET6}.get(call.option("address-family", "ipv4").lower(), socket.AF_INET)
    try:
        found = socket.getaddrinfo(call.words[0], None, family, socket.SOCK_STREAM)
    except OSError as error:
        raise Failure(f"Hostname does not resolve (resolution failed with an {error.strerror or error})",
                      DATA) from None
    return Message("\n".join(dict.fromkeys(entry[4][0] for entry in found)))


@diagnostic("resolver_info", "", "Displays hostname resolver configuration, of this machine", section=ENVIRONMENT,
            local=True)
def resolver_info(call):
    lines = [bright("Hostname Resolver Settings"), "", "Lookup order: as /etc/nsswitch.conf says",
             "Hosts file: /etc/hosts",
             "Resolver conf file: /etc/resolv.conf"]
    return Message("\n".join(lines))


@diagnostic("list_network_interfaces", "", "Lists network interfaces (NICs), of this machine", local=True)
def list_network_interfaces(call):
    return Message("\n".join(f"{bright('Interface ' + name)}" for _, name in socket.if_nameindex()))


@diagnostic("tls_versions", "", "Lists TLS versions supported (but not necessarily allowed) on the target node",
            lambda call: "Listing all TLS versions supported by the runtime...")
def tls_versions(call):
    return Report("tlsv1.3\ntlsv1.2", {"versions": ["tlsv1.3", "tlsv1.2"]})


@diagnostic("cipher_suites", "[--format <openssl>] [--all]",
            "Lists cipher suites that OpenSSL on this machine enables by default",
            lambda call: "Listing available cipher suites in OpenSSL format", switches={"format": str, "all": bool},
            local=True)
def cipher_suites(call):
    import ssl
    return Message("\n".join(cipher["name"] for cipher in ssl.create_default_context().get_ciphers()))


@diagnostic("certificates", "",
            "Displays certificates (public keys) for every listener on target node that is configured to use TLS",
            lambda call: f"Certificates of node {call.node_or_url()} ...", section=ENVIRONMENT)
def certificates(call):
    import ssl
    found = []
    for listener in facts.listeners_of(call, call.node):
        if listener["protocol"] in ("amqp/ssl", "https"):
            from .checks import address_of
            address = (address_of(listener, call.api.connection.host), listener["port"])
            found.append(f"{facts.listener_line(listener)}\n{ssl.get_server_certificate(address)}")
    return Message("\n".join(found) or "no listener uses TLS")


@diagnostic("os_env", "", "Lists RabbitMQ-specific environment variables, of this tool", section=ENVIRONMENT,
            local=True)
def os_env(call):
    return Message("\n".join(f"{name}={value}" for name, value in sorted(os.environ.items())
                             if name.startswith(("WARREN_", "RABBITMQ_")) and "PASSWORD" not in name))


@diagnostic("command_line_arguments", "", "Displays target node's command-line arguments",
            lambda call: f"Command line arguments of node {call.node_or_url()} ...", section=ENVIRONMENT)
def command_line_arguments(call):
    return Message(" ".join(process_words(call)))


# The rest

@diagnostic("discover_peers", "", "Lists the nodes of the cluster", lambda call: "Discovering peers nodes ...",
            section="Cluster")
def discover_peers(call):
    others = [node["name"] for node in call.api.get("/api/nodes") if node["name"] != call.node]
    return Message("\n".join(["Discovered peer nodes:", *others]) if others else "No peers discovered")


@diagnostic("metadata_store_status", "", "Displays status of the metadata store: the meta group's replicas",
            lambda call: f"Status of metadata store on node {call.node_or_url()} ...")
def metadata_store_status(call):
    rows = [{"Node Name": node["name"], "Running": bool(node.get("running", True)),
             "Leads groups": node.get("groups_led", 0)}
            for node in call.api.get("/api/nodes")]
    return Rows(("Node Name", "Running", "Leads groups"), rows, pretty=True)


@diagnostic("message_size_stats", "", "Displays how large published messages are",
            lambda call: "Gathering message size statistics across the cluster ...")
def message_size_stats(call):
    status, body = call.api.exchange("GET", "/metrics")
    name = "rabbitmq_message_size_bytes_bucket"
    lines = [line for line in body.decode().splitlines() if line.startswith(name)] if status == 200 else []
    if not lines:
        raise Failure("this node keeps no statistics of message sizes")
    rows = [{"Message Size": line.partition('le="')[2].partition('"')[0], "Count": line.rpartition(" ")[2]}
            for line in lines]
    return Rows(("Message Size", "Count"), rows, pretty=True)


@diagnostic("maybe_stuck", "", "Lists queues whose group has no leader, and what the node says of itself",
            lambda call: f"Asking node {call.node_or_url()} what does not make progress...")
def maybe_stuck(call):
    from .listing import pages
    ready, why = call.is_ready()
    stuck = [f"queue '{queue['name']}' in vhost '{queue['vhost']}' has no leader"
             for queue in pages(call, path_of("queues"))
             if not (queue.get("leader") or queue.get("node"))]
    return Message("\n".join(([] if ready else [f"the node is not ready: {why}"]) + stuck)
                   or "Nothing seems to be stuck")


def erlang_only(name, about, instead):
    @diagnostic(name, "", about, words=(0, None), switches={"sample-interval": int, "interval": int})
    def run(call):
        raise Failure(f"'{name}' looks into Erlang's runtime, and Warren has none: {instead}")
    return run


erlang_only("observer", "Starts a CLI observer interface on the target node",
            "the page on the management port shows the node's state")
erlang_only("remote_shell", "Starts an interactive Erlang shell on the target node",
            "the HTTP API and this tool show and change state")
erlang_only("runtime_thread_stats", "Provides a breakdown of runtime thread activity stats on the target node",
            "top -H -p PID shows "
            "the threads; shards are named")
erlang_only("erlang_cookie_hash", "Displays a hash of the Erlang cookie used by the target node",
            "nodes know each other by "
            "cluster.secret_file, and this tool logs in with a user")
erlang_only("erlang_cookie_sources", "Display Erlang cookie source",
            "this tool logs in with a user: --username, WARREN_USERNAME")
erlang_only("schema_info", "Lists schema database tables and their properties",
            "export_definitions - shows what is replicated")
