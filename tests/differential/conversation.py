"""Seeded random conversations: conversation(seed) gives the same steps for ever. Steps are described in player.py.

Each has a theme, which weighs what it does, so that every corner is deep in some conversations and none is missing in the rest.
"""

import random

from menu import (CONSUMER_ARGUMENTS, COPIES, EXCHANGE_ARGUMENTS, EXCHANGES, EXPIRATIONS, FURTHER, GOOD_ARGUMENTS, HASH, HASH_ARGUMENTS,
                  HASH_TYPES, HEADERS, HISTORY, HISTORY_ARGUMENTS, KEYS, KINDS_OF_POLICIES, MATCHES, NO_TYPES, ODD_NAMES, OPERATOR_POLICIES, PATTERNS,
                  PATTERNS_OF_POLICIES, POLICIES, QUEUE_ARGUMENTS, QUEUES, SYSTEM_EXCHANGES, TYPES, WEIGHTS, WRONG)
from rights import QUOTAS, RIGHTS_AND_VERBS, SETTLED, Rights

THEMES = {
    "topology": {"exchange": 8, "queue": 8, "bind": 6, "unbind": 3, "delete": 5, "publish": 2, "get": 1, "purge": 1},
    "routing": {"exchange": 4, "queue": 2, "bind": 9, "unbind": 2, "publish": 12, "get": 3, "delete": 1},
    "limits": {"expire": 2, "queue": 4, "publish": 14, "get": 4, "consume": 2, "settle": 5, "purge": 1, "recover": 1},
    "consumers": {"queue": 2, "publish": 10, "consume": 6, "cancel": 3, "settle": 10, "qos": 4, "recover": 2, "get": 2,
                  "channel": 1, "drop": 1, "delete": 1},
    "confirms": {"queue": 3, "publish": 12, "bind": 2, "confirm": 3, "consume": 2, "settle": 4, "get": 2, "delete": 1},
    "transactions": {"tx": 10, "publish": 9, "get": 4, "consume": 2, "settle": 6, "queue": 2, "channel": 1, "bind": 1},
    "errors": {"error": 8, "publish": 4, "queue": 2, "exchange": 1, "consume": 2, "get": 1, "settle": 2, "frames": 3, "name": 3},
    "copies": {"publish": 12, "get": 5, "settle": 7, "bind": 2, "unbind": 1, "consume": 1, "exchange": 1, "tx": 1},
    "policies": {"policy": 5, "publish": 12, "get": 3, "settle": 3, "queue": 2, "exchange": 2, "bind": 3, "delete": 1, "consume": 1},
    "arguments": {"exchange": 8, "queue": 10, "bind": 6, "consume": 5, "publish": 6, "delete": 4, "get": 1, "cancel": 1},
    "types": {"exchange": 8, "bind": 6, "unbind": 2, "publish": 12, "get": 3, "delete": 2, "queue": 1},
    "rights": RIGHTS_AND_VERBS, "quotas": QUOTAS,
}
STEPS = range(12, 31)
REPLY_TO = "amq.rabbitmq.reply-to"


