"""rabbitmq-plugins: what is a plugin to RabbitMQ is a built-in feature here, or is not there."""

import re

from . import facts
from .commands import CTL, PLUGINS, command
from .formatters import Message, Report
from .outcome import SOFTWARE, BadUsage, Failure

SECTION = "Plugin Management"
# Name -> what it does. All of them are always on.
BUILT_IN = {
    "rabbitmq_auth_mechanism_ssl": "Login by client certificate (EXTERNAL)",
    "rabbitmq_consistent_hash_exchange": "Exchange type x-consistent-hash",
    "rabbitmq_federation": "Federation of exchanges and queues",
    "rabbitmq_federation_management": "Federation links in the management API",
    "rabbitmq_management": "Management API and page",
    "rabbitmq_management_agent": "Figures of a node for the management API",
    "rabbitmq_prometheus": "Metrics for Prometheus",
    "rabbitmq_random_exchange": "Exchange type x-random",
    "rabbitmq_sharding": "Exchange type x-modulus-hash",
    "rabbitmq_shovel": "Shovels",
    "rabbitmq_shovel_management": "Shovels in the management API",
    "rabbitmq_web_dispatch": "HTTP server",
}
SWITCHES = {"enabled": bool, "implicitly-enabled": bool, "minimal": bool, "verbose": bool, "output": str}
LETTERS = {"E": "enabled", "e": "implicitly-enabled", "m": "minimal", "v": "verbose", "o": "output"}
WHERE = {"offline": bool, "online": bool, "all": bool}


def enabled(call):
    """What the node says of itself, and what is a part of every node."""
    there = set(BUILT_IN)
    if not call.option("offline"):
        there |= set(facts.plugins_of(facts.node_of(call)))
    return sorted(there)


@command("list", "[pattern] [--verbose] [--minimal] [--enabled] [--implicitly-enabled]",
         "Lists plugins and their state", SECTION,
         (PLUGINS,), words=(0, 1), switches=SWITCHES, letters=LETTERS,
         banner=lambda call: f'Listing plugins with pattern "{call.words[0] if call.words else ".*"}" ...',
         examples=[("list", "every name that is a built-in feature here"), ("list -m -q prometheus", "names only")])
def list_plugins(call):
    if call.option("output"):
        call.formatter = call.option("output")
    version = call.api.get("/api/overview").get("product_version") or ""
    names = [name for name in enabled(call) if re.search(call.words[0] if call.words else "", name)]
    data = {"format": "minimal" if call.option("minimal") else "normal", "status": "running",
            "plugins": [{"enabled": "enabled", "name": name, "running": True, "running_version": version,
                         "version": version}
                        for name in names]}
    if call.option("minimal"):
        return Report("\n".join(names), data)
    width = max(map(len, names), default=0)
    lines = [" Configured: E = explicitly enabled; e = implicitly enabled", f" | Status: * = running on {call.node}",
             " |/"]
    for name in names:
        if call.option("verbose"):
            lines += [f"[E*] {name}", f"     Version:     \t{version}", f"     Description: \t{BUILT_IN.get(name, '')}"]
        else:
            lines.append(f"[E*] {name:<{width}} {version}")
    return Report("\n".join(lines), data)


def named(call):
    names = list(call.words)
    if call.option("all"):
        names = list(BUILT_IN)
    if not names:
        raise BadUsage("not enough arguments.")
    return names


def listed(title, names):
    return "\n".join([title, *[f"  {name}" for name in names]])


def change_banner(word):
    return lambda call: f"{word} plugins on node {call.node_or_url()}:\n" + "\n".join(named(call))


def refuse_unknown(call):
    unknown = [f":{name}" for name in named(call) if name not in enabled(call)]
    if unknown:
        raise Failure(f"{{:plugins_not_found, [{', '.join(unknown)}]}}", SOFTWARE)


def unchanged(call):
    return Message(listed("The following plugins have been configured:", enabled(call))
                   + f"\nApplying plugin configuration to {call.node_or_url()}...\nPlugin configuration unchanged.",
                   "message")


@command("enable", "<plugin1> [ <plugin2>] | --all [--offline] [--online]", "Enables one or more plugins", SECTION,
         (PLUGINS,),
         words=(0, None), switches=WHERE, check=named, banner=change_banner("Enabling"),
         examples=[("enable rabbitmq_shovel rabbitmq_shovel_management",
                    "for scripts written for RabbitMQ: they are on already")])
def enable(call):
    refuse_unknown(call)
    return unchanged(call)


@command("disable", "<plugin1> [ <plugin2>] | --all [--offline] [--online]", "Disables one or more plugins", SECTION,
         (PLUGINS,),
         words=(0, None), switches=WHERE, check=named, banner=change_banner("Disabling"))
def disable(call):
    there = [name for name in named(call) if name in enabled(call)]
    if there:
        raise Failure(f"{', '.join(there)}: a built-in feature cannot be disabled; one that is not configured does "
                      f"nothing")
    return unchanged(call)


@command("set", "<plugin1> [ <plugin2>] [--offline] [--online]", "Enables one or more plugins, disables the rest",
         SECTION, (PLUGINS,),
         words=(0, None), switches=WHERE, check=named, banner=change_banner("Enabling"))
def set_plugins(call):
    """The rest stays on, as it does nothing unless it is configured."""
    refuse_unknown(call)
    return unchanged(call)


@command("is_enabled", "<plugin1> [ <plugin2>]",
         "Health check that exits with a non-zero code if provided plugins are not enabled on "
         "target node", "Monitoring, observability and health checks", (PLUGINS, CTL), words=(1, None), switches=WHERE,
         banner=lambda call: (f"Asking node {call.node_or_url()} if plugin{'s' if len(call.words) > 1 else ''} "
                              f"{', '.join(call.words)} {'are' if len(call.words) > 1 else 'is'} enabled..."))
def is_enabled(call):
    there = enabled(call)
    missing = [name for name in call.words if name not in there]
    if missing:
        raise Failure(f"Plugin{'s' if len(missing) > 1 else ''} {', '.join(missing)} "
                      f"{'are' if len(missing) > 1 else 'is'} not enabled on "
                      f"node {call.node_or_url()}. Enabled plugins and dependencies: {', '.join(there)}")
    plural = len(call.words) > 1
    return Message(f"Plugin{'s' if plural else ''} {', '.join(call.words)} {'are' if plural else 'is'} enabled on node "
                   f"{call.node_or_url()}", "message")


@command("directories", "", "Displays plugin directory and enabled plugin file paths",
         "Monitoring, observability and health checks",
         (PLUGINS,), switches=WHERE, local=True,
         banner=lambda call: "Listing plugin directories")
def directories(call):
    raise Failure("there are no plugin directories: the features are a part of warrend")
