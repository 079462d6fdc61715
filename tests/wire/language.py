"""The language of *.wire scripts: lines to statements. README.md describes it for people. No socket, no clock."""

import collections
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "ha" / "lib"))
from amqp_codec import Typed  # noqa: E402

# verb: what to do; words: values without a name; pairs: (name, operator, value), operator one of = ~ >
Statement = collections.namedtuple("Statement", "line text connection verb words pairs")

VERBS = ("connect", "open", "channel", "send", "frame", "raw", "publish", "header", "body", "expect", "expect-raw",
         "expect-closed", "expect-refused", "expect-channel-closed", "expect-confirms", "expect-eof", "expect-heartbeat", "silence", "wait",
         "close", "drop", "until", "only", "http")

_TOKENS = re.compile(r"""
    (?P<space>\s+)
  | (?P<comment>\#.*$)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<hex>hex:[0-9a-fA-F]+)
  | (?P<typed>[tbBsuIilLfdTDSxZ]:(?:"(?:[^"\\]|\\.)*"|-?[\w.:]+))
  | (?P<number>-?\d+(?:\.\d+)?(?![\w.-]))
  | (?P<variable>\$\w+)
  | (?P<arrow>=>)
  | (?P<punctuation>[{}\[\]=~>*])
  | (?P<word>[.\w@/+-](?:[\w.@/+:-]*[\w.@/+-])?:?)
""", re.VERBOSE)

_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}


class ScriptError(Exception):
    """A line that is not in the language."""


class Variable:
    def __init__(self, name):
        self.name = name


class Repeated:
    """"x"*1000, kept short for messages."""

    def __init__(self, value, times):
        self.value, self.times = value, times


def unquote(text):
    """The bytes of a quoted string; text where they are UTF-8."""
    out, at, inner = bytearray(), 0, text[1:-1]
    while at < len(inner):
        if inner[at] != "\\":
            out += inner[at].encode()
            at += 1
        elif inner[at + 1] == "x":
            out.append(int(inner[at + 2:at + 4], 16))
            at += 4
        elif inner[at + 1] in _ESCAPES:
            out += _ESCAPES[inner[at + 1]]
            at += 2
        else:  # the backslash of a regular expression
            out += inner[at:at + 2].encode()
            at += 2
    try:
        return out.decode()
    except UnicodeDecodeError:
        return bytes(out)


def parse_typed(text):
    tag, rest = text[0], text[2:]
    if rest.startswith('"'):
        return Typed(tag, unquote(rest))
    if tag == "t":
        return Typed(tag, rest not in ("0", "false"))
    if tag in "fd":
        return Typed(tag, float(rest))
    if tag == "D":
        scale, number = rest.split(":")
        return Typed(tag, (int(scale), int(number)))
    return Typed(tag, int(rest))


class Line:
    """Tokens of one line, taken from left to right."""

    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            match = _TOKENS.match(text, at)
            if not match:
                raise ScriptError(f"cannot read: {text[at:at + 30]}")
            if match.lastgroup not in ("space", "comment"):
                self.tokens.append((match.lastgroup, match.group()))
            at = match.end()
        self.at = 0

    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else (None, None)

    def take(self):
        token = self.peek()
        self.at += 1
        return token

    def value(self):
        kind, text = self.take()
        if kind == "string":
            value = unquote(text)
        elif kind == "hex":
            value = bytes.fromhex(text[4:])
        elif kind == "typed":
            value = parse_typed(text)
        elif kind == "number":
            value = float(text) if "." in text else int(text)
        elif kind == "variable":
            value = Variable(text[1:])
        elif text == "{":
            value = self.table()
        elif text == "[":
            value = []
            while self.peek()[1] != "]":
                value.append(self.value())
            self.take()
        elif kind == "word":
            value = {"true": True, "false": False, "none": None}.get(text, text)
        else:
            raise ScriptError(f"expected a value, not '{text}'")
        if self.peek()[1] == "*":
            self.take()
            value = Repeated(value, self.value())
        return value

    def table(self):
        table = {}
        while self.peek()[1] != "}":
            _, key = self.take()
            if key is None:
                raise ScriptError("a table is not closed with }")
            key = unquote(key) if key.startswith('"') else key
            if self.take()[1] != "=":
                raise ScriptError(f"expected = after '{key}'")
            table[key] = self.value()
        self.take()
        return table

    def arguments(self):
        """The rest of the line, up to an arrow: values, and (name, operator, value)."""
        words, pairs = [], []
        while self.peek()[0] not in (None, "arrow"):
            if self.peek()[0] == "word" and self.peek(1)[1] in ("=", "~", ">"):
                name, operator = self.take()[1], self.take()[1]
                pairs.append((name.replace("-", "_"), operator, self.value()))
            elif self.peek()[1] == "~":
                self.take()
                pairs.append(("reply_text", "~", self.value()))
            else:
                words.append(self.value())
        return words, pairs


def parse_line(number, text):
    """A Statement, or None for an empty line."""
    line = Line(text)
    if not line.tokens:
        return None
    connection = ""
    if line.peek()[1].endswith(":"):
        connection = line.take()[1][:-1]
    verb = line.take()[1]
    if verb not in VERBS:
        raise ScriptError(f"there is no verb '{verb}'")
    words, pairs = line.arguments()
    if line.peek()[0] == "arrow":
        line.take()
        words.append(line.arguments())
    if line.peek()[0]:
        raise ScriptError(f"too much: {line.peek()[1]}")
    return Statement(number, text.strip(), connection, verb, words, pairs)


def parse_script(path):
    """Gives (title, statements). The title is the first comment."""
    statements, title = [], ""
    for number, text in enumerate(path.read_text().splitlines(), 1):
        if not title and text.startswith("#"):
            title = text.strip("# ")
        try:
            statement = parse_line(number, text)
        except (ScriptError, ValueError, IndexError) as error:
            raise ScriptError(f"{path.name}:{number}: {error}") from error
        if statement:
            statements.append(statement)
    return title, statements
