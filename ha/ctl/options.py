"""The command line: switches anywhere between the words, as RabbitMQ's tools take them."""

from .outcome import BadUsage

# Long name -> kind. A flag takes no value; `--no-NAME` switches it off.
GLOBAL = {
    "node": str, "vhost": str, "timeout": float, "quiet": bool, "silent": bool, "longnames": bool, "formatter": str,
    "table-headers": bool, "dry-run": bool, "help": bool, "version": bool, "erlang-cookie": str, "printer": str,
"file": str,
    "script-name": str, "offline": bool,
    "url": str, "dir": str, "config": str, "username": str, "password": str, "ca-file": str, "insecure": bool,
}
LETTERS = {"n": "node", "p": "vhost", "t": "timeout", "q": "quiet", "s": "silent", "l": "longnames", "?": "help",
           "h": "help"}
# What the global switches mean, for the help: (switch, text).
DESCRIPTIONS = [
    ("-n, --node <node>", "the node: a name of the cluster, a number of ha/cluster, or host:port"),
    ("    --url <url>", "its management API, http://127.0.0.1:15672 or unix:/run/warren/warren.sock (WARREN_URL)"),
    ("    --dir <directory>", "the cluster that ha/cluster has started there (WARREN_DIR, else .cluster)"),
    ("    --username, --password", "who asks (WARREN_USERNAME, WARREN_PASSWORD, else guest)"),
    ("    --ca-file <file>, --insecure", "for https: who signs for the node; or that nobody has to"),
    ("-p, --vhost <vhost>", "the virtual host, '/' unless named"),
    ("-t, --timeout <seconds>", "give up after this time, with exit code 75"),
    ("-q, --quiet", "no line that says what is being done"),
    ("-s, --silent", "nor the heads of tables"),
    ("    --formatter <name>", "json, csv, table, pretty_table or erlang"),
    ("    --no-table-headers", "tables without their heads"),
    ("    --dry-run", "say what would be done, and do nothing"),
    ("-?, --help", "what a command does, with examples"),
]


def parse(words, switches=None, letters=None):
    """Gives (words that are no switches, {name: value}, [(switch, value) that are wrong]).

    `switches` and `letters` are those of the command, beside the global ones; None while the command is not known yet:
    then a switch that is not known is let pass, with the word after it when that could be its value."""
    known = {**GLOBAL, **(switches or {})}
    short = {**LETTERS, **(letters or {})}
    rest, found, wrong = [], {}, []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            rest += words[at:]
            break
        if len(word) < 2 or word[0] != "-" or _is_number(word):
            rest.append(word)
            continue
        given, equals, value = word.partition("=")
        name = given[2:].replace("_", "-") if given.startswith("--") else short.get(given[1:])
        if name not in known and name and name.startswith("no-") and known.get(name[3:]) is bool:
            found[name[3:]] = False
        elif name not in known:
            if switches is not None:
                wrong.append((given, value))
        elif known[name] is bool:
            found[name] = value.lower() not in ("false", "no", "0") if equals else True
        else:
            if not equals:
                if at == len(words):
                    wrong.append((given, ""))
                    continue
                value = words[at]
                at += 1
            _take(known[name], name, given, value, found, wrong)
    return rest, found, wrong


def _take(kind, name, given, value, found, wrong):
    try:
        found[name] = kind(value)
    except ValueError:
        wrong.append((given, value))


def _is_number(word):
    return word[1:].replace(".", "", 1).isdigit()


def check(wrong):
    if wrong:
        lines = "\n".join(f"{switch} : {value}" for switch, value in wrong)
        raise BadUsage(f"Invalid options for this command:\n{lines}")
