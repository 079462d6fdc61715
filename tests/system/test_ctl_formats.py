"""warrenctl without a node: the table of commands, the command line, the formats, and what is computed locally."""

import json
import os
import pathlib
import subprocess
import sys
import time

import kit
from kit import check, check_equal

HA = pathlib.Path(kit.places.ROOT) / "ha"
sys.path.insert(0, str(HA))
from ctl import commands, crypto, definitions, formatters, help, options, service, values  # noqa: E402
from ctl.api import path_of, split_url  # noqa: E402
from ctl.call import Call  # noqa: E402
from ctl.outcome import BadUsage, Failure, Refused  # noqa: E402

START_BUDGET = 0.100     # seconds of processor time
STARTS = 4               # as many starts of the interpreter alone, where the machine is a slow one
NO_NODE = "http://127.0.0.1:1"


def tool(*words, name="rabbitmqctl", code=0, text=None):
    """Runs one of the tools; gives its output and what it complained of."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WARREN_")}
    done = subprocess.run([str(HA / "bin" / name), *words], input=text, capture_output=True, text=True, cwd="/",
                          env={**environment, "WARREN_URL": NO_NODE, "PYTHONIOENCODING": "utf-8"}, check=False)
    check_equal(done.returncode, code, f"exit code of {name} {' '.join(words)} ({done.stdout}{done.stderr})")
    return done.stdout, done.stderr


def test_table():
    """the table of contents names every command, and each has a place in the help"""
    table = commands.table()
    named = [name for names in commands.FAMILIES.values() for name in names.split()]
    check_equal(sorted(named), sorted(table), "the table of contents")
    for name, command in table.items():
        check(command.section in commands.SECTIONS,
              f"{name} is in the section {command.section}, which the help does not show")
        check(set(command.tools) <= {*commands.TOOLS, commands.OWN_NAME}, f"{name} belongs to {command.tools}")
        check(command.about, f"{name} does not say what it does")
        home = next(family for family, names in commands.FAMILIES.items() if name in names.split())
        check_equal(command.run.__module__, f"ctl.{home}", f"module of {name}")


def test_help():
    """every command has help; a word that is nearly a command gets a suggestion"""
    for name, command in commands.table().items():
        text = help.of_command(command.tools[0], command)
        check(f" {name} " in f"{text.splitlines()[3]} ", f"usage of {name}: {text}")
    out, _ = tool("list_queues", "--help")
    check("rabbitmqctl list_queues name messages consumers" in out, f"no example in {out}")
    _, complaint = tool("list_quues", code=64)
    check("Command 'list_quues' not found" in complaint and "Did you mean 'list_queues'?" in complaint, complaint)
    _, complaint = tool("drain", code=64)   # a command of another tool
    check("Command 'drain' not found" in complaint, complaint)
    check("drain" in tool("help", name="rabbitmq-upgrade")[0], "rabbitmq-upgrade help")
    check_equal(tool("autocomplete", "list_user")[0].split(),
                ["list_user_limits", "list_user_permissions", "list_user_topic_permissions", "list_users"],
                "autocomplete")


def test_usage():
    """wrong command lines end with 64 or 65 and say what is wrong before a node is asked"""
    for words, code, wanted in (
            (("add_user",), 64, "not enough arguments"), (("delete_user", "a", "b"), 64, "too many arguments"),
            (("list_users", "--nonsense"), 64, "Invalid options for this command:\n--nonsense : "),
            (("set_policy", "a", "b", "{}", "--priority", "high"), 64, "--priority : high"),
            (("list_queues", "name", "nonsense"), 64, "Info key(s) nonsense are not supported"),
            (("list_users", "--formatter", "yaml"), 64, "formatter 'yaml' is not known"),
            (("set_disk_free_limit", "lots"), 65, "Bad argument"),
            (("import_definitions", "/nonexistent"), 65, "File /nonexistent does not exist")):
        _, complaint = tool(*words, code=code)
        check(f"Error (argument validation): {wanted}" in complaint or wanted in complaint, f"{words}: {complaint}")
        check("Usage\n\nrabbitmqctl [--node <node>]" in complaint, f"{words}: no usage in {complaint}")


def test_unreachable():
    """a node that does not answer: 69, with what to look at; a configuration that is not there: 78"""
    _, complaint = tool("list_users", code=69)
    check("unable to perform an operation" in complaint and NO_NODE in complaint and "Connection refused" in complaint,
          complaint)
    _, complaint = tool("ping", code=69)
    check("Failed to connect" in complaint, complaint)
    tool("list_users", "--dir", "/nonexistent", code=78)
    tool("list_users", "--config", "/nonexistent", code=78)
    tool("await_startup", "-t", "0.3", code=75)


def test_options():
    """switches may stand anywhere, abbreviated, with =, and negated"""
    words, found, wrong = options.parse(["-p", "/a", "list_queues", "--no-table-headers", "name", "-q", "--timeout=5",
                                         "--if-empty"],
                                        {"if-empty": bool})
    check_equal((words, wrong), (["list_queues", "name"], []), "words")
    check_equal(found, {"vhost": "/a", "table-headers": False, "quiet": True, "timeout": 5.0, "if-empty": True},
                "switches")
    check_equal(options.parse(["a", "--", "-b"], {})[0], ["a", "-b"], "words behind --")
    check_equal(options.parse(["-5"], {})[0], ["-5"], "a negative number")


ROWS = formatters.Rows(("name", "arguments", "members", "state"), [
    {"name": "a\tb", "arguments": values.Arguments({"x-max-length": 5, "x-s": "q\"", "x-t": {"n": True}}),
     "members": [values.Atom("n@a"), values.Atom("n@b")], "state": values.Atom("running")},
    {"name": "ü", "arguments": values.Arguments(), "members": None, "state": None}])


def rendered(formatter, headers=True, rows=ROWS):
    return formatters.render(rows, formatter, headers, lambda: "n@a")


def test_table_formats():
    """tables as RabbitMQ's tools print them: tabs, csv, borders"""
    first = 'a\tb\t[{"x-max-length",5},{"x-s","q\\""},{"x-t",[{"n",true}]}]\t[n@a, n@b]\trunning'
    check_equal(rendered(None), f"name\targuments\tmembers\tstate\n{first}\nü\t[]\t\t", "table")
    check_equal(rendered("table", headers=False), f"{first}\nü\t[]\t\t", "table without heads")
    check_equal(rendered("csv").splitlines()[0], '"name","arguments","members","state"', "csv's heads")
    check_equal(rendered("csv").splitlines()[2], '"ü","[]","",""', "csv")
    lines = rendered("pretty_table").splitlines()
    check_equal({len(line) for line in lines}, {len(lines[0])}, "borders are of one length")
    check_equal(rendered(None, rows=formatters.Rows(("a",), [])), "", "an empty table")
    check_equal(rendered(None, rows=formatters.Rows(("a",), [], listing=True)), None, "an empty listing")


