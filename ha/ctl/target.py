"""Which node a command talks to, and as whom.

In this order: --url; -n as host:port; the cluster of ha/cluster (--dir, WARREN_DIR, ./.cluster) when -n names one of
its nodes or nothing else is said; WARREN_URL; the node's own configuration (--config, WARREN_CONFIG,
/etc/warren/warren.conf), its management.socket if we may use it; and at last http://127.0.0.1:15672. A name that none of these knows is looked up among the
listeners that the node found so far tells of.
"""

import json
import os
import pathlib

from .api import Api, split_url
from .outcome import CONFIGURATION, Failure, Unreachable

DEFAULT_URL = "http://127.0.0.1:15672"
DEFAULT_CONFIG = "/etc/warren/warren.conf"
DEFAULT_DIR = ".cluster"
HTTP_OFFSET = 10000        # as in ha/cluster: node I has HTTP on base port + 10000 + I
ANY_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1", "": "127.0.0.1"}


def connect(options, timeout):
    wanted = options.get("node")
    if options.get("url"):
        return _api(options, options["url"], timeout, {})
    if wanted and (wanted.startswith(("http://", "https://", "unix:")) or _is_address(wanted)):
        return _api(options, wanted, timeout, {})
    settings = read_settings(options)
    found, exact = of_directory(options, wanted)
    if found and exact:
        return _api(options, found, timeout, settings)
    url = found or os.environ.get("WARREN_URL") or _url_of(settings)
    api = _api(options, url or DEFAULT_URL, timeout, settings)
    if wanted and wanted != settings.get("node.name"):
        return _look_up(options, api, wanted, timeout, settings)
    return api


def wanted_name(options):
    """The node's name when -n says it outright."""
    wanted = options.get("node")
    return wanted if wanted and "@" in wanted and "://" not in wanted else None


def _is_address(wanted):
    host, colon, port = wanted.rpartition(":")
    return bool(colon and host and port.isdigit())


def _api(options, url, timeout, settings):
    user = options.get("username") or os.environ.get("WARREN_USERNAME")
    password = options.get("password")
    if password is None:
        password = os.environ.get("WARREN_PASSWORD")
    if user is None:
        if url.startswith("unix:"):
            return Api(url, None, None, timeout)
        user = settings.get("default_user") or "guest"
        if password is None and user == settings.get("default_user"):
            password = settings.get("default_pass")
    return Api(url, user, "guest" if password is None else password, timeout, options.get("ca-file"),
               not options.get("insecure"))


def cluster_directory(options):
    """What ha/cluster has written down about its cluster: (directory, state), or (directory, None)."""
    named = options.get("dir") or os.environ.get("WARREN_DIR")
    directory = pathlib.Path(named or DEFAULT_DIR)
    try:
        return directory, json.loads((directory / "cluster.json").read_text())
    except FileNotFoundError:
        if named:
            raise Failure(f"there is no cluster in {directory}; ha/cluster up starts one", CONFIGURATION) from None
        return directory, None
    except (OSError, ValueError) as error:
        raise Failure(f"{directory / 'cluster.json'} cannot be read: {error}", CONFIGURATION) from None


def of_directory(options, wanted):
    """The cluster in a directory: the URL of the wanted node and True; else that of the first node that answers, and
    whether any node was wanted at all. (None, False) when there is no such cluster."""
    _, state = cluster_directory(options)
    if state is None or (not wanted and os.environ.get("WARREN_URL") and not options.get("dir")):
        return None, False
    urls = {}
    for number, host in enumerate(state["hosts"], 1):
        if number in state.get("gone", []):
            continue
        urls[number] = f"http://{host}:{state['base_port'] + HTTP_OFFSET + number}"
    number = (wanted or "").removeprefix("warren@node")
    if number.isdigit() and int(number) in urls:
        return urls[int(number)], True
    return next((url for url in urls.values() if _answers(url)), next(iter(urls.values()))), not wanted


def _answers(url):
    import socket
    _, host, port = split_url(url)
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def read_settings(options):
    """The keys of a node's configuration file; none when there is no file."""
    named = options.get("config") or os.environ.get("WARREN_CONFIG")
    settings = {}
    try:
        with open(named or DEFAULT_CONFIG, encoding="utf-8") as file:
            for line in file:
                key, equals, value = line.partition("=")
                if equals and not key.lstrip().startswith("#"):
                    settings[key.strip()] = value.strip().strip("'\"")
    except OSError as error:
        if named:
            raise Failure(f"{named} cannot be read: {error.strerror}", CONFIGURATION) from None
    return settings


def _url_of(settings):
    socket = settings.get("management.socket")
    if socket and os.access(socket, os.W_OK):
        return f"unix:{socket}"
    for key, scheme in (("management.tcp", "http"), ("management.ssl", "https")):
        value = settings.get(key)
        port = settings.get(f"{key}.port")
        if value and ":" in value:
            host, _, port = value.rpartition(":")
        else:
            host = settings.get(f"{key}.ip", "")
        if port and port.isdigit():
            return f"{scheme}://{ANY_HOSTS.get(host.strip('[]'), host)}:{port}"
    return None


def _look_up(options, api, wanted, timeout, settings):
    """Asks a node of the cluster where the wanted one has its management API."""
    overview = api.get("/api/overview")
    if overview.get("node") == wanted:
        return api
    scheme, host, _ = split_url(api.url)
    if scheme == "unix":
        scheme, host = "http", api.host
    for listener in overview.get("listeners", []):
        if listener.get("node") == wanted and str(listener.get("protocol", "")).startswith(scheme):
            address = listener.get("ip_address") or ""
            address = ANY_HOSTS.get(address, address)
            if address in ("127.0.0.1", "::1"):
                address = host
            shown = f"[{address}]" if ":" in address else address
            return _api(options, f"{scheme}://{shown}:{listener['port']}", timeout, settings)
    raise Unreachable(api.url,
                      f"the cluster that answers here does not know where node '{wanted}' is; name it with --url")
