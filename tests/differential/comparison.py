"""One conversation, played to RabbitMQ and then to Warren; the first step whose outcomes differ is the difference."""

import collections
import itertools
import re
import threading

import differences
from amqp import ChannelClosed, Closed, Connection, TimedOut
from coverage import Coverage
from menu import EXCHANGES, HASH, HISTORY, QUEUES
from player import Broken, Player
from transcript import Names, outcome, streams_that_differ

QUICK, SLOW = 0.03, 0.25     # seconds of silence that end a step: at first, and before a difference is believed
SHRINK_TRIES = 60

Broker = collections.namedtuple("Broker", "name amqp http")     # addresses: (host, port)


class Comparison:
    def __init__(self, rabbitmq, warren):
        self.rabbitmq, self.warren = rabbitmq, warren
        self.numbers = itertools.count(1)
        self.local = threading.local()
        self.coverage, self.lock = Coverage(), threading.Lock()

    def try_twice(self, steps):
        """A Difference that is there also when everything has time, or None."""
        if self.play(steps, QUICK):
            return self.play(steps, SLOW)
        return None

    def take_used(self):
        used, self.local.used = getattr(self.local, "used", {}), {}
        return used

    def play(self, steps, quiet):
        namespace = f"diff{next(self.numbers)}."
        one = Player(self.rabbitmq, namespace, quiet)
        other = Player(self.warren, namespace, quiet)
        names = Names(namespace), Names(namespace)
        used = collections.Counter()
        try:
            for at, step in enumerate(steps):
                said = play_step(one, step, None)
                heard = play_step(other, step, len(said))
                rabbit, warren = outcome(said, names[0]), outcome(heard, names[1])
                with self.lock:
                    self.coverage.add_outcome(step, rabbit)
                if streams_that_differ(rabbit, warren):
                    used.update(differences.equalised(step, rabbit, warren))
                    if any(name in differences.ENDING for name in used):
                        break
                different = streams_that_differ(rabbit, warren)
                if different:
                    return Difference(steps[:at + 1], step, different, rabbit, warren, list(one.lines))
            self.local.used = used
            return None
        finally:
            one.close()
            other.close()
            for broker in (self.rabbitmq, self.warren):
                remove(broker.amqp, namespace)


def play_step(player, step, goal):
    try:
        return player.play(step, goal)
    except Broken as broken:
        return broken.events


def remove(address, namespace):
    """Deletes what a conversation may have left."""
    try:
        connection = Connection(*address, name="differential clean-up")
        try:
            names = [("queue", name) for name in QUEUES] + [("exchange", name) for name in [*EXCHANGES, HASH, HISTORY]]
            for channel, (kind, name) in enumerate(names, 1):
                try:
                    connection.open_channel(channel)
                    connection.call(channel, f"{kind}.delete", **{kind: name.replace("~", namespace)})
                except ChannelClosed:
                    pass  # another connection's exclusive queue: it goes with that connection
        finally:
            connection.close()
    except (OSError, Closed, TimedOut):
        pass  # the next conversation will say what is wrong


class Difference:
    def __init__(self, steps, step, streams, rabbit, warren, lines):
        self.steps, self.step, self.streams = steps, step, streams
        self.rabbit, self.warren, self.lines = rabbit, warren, lines
        words = step.split()
        what = words[3] if len(words) > 3 and words[1] == "send" else words[1] if len(words) > 1 else step
        self.kind = f"{what}: " + ", ".join(self.word(stream) for stream in streams)

    def word(self, stream):
        kind = stream.partition(" ")[2].split(" ")[0]
        sides = []
        for side in (self.rabbit, self.warren):
            found = side.get(stream)
            if kind == "replies" and found:
                codes = [f"{name} {fields.get('reply_code', '')} {short(fields.get('reply_text', ''))}".strip() for name, fields in found]
                sides.append("+".join(codes))
            else:
                sides.append("-" if not found else str(len(found)) if isinstance(found, list) else str(found))
        return f"{kind} {' / '.join(sides)}"

    def text(self):
        text = ["  # the smallest conversation that was found, as a wire script"] + [f"  {line}" for line in self.lines]
        for stream in self.streams:
            text += [f"  # {stream}", f"  #   RabbitMQ: {self.rabbit.get(stream)}", f"  #   Warren:   {self.warren.get(stream)}"]
        return "\n".join(text)


def short(text):
    """A reply text without what is quoted in it."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|[-\d.]+", "", text.partition(" - ")[2])


def shrink(comparison, steps, difference):
    """Leaves out steps, halves first, as long as a difference of the same kind stays."""
    best, tries, size = difference, 0, max(len(difference.steps) // 2, 1)
    while size >= 1 and tries < SHRINK_TRIES:
        at, smaller = 0, False
        while at < len(best.steps) - 1 and tries < SHRINK_TRIES:
            candidate = best.steps[:at] + best.steps[min(at + size, len(best.steps) - 1):]
            tries += 1
            found = comparison.play(candidate, SLOW / 2)
            if found and found.kind == difference.kind:
                best, smaller = found, True
            else:
                at += size
        if not smaller or size > 1:
            size //= 2
    return best