def test_machine_formats():
    """json and Erlang terms keep types"""
    decoded = json.loads(rendered("json"))
    check_equal(decoded[0], {"name": "a\tb", "arguments": [["x-max-length", "signedint", 5], ["x-s", "longstr", 'q"'],
                                                           ["x-t", "table", [["n", "bool", True]]]],
                             "members": ["n@a", "n@b"], "state": "running"}, "json")
    check_equal(decoded[1]["members"], "", "what has no value, in json")
    check_equal(values.term({"a": [1, 2.5, "x", values.Atom("Up"), None, False, ("n", 1)]}),
                "#{a => [1,2.5,<<\"x\">>,'Up','',false,{n,1}]}".replace("{n,1}", '{<<"n">>,1}'), "a term")
    check_equal(rendered("erlang", rows=formatters.Rows(("a", "b"), [{"a": 1, "b": "x"}])), '[[{a,1},{b,<<"x">>}]]',
                "a short row")
    check("\n  {arguments," in rendered("erlang"), "a long row stands on several lines")


def test_names_in_paths():
    """names reach the API as they are, whatever is in them; URLs of all kinds are understood"""
    check_equal(path_of("queues", "/", "a b/ü%"), "/api/queues/%2F/a%20b%2F%C3%BC%25", "a path")
    check_equal(split_url("https://u:p@[::1]:15671/api"), ("https", "::1", 15671), "a URL")
    check_equal(split_url("host"), ("http", "host", 15672), "a host")


def test_encryption():
    """what is encrypted here is decrypted here and by RabbitMQ, and a wrong passphrase is told"""
    secret = tool("-q", "encode", "a secret", "pass phrase")[0].strip()
    check_equal(tool("-q", "decode", secret, "pass phrase")[0].strip(), '<<"a secret">>', "decoded")
    _, complaint = tool("decode", secret, "another", code=69)
    check("Failed to decrypt" in complaint, complaint)
    # This one was made by RabbitMQ 3.10.
    foreign = '{encrypted,<<"CX5Og1c2dKWV5ASCnCW2JGYR64Fjh7YNgJp6OH3L/qqFvEp965vnKHLs1w8iXLn9">>}'
    check_equal(tool("-q", "decrypt_conf_value", foreign, text="pass\n")[0].strip(), '<<"secret">>', "RabbitMQ's value")
    for cipher in crypto.CIPHERS:
        made = tool("-q", "encode", "x", "y", "--cipher", cipher, "--hash", "sha512", "--iterations", "7")[0].strip()
        check_equal(tool("-q", "decode", made, "y", "--cipher", cipher, "--hash", "sha512", "--iterations",
                         "7")[0].strip(),
                    '<<"x">>', cipher)


