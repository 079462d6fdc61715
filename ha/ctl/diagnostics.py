"""What an operator looks at when something is odd."""

import os
import pathlib
import socket

from . import facts, target
from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Report, Rows, bright
from .outcome import DATA, Failure, Refused

SECTION = "Monitoring, observability and health checks"
ENVIRONMENT = "Configuration and Environment"
ONLY = (DIAGNOSTICS,)
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
            address = (address_of(listener, call.api.host), listener["port"])
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


# The first is up to 100 bytes, and so on; as /metrics counts them.
SIZES = ("below 100B", "between 100B and 1KB", "between 1KB and 10KB", "between 10KB and 100KB", "between 100KB and 1MB",
         "between 1MB and 10MB", "between 10MB and 50MB", "between 50MB and 100MB", "above 100MB")


@diagnostic("message_size_stats", "",
            "Displays message size distribution statistics aggregated across all cluster nodes",
            lambda call: f"Gathering message size statistics from cluster via {call.node_or_url()} ...", (CTL, DIAGNOSTICS),
            examples=[("message_size_stats", "messages that clients have published since the nodes started")])
def message_size_stats(call):
    counts = [0] * len(SIZES)
    for node in facts.running_nodes(call):
        before = 0
        for at, upto in enumerate(sizes_of(target.connect({**call.options, "url": None, "node": node["name"]}
                                                          if node["name"] != call.node else call.options,
                                                          call.timeout))):
            counts[at] += upto - before
            before = upto
    total = sum(counts)
    rows = [{"Message Size": size, "Count": count, "Percentage": f"{100 * count / total if total else 0:.2f}"}
            for size, count in zip(SIZES, counts)]
    return Rows(("Message Size", "Count", "Percentage"), rows, pretty=True)


def sizes_of(api):
    """How many messages of one node were at most as large as each of the bounds."""
    status, body = api.exchange("GET", "/metrics")
    found = [int(float(line.rpartition(" ")[2])) for line in body.decode().splitlines()
             if line.startswith("rabbitmq_message_size_bytes_bucket")] if status == 200 else []
    if len(found) != len(SIZES):
        raise Failure(f"the node at {api.url} keeps no statistics of message sizes")
    return found


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
