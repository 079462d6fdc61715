"""Plays a conversation, a step at a time, to one broker and notes what it answers.

A step is a line of the wire scripts' language (tests/wire/README.md) with three additions, replaced before it is sent:

    ~           the namespace of this play: queues and exchanges of two plays never meet
    $-K         the delivery tag of the K-th message from the end that this channel was given
    $$-K        the same for multiple: the highest tag of all that came with that message, in one step

Connections and the channels 1 to 3 are opened when a step needs them, and again after the broker has closed them.
"""

import collections
import pathlib
import re
import select
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "wire"), str(HERE.parent.parent / "ha" / "lib")]
from amqp_codec import METHODS, Malformed  # noqa: E402
from language import parse_line  # noqa: E402
from script import Mismatch, Script  # noqa: E402

REPLY_LIMIT = 5.0      # seconds until a missing reply counts as none
OPENED = (1, 2, 3)     # channels that are opened when they are needed; a higher one stays closed
NO_SUCH_TAG = 7777
TAG = re.compile(r"\$(\$?)-(\d+)")

# connection, channel, name (of a method, or "eof", "no reply"), fields, properties, body
Event = collections.namedtuple("Event", "connection channel name fields properties body")
Event.__new__.__defaults__ = (None, None, None)

# What has no reply. A channel.flow after it is answered when the broker is through with it, however slow it is.
SILENT = {"basic.ack", "basic.nack", "basic.reject", "basic.recover-async"}
# What needs more than its reply: messages and cancels come on their own. The others have said all with the reply.
PLAIN = {"exchange.declare", "exchange.bind", "exchange.unbind", "queue.bind", "queue.unbind", "basic.get", "confirm.select",
         "tx.select", "channel.open", "basic.cancel", "access.request", "queue.purge"}


