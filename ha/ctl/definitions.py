"""Definitions: everything but messages, as one JSON document."""

import json
import os
import sys

from .commands import command
from .formatters import FOR_MACHINES, Message, Report
from .outcome import DATA, BadUsage, Failure, Refused
from .progress import Progress

SECTION = "Definitions"
FORMATS = ("json", "erlang")
PART_SIZE = 500                 # entries of one request, when a document is sent in parts
IMPORT_TIMEOUT = 300.0
# What has to be there before what comes after it.
ORDER = ("users", "vhosts", "permissions", "topic_permissions", "parameters", "global_parameters", "policies", "queues",
         "exchanges", "bindings")
# What makes two entries of a kind the same thing.
KEYS = {"users": ("name",), "vhosts": ("name",), "permissions": ("vhost", "user"),
        "topic_permissions": ("vhost", "user", "exchange"), "parameters": ("vhost", "component", "name"),
        "global_parameters": ("name",), "policies": ("vhost", "name"), "queues": ("vhost", "name"),
        "exchanges": ("vhost", "name"),
        "bindings": ("vhost", "source", "destination_type", "destination", "routing_key", "arguments")}


def check_format(call):
    wanted = call.option("format", "json").lower()
    if wanted not in FORMATS:
        raise BadUsage(f"Format {wanted} is not supported. Supported formats: json")
    if wanted == "erlang":
        raise BadUsage("Erlang's term format is not supported here; json is", DATA)


def check_export(call):
    check_format(call)
    directory = os.path.dirname(os.path.abspath(call.words[0]))
    if call.words[0] != "-" and not os.path.isdir(directory):
        raise BadUsage(f"Bad argument: Directory {directory} does not exist", DATA)


@command("export_definitions", '<file_path | "-"> [--format <json>] [--timeout <timeout>]',
         "Exports definitions in JSON", SECTION,
         words=(1, 1), switches={"format": str}, check=check_export, default_timeout=IMPORT_TIMEOUT,
         banner=lambda call: (f'Exporting definitions in JSON to a file at "{call.words[0]}" ...'
                              if call.words[0] != "-" else
                              "Exporting definitions in JSON to standard output ..."),
         details=[("<file>", "Local file path to export to. Pass a dash (-) for stdout.")],
         examples=[("export_definitions /var/backups/definitions.json",
                    "users, rights, policies, queues ...: all but messages"),
                   ("-q export_definitions - | jq .queues[].name", "for a program")])
def export_definitions(call):
    found = call.api.get("/api/definitions")
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    if call.words[0] == "-":
        return Message(text, "message", wrapped=False)
    path, part = call.words[0], call.words[0] + ".part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)      # never half a file under the name that was asked for
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}", DATA) from None
    return None


def check_import(call):
    check_format(call)
    if call.words and call.words[0] != "-" and not os.path.isfile(call.words[0]):
        raise BadUsage(f"Bad argument: File {call.words[0]} does not exist", DATA)


def import_banner(call):
    return (f'Importing definitions in JSON from a file at "{call.words[0]}" ...' if call.words and call.words[0] != "-"
            else
            "Importing definitions in JSON from standard input ...")


def read_document(call):
    try:
        if call.words and call.words[0] != "-":
            with open(call.words[0], encoding="utf-8") as file:
                document = json.load(file)
        else:
            document = json.load(sys.stdin)
    except (ValueError, OSError) as error:
        raise Failure(f"Failed to deserialise input (format: JSON) (error: {error})", DATA) from None
    if not isinstance(document, dict):
        raise Failure("Failed to deserialise input (format: JSON) (error: definitions are a JSON object)", DATA)
    return document


@command("import_definitions",
         '[<file_path | "-">] [--format <json>] [--skip-if-unchanged] [--skip-refused] [--dry-run] '
         '[--timeout <timeout>]',
         "Imports definitions in JSON", SECTION, words=(0, 1),
         switches={"format": str, "skip-if-unchanged": bool, "skip-refused": bool},
         check=check_import, banner=import_banner, default_timeout=IMPORT_TIMEOUT, explains=True,
         details=[("<file>", "Local file path to import from. If omitted will be read from standard input"),
                  ("--skip-if-unchanged", "do nothing when all of it is there already"),
                  ("--skip-refused", "do the rest when something is refused; without it nothing is done then"),
                  ("--dry-run", "show what would be made, changed or refused, and do nothing")],
         examples=[("import_definitions definitions.json",
                    "files of RabbitMQ 3.6 to 4.x too; what is there and not in the file stays"),
                   ("import_definitions --dry-run definitions.json", "the difference first"),
                   ("import_definitions < definitions.json", "from standard input")])