class Writer(Rights):
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.theme = self.random.choice(sorted(THEMES))
        self.bodies = 0
        self.steps = []

    def pick(self, values):
        return self.random.choice(values)

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def bits(self, **chances):
        return "".join(f" {name.replace('_', '-')}" for name, percent in chances.items() if self.chance(percent))

    def place(self):
        """A connection and a channel."""
        return "B" if self.chance(15) else "A", self.pick([1, 1, 1, 2])

    def send(self, words, place=None):
        connection, channel = place or self.place()
        self.steps.append(f"{connection}: send {channel} {words}")

    # Names

    def queue(self):
        return "" if self.chance(4) else "~none" if self.chance(4) else self.pick(QUEUES)

    def exchange(self):
        """Of its own. Conversations run side by side: what came to a predeclared exchange would reach the queues of others."""
        if self.theme == "types" and self.chance(60):
            return self.pick([HISTORY, HASH])
        return "" if self.chance(4) else "~none" if self.chance(4) else self.pick(EXCHANGES)

    def source(self):
        """To bind to, where nobody publishes."""
        return self.pick(SYSTEM_EXCHANGES) if self.chance(25) else self.exchange()

    def key(self):
        return self.pick(QUEUES) if self.chance(30) else self.pick(KEYS)

    # What a conversation is made of

    def write(self):
        self.prologue()
        verbs = THEMES[self.theme]
        for _ in range(self.pick(STEPS)):
            verb = self.random.choices(list(verbs), verbs.values())[0]
            getattr(self, "do_" + verb)()
        return self.steps

    def prologue(self):
        if self.theme in ("topology",):
            return
        if self.theme in ("rights", "quotas"):
            getattr(self, "prologue_of_" + self.theme)()
            return
        for name in QUEUES if self.theme != "errors" else QUEUES[:2]:
            arguments = self.pick(GOOD_ARGUMENTS)
            self.send(f'queue.declare queue="{name}" arguments={{{arguments}}}' + self.bits(durable=50), ("A", 1))
        if self.theme == "types":
            self.send(f'exchange.declare exchange="{HISTORY}" type="x-recent-history"{self.arguments(HISTORY_ARGUMENTS, 70)}', ("A", 1))
            self.send(f'exchange.declare exchange="{HASH}" type="{self.pick(HASH_TYPES)}"{self.arguments(HASH_ARGUMENTS, 50)}', ("A", 1))
        if self.theme in ("routing", "limits", "types", "policies"):
            for name in EXCHANGES:
                kind = self.pick(TYPES)
                alternate = f' arguments={{alternate-exchange="{self.pick(EXCHANGES)}"}}' if self.chance(20) else ""
                self.send(f'exchange.declare exchange="{name}" type="{kind}"{alternate}', ("A", 1))
        if self.theme == "confirms":
            self.send("confirm.select", ("A", 1))
        if self.theme == "transactions":
            self.send("tx.select", ("A", 1))
        if self.theme == "copies":
            self.prologue_of_copies()

    def prologue_of_copies(self):
        """Keys that lead somewhere from one exchange and nowhere from another; dead letters that keep theirs."""
        self.send('queue.declare queue="~q4" arguments={x-dead-letter-exchange="~x1"}', ("A", 1))
        self.send('exchange.declare exchange="~x1" type="direct" arguments={alternate-exchange="~x2"}', ("A", 1))
        self.send(f'exchange.declare exchange="~x2" type="{self.pick(TYPES)}"', ("A", 1))
        self.send('exchange.declare exchange="~x3" type="topic" arguments={alternate-exchange="~x1"}', ("A", 1))
        for source, queue in (("~x1", "~q1"), ("~x2", "~q2"), ("~x3", "~q3"), ("~x3", "~q4")):
            self.send(f'queue.bind queue="{queue}" exchange="{source}" routing-key="{self.pick(KEYS[:3])}"', ("A", 1))
        if self.chance(50):
            self.send(f'exchange.bind destination="~x1" source="~x3" routing-key="{self.pick(PATTERNS)}"', ("A", 1))

    def arguments(self, menu, percent):
        """Some of the menu's, now and then with a value of a wrong type."""
        chosen = self.random.sample(sorted(menu), self.pick([1, 1, min(2, len(menu))])) if self.chance(percent) else []
        wrong = 40 if self.theme == "arguments" else 5
        if "hash-header" in menu:  # RabbitMQ's plugin falls over, and does not get up
            wrong, chosen = 0, chosen[:1]
        return " arguments={" + " ".join(f"{name}={self.pick(WRONG if self.chance(wrong) else menu[name])}" for name in chosen) + "}"

    def do_exchange(self):
        name, kind, menu = self.pick(EXCHANGES), self.pick(TYPES), EXCHANGE_ARGUMENTS
        if self.chance(10):
            name = self.pick(["amq.direct", "amq.mine", "", "amq.topic"])
        elif self.theme in ("types", "arguments") and self.chance(50):
            name, kind, menu = self.pick([(HISTORY, "x-recent-history", HISTORY_ARGUMENTS), (HASH, self.pick(HASH_TYPES), HASH_ARGUMENTS)])
        if self.chance(7):
            kind = self.pick(NO_TYPES + TYPES)
        self.send(f'exchange.declare exchange="{name}" type="{kind}"{self.arguments(menu, 80 if self.theme == "arguments" else 25)}'
                  + self.bits(passive=12, durable=35, auto_delete=20, internal=12, nowait=6))

    def do_queue(self):
        arguments = ""
        if self.theme in ("topology", "arguments") or self.chance(15):
            chosen = self.random.sample(sorted(QUEUE_ARGUMENTS), self.pick([0, 0, 1, 1, 2, 3]))
            wrong = 35 if self.theme == "arguments" else 5
            arguments = " ".join(f"{name}={self.pick(WRONG if self.chance(wrong) else QUEUE_ARGUMENTS[name])}" for name in chosen)
        elif self.chance(70):
            arguments = self.pick(GOOD_ARGUMENTS)
        name = "amq.mine" if self.chance(2) else "" if self.chance(5) else self.pick(QUEUES)
        self.send(f'queue.declare queue="{name}" arguments={{{arguments}}}'
                  + self.bits(passive=15, durable=40, exclusive=10, auto_delete=15, nowait=5))

    def do_bind(self):
        arguments = ""
        if self.chance(35):
            arguments = f" arguments={{{self.pick(MATCHES)}{self.pick(HEADERS)}}}"
        key, source = self.pick(PATTERNS + KEYS), self.source()
        if source == HASH:  # which of several queues a message goes to is each broker's own secret
            self.send(f'queue.bind queue="~q1" exchange="{source}" routing-key="{self.pick(WEIGHTS)}"{arguments}')
        elif self.chance(20) and source != HISTORY:
            self.send(f'exchange.bind destination="{self.exchange()}" source="{source}" routing-key="{key}"{arguments}'
                      + self.bits(nowait=5))
        else:
            self.send(f'queue.bind queue="{self.queue()}" exchange="{source}" routing-key="{key}"{arguments}'
                      + self.bits(nowait=5))

    def do_unbind(self):
        key = self.pick(PATTERNS + KEYS + WEIGHTS)
        if self.chance(25):
            self.send(f'exchange.unbind destination="{self.exchange()}" source="{self.source()}" routing-key="{key}"')
        else:
            self.send(f'queue.unbind queue="{self.queue()}" exchange="{self.source()}" routing-key="{key}"')

    def do_delete(self):
        if self.chance(40):
            self.send(f'exchange.delete exchange="{self.source()}"' + self.bits(if_unused=50, nowait=8))
        else:
            self.send(f'queue.delete queue="{self.queue()}"' + self.bits(if_unused=40, if_empty=40, nowait=8))

    def do_publish(self):
        connection, channel = self.place()
        if self.theme in ("limits", "consumers", "transactions", "confirms") and self.chance(75):
            exchange, key = "", self.pick(QUEUES)
        else:
            exchange, key = self.exchange(), self.key()
        self.bodies += 1
        properties = ""
        if self.chance(40):
            properties += f" .delivery-mode={self.pick([1, 2])}"
        if self.theme == "copies":
            properties += f" .headers={{{self.pick(FURTHER)}}}"
        elif self.chance(25 if self.theme != "routing" else 50):
            properties += f" .headers={{{self.pick(HEADERS + COPIES)}}}"
        if self.chance(25):
            properties += f" .priority={self.pick([0, 1, 2, 3, 4, 9, 255])}"
        if self.chance(12):
            properties += f' .expiration="{self.pick(EXPIRATIONS)}"'
        if self.theme in ("rights", "types") and self.chance(10):
            properties += self.pick([' .user-id="~ann"', ' .user-id="~bob"', ' .message-id="k"'])
        elif self.chance(10):
            properties += self.pick([' .user-id="guest"', ' .user-id="mallory"', ' .content-type="text/plain"', ' .message-id="m"',
                                     ' .reply-to="~q1"', ' .timestamp=1700000000', ' .correlation-id="c" .type="t" .app-id="a"'])
        body = f"m{self.bodies}" if self.chance(90) else "" if self.chance(30) else f"m{self.bodies}" + "x" * self.pick([3, 10, 300])
        self.steps.append(f'{connection}: publish {channel} exchange="{exchange}" routing-key="{key}"{properties} body="{body}"'
                          + self.bits(mandatory=35, immediate=1))

    def do_expire(self):
        """A message that is dead when it arrives, in a queue of its own: behind a head that lives on, RabbitMQ would keep it."""
        place, arguments = self.place(), self.pick(["", 'x-dead-letter-exchange="" x-dead-letter-routing-key="~q3"'])
        self.bodies += 1
        self.send(f'queue.declare queue="~q4" arguments={{{arguments}}}', place)
        self.steps.append(f'{place[0]}: publish {place[1]} exchange="" routing-key="~q4" .expiration="0" body="m{self.bodies}"')
        self.send('basic.get queue="~q4" no-ack', place)
        self.send('queue.delete queue="~q4"', place)

    def do_get(self):
        self.send(f'basic.get queue="{self.queue()}"' + self.bits(no_ack=40))

    def do_purge(self):
        self.send(f'queue.purge queue="{self.queue()}"' + self.bits(nowait=10))

    def do_consume(self):
        tag = self.pick(["c1", "c2", "c3"]) if self.chance(90) else ""
        arguments = self.arguments(CONSUMER_ARGUMENTS, 70 if self.theme == "arguments" else 15)
        self.send(f'basic.consume queue="{self.queue()}" consumer-tag="{tag}"{arguments}'
                  + self.bits(no_ack=25, exclusive=8, nowait=4, no_local=5))

    def do_cancel(self):
        self.send(f'basic.cancel consumer-tag="{self.pick(["c1", "c2", "c3", "nobody"])}"' + self.bits(nowait=10))

    def do_qos(self):
        size = " prefetch-size=10" if self.chance(3) else ""
        self.send(f"basic.qos prefetch-count={self.pick([0, 1, 1, 2, 3])}{size}" + self.bits(**{"global": 25}))

    def do_settle(self):
        kind, place = self.pick(["ack", "ack", "nack", "reject"]), self.pick([1, 1, 1, 2, 3])
        if self.chance(3):
            tag, multiple = self.pick(["0", "99"]), kind != "reject" and self.chance(50)
        else:
            multiple = kind != "reject" and self.chance(30)
            tag = f"$$-{place}" if multiple else f"$-{place}"
        requeue = " requeue" if kind != "ack" and self.chance(55) else ""
        self.send(f"basic.{kind} delivery-tag={tag}{' multiple' if multiple else ''}{requeue}")

    def do_recover(self):
        self.send(self.pick(["basic.recover requeue", "basic.recover requeue", "basic.recover-async requeue", "basic.recover"]
                            if self.chance(20) else ["basic.recover requeue"]))

    def do_confirm(self):
        self.send("confirm.select" + self.bits(nowait=5) if self.chance(95) else "tx.select")

    def do_tx(self):
        self.send(self.pick(["tx.commit", "tx.commit", "tx.commit", "tx.rollback", "tx.select"]) if self.chance(97)
                  else "confirm.select", ("A", 1) if self.chance(85) else None)

    def do_channel(self):
        connection, channel = self.place()
        self.steps.append(f"{connection}: send {channel} channel.close reply-code=200" if self.chance(70) else
                          f"{connection}: send {channel} channel.flow active")

    def do_drop(self):
        self.steps.append(f"{self.pick(['A', 'B'])}: {self.pick(['drop', 'close'])}")

    def do_name(self):
        name, (connection, channel) = self.pick(ODD_NAMES), self.place()
        self.steps.append(f"{connection}: " + self.pick([
            f"send {channel} queue.declare queue={name} passive", f"send {channel} exchange.declare exchange={name} type=direct passive",
            f"send {channel} queue.bind queue={name} exchange=amq.direct", f'send {channel} queue.bind queue="~q1" exchange={name}',
            f'send {channel} queue.bind queue="~q1" exchange="~none" routing-key={name}', f"send {channel} basic.get queue={name}",
            f"send {channel} basic.consume queue={name} consumer-tag={name}", f"send {channel} basic.cancel consumer-tag={name}",
            f"send {channel} queue.purge queue={name}", f"send {channel} queue.delete queue={name} if-empty", f"send {channel} exchange.delete exchange={name}",
            f'send {channel} basic.consume queue="~q1" consumer-tag={name}', f"send {channel} exchange.unbind destination={name} source={name}",
            f'publish {channel} exchange="" routing-key={name} mandatory body="x"', f'publish {channel} exchange={name} routing-key="" body="x"',
            f'publish {channel} exchange="" routing-key="~q1" .user-id={name} body="x"', f'publish {channel} exchange="" routing-key="~q1" .type={name} body="x"',
            f'publish {channel} exchange="" routing-key="~q1" .expiration={name} body="x"', f"send 0 connection.update-secret new-secret=guest reason={name}",
        ]))

    def do_policy(self):
        """Sets or removes one, and gives queues and exchanges the time to hear of it."""
        kind, name = self.pick(["policies", "policies", "policies", "operator-policies"]), self.pick(["~p", "~o"])
        if self.chance(25):
            self.http(f'delete "/{kind}/%2F/{name}"')
        else:
            priority = f" priority={self.pick([0, 1, 5, '-1'])}" if self.chance(60) else ""
            definition = self.pick(POLICIES if kind == "policies" else OPERATOR_POLICIES)
            self.http(f'put "/{kind}/%2F/{name}" {{pattern="{self.pick(PATTERNS_OF_POLICIES)}" definition={{{definition}}}'
                      f"{priority}{self.pick(KINDS_OF_POLICIES)}}}")
        self.steps.append(f"wait {SETTLED}")

    def do_error(self):
        connection, channel = self.place()
        if self.chance(25):
            self.do_reply_to()
            return
        words = self.pick([
            "channel.open", "tx.commit", "tx.rollback", "basic.ack delivery-tag=5", "basic.reject delivery-tag=1",
            'basic.consume queue="~none"', 'queue.declare queue="~none" passive', 'exchange.declare exchange="~none" passive',
            'queue.bind queue="~none" exchange="amq.direct"', 'queue.bind queue="~q1" exchange="~none"', 'queue.purge queue="~none"',
            'queue.bind queue="~q1" exchange=""', 'exchange.delete exchange="amq.direct"', 'exchange.delete exchange=""',
            'queue.declare queue="amq.none"', "basic.qos prefetch-size=1", "channel.flow", "basic.recover", "channel.open-ok",
            "queue.declare-ok queue=x", "connection.tune-ok", 'connection.open virtual-host="/"', "channel.close-ok", "basic.cancel-ok",
            "exchange.bind destination=amq.direct source=amq.direct", 'exchange.bind destination="" source=amq.direct',
            'basic.consume queue="~q1" consumer-tag="c1" arguments={x-priority="high"}', "basic.deliver", "confirm.select-ok",
            'exchange.unbind destination="~none" source="amq.direct"', 'basic.get queue=""', 'queue.unbind queue="~none" exchange="~none"',
        ])
        # RabbitMQ looks for the last declared queue before it looks whether the channel is open.
        self.send(words, (connection, 9 if self.chance(20) and not words.endswith('queue=""') else channel))

    def do_reply_to(self):
        """The pseudo queue of direct replies, in the ways that are refused and in those that are not."""
        connection, channel = self.place()
        name = self.pick([REPLY_TO, REPLY_TO, f"{REPLY_TO}.none", f"{REPLY_TO}.g2dkABByZXBseUAx.x"])
        self.steps.append(f"{connection}: " + self.pick([
            f'send {channel} basic.consume queue="{name}"' + self.bits(no_ack=60, exclusive=10),
            f'send {channel} basic.consume queue="{name}" consumer-tag="r1" no-ack', f'send {channel} basic.get queue="{name}"' + self.bits(no_ack=50),
            f'send {channel} queue.declare queue="{name}"' + self.bits(passive=60, durable=20), f'send {channel} queue.delete queue="{name}"',
            f'send {channel} queue.purge queue="{name}"', f'send {channel} queue.bind queue="{name}" exchange="amq.direct"',
            f'publish {channel} exchange="" routing-key="~q1" .reply-to="{REPLY_TO}" body="question"',
            f'publish {channel} exchange="" routing-key="{name}" body="answer" mandatory']))

    def do_frames(self):
        """Content out of order, frames that are none: each of these costs the connection, or nothing."""
        connection, channel = "B", self.pick([1, 2])
        self.steps += [f"{connection}: {line}" for line in self.pick([
            [f"body {channel} \"x\""], [f"header {channel} size=1"], [f"header {channel} size=0", f"send {channel} channel.close"],
            [f'send {channel} basic.publish routing-key="~q1"', f"body {channel} \"x\""],
            [f'send {channel} basic.publish routing-key="~q1"', f"send {channel} tx.select"],
            [f'send {channel} basic.publish routing-key="~q1"', f"header {channel} size=1 class=50"],
            [f'send {channel} basic.publish routing-key="~q1"', f"header {channel} size=2", f"body {channel} \"a\"",
             f"body {channel} \"b\""],
            [f'send {channel} basic.publish routing-key="~q1"', f"header {channel} size=2", f"send {channel} basic.qos"],
            [f'send {channel} basic.publish routing-key="~q1"', f"header {channel} size=2", f"header {channel} size=2"],
            ["frame 9 0 \"x\""], ["frame 1 1 hex:0032"], ["raw hex:010000000000040a000a00 7"], ["frame 8 1 \"\""],
            ["frame 1 1 hex:0032000a0000ff41"], ["frame 1 0 hex:00000000"], [f"frame 3 {channel} \"\""], ["body 0 \"x\""],
            ["send 0 channel.open"], ["send 0 basic.qos"], [f"send {channel} connection.close"],
        ])]


def epilogue():
    """What is left in every queue, seen by a new connection: counts, order, headers, the redelivered flag."""
    steps = ["A: close", "B: close", "wait 0.1"]
    for name in QUEUES:
        steps.append(f'Z: send 1 queue.declare queue="{name}" passive')
        steps.append(f'Z: send 2 basic.consume queue="{name}" consumer-tag="left" no-ack')
        steps.append("Z: send 2 basic.cancel consumer-tag=\"left\"")
    return steps


def conversation(seed):
    writer = Writer(seed)
    return writer.theme, writer.write() + epilogue()