class Player:
    def __init__(self, broker, namespace, quiet):
        """`quiet`: seconds without a word after which a step counts as answered."""
        self.namespace, self.quiet = namespace, quiet
        self.script = Script(broker.amqp, broker.name, REPLY_LIMIT, broker.http)
        self.openings = {}                                    # connection: how it was opened, to be opened so again
        self.channels = collections.defaultdict(set)          # connection: open channels
        self.deliveries = collections.defaultdict(list)       # (connection, channel): lists of tags, one per step
        self.confirming = {}                                  # (connection, channel): numbers not confirmed yet
        self.published = collections.Counter()
        self.marked = None                                    # (connection, channel) whose channel.flow-ok is to come
        self.lines = []                                       # what was sent, as a wire script

    def close(self):
        self.script.finish()
        self.script.management.clean()

    # One step

    def play(self, text, goal=None):
        """Carries a step out; gives its events. With `goal`, so many events are waited for instead of for silence."""
        events = []
        statement = parse_line(0, self.concrete(text))
        events += self.prepare(statement)
        text = self.concrete(text)  # a channel that was opened again has no tags any more
        statement = parse_line(0, text)
        self.lines.append(text)
        connection = statement.connection
        if statement.verb == "http":
            status, _ = self.script.management.ask(*statement.words)
            return events + [Event("", 0, "http", {"status": status})]
        if statement.verb == "wait":
            time.sleep(statement.words[0])
            return self.collect(lambda seen: True, goal)
        try:
            if statement.verb in ("drop", "close"):
                self.script.run([statement])
                del self.script.peers[connection]
                self.forget(connection)
            elif statement.verb != "open":
                self.count_publish(statement)
                self.script.run([statement])
                self.mark(statement)
        except Mismatch as error:
            events.append(Event(connection, 0, "failed", {"why": str(error)}))
        events += self.collect(self.answered(statement), None if goal is None else goal - len(events),
                               short=self.is_plain(statement))
        self.take_tags(events)
        return events

    def mark(self, statement):
        channel = statement.words[0] if statement.words else 0
        silent = statement.verb == "publish" or statement.verb == "send" and (
            "nowait" in statement.words or statement.words[1] in SILENT)
        self.marked = None
        if silent and channel in self.channels[statement.connection]:
            self.marked = statement.connection, channel
            self.script.peers[statement.connection].send_method(channel, "channel.flow", {"active": True})

    def concrete(self, text):
        statement = TAG.sub("0", text).split()
        connection = statement[0][:-1] if statement[0].endswith(":") else ""
        channel = int(statement[2]) if len(statement) > 2 and statement[2].isdigit() else 0
        groups = self.deliveries[connection, channel]

        def tag(match):
            place = int(match.group(2))
            for group in reversed(groups):
                if place <= len(group):
                    return str(max(group) if match.group(1) else group[-place])
                place -= len(group)
            return str(NO_SUCH_TAG)

        return TAG.sub(tag, text).replace("~", self.namespace)

    def prepare(self, statement):
        connection = statement.connection
        events = []
        if statement.verb in ("wait", "http"):
            return events
        if statement.verb == "open":
            self.openings[connection] = statement.text
        if connection not in self.script.peers:
            text = self.openings.get(connection, f"{connection}: open")
            try:
                self.script.run([parse_line(0, text)])
            except (Mismatch, OSError) as error:
                self.script.peers.pop(connection, None)
                events.append(Event(connection, 0, "failed", {"why": str(error)}))
                raise Broken(events) from error
            self.lines.append(text)
        channel = next((word for word in statement.words[statement.verb == "frame":] if isinstance(word, int)), None)
        if channel in OPENED and channel not in self.channels[connection] and "channel.open" not in statement.words:
            text = f"{connection}: channel {channel}"
            try:
                self.script.run([parse_line(0, text)])
            except Mismatch as error:  # the next step opens another connection
                events.append(Event(connection, channel, "failed", {"why": str(error)}))
                self.script.peers.pop(connection).drop()
                self.forget(connection)
                raise Broken(events) from error
            self.lines.append(text)
            self.channels[connection].add(channel)
        return events

    def count_publish(self, statement):
        key = statement.connection, statement.words[0] if statement.words else 0
        if statement.verb == "publish" and key in self.confirming:
            self.published[key] += 1
            self.confirming[key].add(self.published[key])

    @staticmethod
    def is_plain(statement):
        return statement.verb == "send" and len(statement.words) > 1 and statement.words[1] in PLAIN

    def answered(self, statement):
        """A question to the events so far: is there nothing more to wait for?"""
        key = statement.connection, statement.words[0] if statement.words else 0
        wanted = set()
        if statement.verb == "send":
            name = statement.words[1]
            if f"{name}-ok" in METHODS and "nowait" not in statement.words:
                wanted = {f"{name}-ok", "basic.get-empty" if name == "basic.get" else f"{name}-ok"}

        def question(seen):
            if statement.connection not in self.script.peers:
                return True
            if any(event.channel == key[1] and event.connection == key[0] and event.name == "channel.close" for event in seen):
                return True
            if self.confirming.get(key) or self.marked == key:
                return False
            return not wanted or any(event.name in wanted and (event.connection, event.channel) == key for event in seen)

        return question

    # Listening

    def collect(self, is_answered, goal, short=False):
        """Listens until the step is answered and it has been quiet since, or the wanted number of events is there."""
        events = []
        began = last = time.monotonic()
        quiet = self.quiet / 8 if short else self.quiet
        while True:
            now = time.monotonic()
            if is_answered(events) and not self.closing():
                enough = quiet if goal is None else quiet / 8 if len(events) >= goal else REPLY_LIMIT / 2
                if now - last >= enough:
                    return events
                left = enough - (now - last)
            elif now - began > REPLY_LIMIT:
                return events + [Event("", 0, "no reply")]
            else:
                left = REPLY_LIMIT - (now - began)
            peers = {peer.socket: name for name, peer in self.script.peers.items()}
            readable, _, _ = select.select(list(peers), [], [], max(min(left, 0.5), 0))
            for socket in readable:
                new = [event for event in self.hear(peers[socket]) if not self.is_mark(event)]
                events += new
                if new:
                    last = time.monotonic()

    def is_mark(self, event):
        if event.name != "channel.flow-ok" or self.marked != (event.connection, event.channel):
            return False
        self.marked = None
        return True

    def closing(self):
        return any(getattr(peer, "is_closing", False) for peer in self.script.peers.values())

    def hear(self, connection):
        peer = self.script.peers[connection]
        events = []
        try:
            peer.is_raw = False
            peer.receive(time.monotonic() + 1)
        except (Malformed, ValueError) as error:
            events.append(Event(connection, 0, "malformed", {"why": str(error)}))
            peer.eof = True
        for channel in sorted(peer.inbox):
            while peer.inbox[channel]:
                message = peer.inbox[channel].popleft()
                events.append(Event(connection, *message))
                self.react(peer, connection, message)
        if peer.eof:
            if not getattr(peer, "is_closing", False):
                events.append(Event(connection, 0, "eof"))
            peer.drop()
            del self.script.peers[connection]
            self.forget(connection)
        return events

    def react(self, peer, connection, message):
        key = connection, message.channel
        if message.name == "connection.close":
            peer.is_closing = True
            peer.send_method(0, "connection.close-ok", {})
        elif message.name == "connection.close-ok":
            peer.is_closing = True
        elif message.name in ("channel.close", "channel.close-ok"):
            if message.name == "channel.close":
                peer.send_method(message.channel, "channel.close-ok", {})
            self.channels[connection].discard(message.channel)
            self.forget_channel(key)
        elif message.name == "channel.open-ok":
            self.channels[connection].add(message.channel)
        elif message.name == "confirm.select-ok":
            self.confirming.setdefault(key, set())
        elif message.name in ("basic.ack", "basic.nack") and key in self.confirming:
            last = message.fields["delivery_tag"]
            self.confirming[key] -= set(range(1, last + 1)) if message.fields["multiple"] else {last}

    def forget(self, connection):
        self.channels.pop(connection, None)
        for book in (self.deliveries, self.confirming):
            for key in [key for key in book if key[0] == connection]:
                self.forget_channel(key)

    def forget_channel(self, key):
        self.deliveries.pop(key, None)
        self.confirming.pop(key, None)
        self.published.pop(key, None)

    def take_tags(self, events):
        """Messages of one step may come in any order between consumers; their tags are kept in an order that is the same
        with every broker."""
        new = collections.defaultdict(list)
        for event in events:
            if event.name in ("basic.deliver", "basic.get-ok"):
                tag = event.fields["delivery_tag"]
                new[event.connection, event.channel].append((event.fields.get("consumer_tag", ""), tag))
        for key, found in new.items():
            if key[1] in self.channels.get(key[0], ()):
                self.deliveries[key].append([tag for _, tag in sorted(found)])


class Broken(Exception):
    """A connection could not be opened; holds the events that say so."""

    def __init__(self, events):
        super().__init__(str(events))
        self.events = events