def import_definitions(call):
    document = read_document(call)
    if call.option("dry-run") or (total_of(document) > PART_SIZE and not call.option("skip-refused")):
        check_whole(call, document)     # a document in one request is checked by the node before the first entry
    if call.option("dry-run") or call.option("skip-if-unchanged"):
        difference = difference_of(call.api.get("/api/definitions"), document)
        if call.option("dry-run"):
            return Report(difference_text(difference), difference)
        if not any(difference.values()):
            return Message("Definitions are unchanged: nothing to import", "message")
    send(call, document)
    return Message("Definitions were imported", "message")


def total_of(document):
    return sum(len(document.get(kind) or []) for kind in ORDER)


def check_whole(call, document):
    """Fails with everything that would be refused. Passes over a broker that has no such check, and a document that is
    larger than one request may be: what is refused is told when it is imported."""
    try:
        call.api.post("/api/cluster/definitions/check", document)
    except Refused as refused:
        if refused.status not in (404, 405) and "the body has more than" not in refused.text:
            raise Failure(f"{refused.text}\nNothing was imported") from None


def send(call, document):
    """One request for an ordinary document. A large one goes in parts, in the order in which they need each other;
    importing again what was imported changes nothing, so after a failure the whole can be repeated."""
    total = total_of(document)
    path = "/api/definitions" + ("?skip_refused=true" if call.option("skip-refused") else "")
    if total <= PART_SIZE:
        call.api.post(path, document)
        return
    frame = {key: value for key, value in document.items() if key not in ORDER}
    progress, done = Progress("import", call.quiet or call.formatter in FOR_MACHINES), 0
    for kind in ORDER:
        entries = document.get(kind) or []
        for at in range(0, len(entries), PART_SIZE):
            part = entries[at:at + PART_SIZE]
            try:
                call.api.post(path, {**frame, kind: part})
            except Failure as failure:
                progress.end()
                failure.text += f" (in {kind} {at + 1} to {at + len(part)}; {done} entries before it were imported)"
                raise
            done += len(part)
            progress.count(done, total)
    progress.end()


# The difference

def identity(kind, entry):
    return tuple(json.dumps(entry.get(key), sort_keys=True) for key in KEYS[kind])


def difference_of(there, wanted):
    """{kind: [{"change": "new" or "changed", "what": its name, "from":, "to":}]}."""
    found = {}
    for kind in ORDER:
        known = {identity(kind, entry): entry for entry in there.get(kind) or []}
        changes = []
        for entry in wanted.get(kind) or []:
            before = known.get(identity(kind, entry))
            if before is None:
                changes.append({"change": "new", "what": name_of(kind, entry)})
                continue
            fields = {key: (before.get(key), value) for key, value in entry.items()
                      if not same(key, before.get(key), value)}
            if fields:
                changes.append({"change": "changed", "what": name_of(kind, entry),
                                "from": {key: pair[0] for key, pair in fields.items()},
                                "to": {key: pair[1] for key, pair in fields.items()}})
        found[kind] = changes
    return found


def same(key, before, after):
    if key == "tags":
        return words_of(before) == words_of(after)
    return before == after or (before in (None, "", {}, []) and after in (None, "", {}, []))


def words_of(tags):
    return sorted(tags.replace(",", " ").split() if isinstance(tags, str) else tags or [])


def name_of(kind, entry):
    return " ".join(str(entry.get(key)) for key in KEYS[kind] if key != "arguments")


def difference_text(difference):
    lines = []
    for kind, changes in difference.items():
        for change in changes:
            line = f"{change['change']:<8}{kind}: {change['what']}"
            if change["change"] == "changed":
                line += "".join(f"\n        {key}: {hidden(key, change['from'][key])} -> {hidden(key, value)}"
                                for key, value in change["to"].items())
            lines.append(line)
    return "\n".join(lines) or "nothing would change"


def hidden(key, value):
    return "(hidden)" if key == "password_hash" else json.dumps(value, ensure_ascii=False)