def test_difference():
    """a dry run of an import tells what is new and what changes, and keeps hashes to itself"""
    there = {"users": [{"name": "a", "tags": ["x"], "password_hash": "h"}],
             "queues": [{"name": "q", "vhost": "/", "durable": True}]}
    wanted = {"users": [{"name": "a", "tags": "x", "password_hash": "other"}],
              "queues": [{"name": "q", "vhost": "/", "durable": True}, {"name": "r", "vhost": "/"}]}
    text = definitions.difference_text(definitions.difference_of(there, wanted))
    check_equal(text.splitlines(), ["changed users: \"a\"".replace('"', ""),
                                    "        password_hash: (hidden) -> (hidden)",
                                    "new     queues: / r"], "the difference")
    check_equal(definitions.difference_text(definitions.difference_of(there, there)), "nothing would change",
                "no difference")


class Answers:
    """Stands for the API: nodes 1 to 5, of which 5 is down; three queues; node 4 takes nothing."""

    def __init__(self):
        self.added = []

    def get(self, path):
        if path == "/api/nodes":
            return [{"name": f"n{i}", "running": i < 5} for i in range(1, 6)]
        return [{"vhost": "/", "name": name, "members": members}
                for name, members in (("few", ["n2"]), ("enough", ["n1", "n2", "n3"]), ("more", ["n1", "n2", "n3", "n5"]))]

    def post(self, path, body):
        if body["node"] == "n4":
            raise Failure("no room")
        self.added.append((path.split("/")[5], body["node"]))


class Nodes:
    """Stands for the API of a cluster with these nodes; a group of each would lose its majority."""

    def __init__(self, *running):
        self.running = running

    def get(self, path):
        if path == "/api/nodes":
            return [{"name": f"n{at}", "running": runs} for at, runs in enumerate(self.running, 1)]
        raise Refused(503, "There are 1 groups that would lose their quorum", "GET", path)


def drain_refused(*running):
    call = Call(commands.table()["drain"], "rabbitmq-upgrade", [], {})
    call._api = Nodes(*running)
    service.SETTLE = 0.0    # nobody is about to come
    try:
        call.command.run(call)
    except Failure as failure:
        return failure.text
    raise AssertionError("the node was drained")


def test_drain_says_why_not():
    """drain that would cost a majority says which node is missing, or that of two neither can be spared, and that --force is the way"""
    for running, words in (((True, True), "Two nodes are a majority only together"), ((True, False), "Wait until n2 is up"),
                           ((True, True, True), "fewer than three replicas")):
        said = drain_refused(*running)
        check(said.startswith("Warning: There are 1 groups") and words in said and "--force" in said, f"with {running}: {said}")


def grow_to(count, **more):
    call = Call(commands.table()["grow_to_count"], "rabbitmq-queues", [count], more)
    call._api = Answers()
    rows = call.command.run(call).rows
    return call._api.added, [(row["name"], row["size"], row["result"]) for row in rows]


def test_grow_to_count():
    """grow_to_count gives each queue what it lacks, on nodes that run, never takes a replica away, and tells what failed"""
    added, rows = grow_to("3")
    check_equal(added, [("few", "n1"), ("few", "n3")], "replicas that were added")
    check_equal(rows, [("few", 2, "ok"), ("few", 3, "ok")], "the answer")
    added, rows = grow_to("4")
    check_equal(added, [("few", "n1"), ("few", "n3")], "replicas that were added")
    check_equal(rows, [("few", 2, "ok"), ("few", 3, "ok"), ("few", 3, "error: no room"), ("enough", 3, "error: no room")],
                "the answer with a node that refuses")
    check_equal(grow_to("4", **{"errors-only": True})[1], [("few", 3, "error: no room"), ("enough", 3, "error: no room")],
                "errors only")
    check_equal(grow_to("9", **{"queue-pattern": "^more$"}), ([], [("more", 4, "error: no room")]), "more than there are nodes")
    for wrong in ("0", "-1", "many"):
        try:
            grow_to(wrong)
        except BadUsage:
            continue
        raise AssertionError(f"the count {wrong} was taken")


def test_start_time():
    """a command starts in less than a tenth of a second"""
    best = bare = 9.0
    for _ in range(20):
        best = min(best, processor_time(str(HA / "warrenctl"), "list_hashes"))
        bare = min(bare, processor_time("-c", "pass"))
        if best < max(START_BUDGET, STARTS * bare):
            return
        time.sleep(0.1)
    raise AssertionError(f"at best {best * 1000:.0f} ms of processor time; the interpreter alone takes {bare * 1000:.0f}")


def processor_time(*words):
    before = os.times()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
