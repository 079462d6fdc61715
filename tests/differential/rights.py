"""Conversations of users who may not do everything, and of vhosts and users with quotas.

Rights change only when no channel is open: RabbitMQ's channels remember what they were allowed, Warren's do not.
"""

from menu import BAD_RIGHT, EXCHANGES, QUEUES, RIGHTS, TAGS, TOPIC_RIGHTS, TYPES

RIGHTS_AND_VERBS = {"exchange": 5, "queue": 6, "bind": 6, "unbind": 2, "delete": 4, "publish": 9, "get": 4, "purge": 2, "consume": 4,
                    "cancel": 1, "settle": 2, "grant": 2, "tx": 1, "newcomer": 1}
QUOTAS = {"queue": 10, "delete": 5, "quota": 3, "enter": 3, "publish": 2, "second_channel": 2}
PASSWORD = "p"
USERS = {"A": "~ann", "B": "~bob"}
SETTLED = 0.3       # seconds after which RabbitMQ has counted who came and who went


class Rights:
    """The part of the Writer that knows users."""

    def http(self, words):
        self.steps.append(f"http {words}")

    def open_as(self, connection, vhost=""):
        self.steps.append(f'{connection}: open user="{USERS[connection]}" password={PASSWORD}' + (f' vhost="{vhost}"' if vhost else ""))

    def right(self):
        return BAD_RIGHT if self.chance(1) else self.pick(RIGHTS)

    def grant(self, user):
        if self.chance(5):
            self.http(f'delete "/permissions/%2F/{user}"')
        else:
            self.http(f'put "/permissions/%2F/{user}" {{configure="{self.right()}" write="{self.right()}" read="{self.right()}"}}')
        if self.chance(40):
            for exchange in self.random.sample(EXCHANGES + ["amq.topic"], 2):
                self.http(f'put "/topic-permissions/%2F/{user}" {{exchange="{exchange}" write="{self.pick(TOPIC_RIGHTS)}" '
                          f'read="{self.pick(TOPIC_RIGHTS)}"}}')

    def prologue_of_rights(self):
        for user in USERS.values():
            self.http(f'put "/users/{user}" {{password="{PASSWORD}" tags="{self.pick(TAGS)}"}}')
            self.grant(user)
        for name in QUEUES[:2]:
            self.steps.append(f'Z: send 1 queue.declare queue="{name}"')
        for name in EXCHANGES[:2]:
            self.steps.append(f'Z: send 1 exchange.declare exchange="{name}" type="{self.pick(TYPES + ["topic", "topic"])}"')
        for connection in USERS:
            self.open_as(connection)

    def do_grant(self):
        self.steps += ["A: close", "B: close"]
        self.grant(self.pick(list(USERS.values())))

    def do_newcomer(self):
        """Somebody without rights, with a wrong password, or into a vhost that is not there."""
        self.steps += [self.pick(['C: open user="~ann" password=wrong', 'C: open user="~carl" password=p', 'C: open vhost="~none"',
                                  'C: open user="~ann" password=p vhost="~none"', 'C: open user="~bob" password=p']), "C: drop"]

    # Quotas

    def prologue_of_quotas(self):
        self.http('put "/vhosts/~v"')
        for user in USERS.values():
            self.http(f'put "/users/{user}" {{password="{PASSWORD}" tags=""}}')
            self.http(f'put "/permissions/~v/{user}" {{configure=".*" write=".*" read=".*"}}')
        self.http(f'put "/vhost-limits/~v/max-queues" {{value={self.pick([0, 1, 1, 2, -1])}}}')
        for connection in USERS:
            self.open_as(connection, "~v")

    def do_quota(self):
        limit, value = self.pick(["max-queues", "max-queues", "max-queues", "max-channels", "no-such"]), self.pick([0, 1, 1, 2, 3, -1, '"x"', -2])
        if self.chance(25):
            value = None
        where = f"/vhost-limits/~v/{limit}" if limit != "max-channels" else f"/user-limits/{self.pick(list(USERS.values()))}/{limit}"
        if limit == "max-channels":
            self.steps += ["A: close", "B: close", f"wait {SETTLED}"]
        self.http(f'delete "{where}"' if value is None else f'put "{where}" {{value={value}}}')

    def do_enter(self):
        """A full vhost, a user who is in too often: C comes, is let in or not, and goes."""
        where = self.pick(["/vhost-limits/~v/max-connections", "/user-limits/~ann/max-connections"])
        self.steps += ["A: close", "B: close", f"wait {SETTLED}"]
        self.open_as("B", "~v")
        self.steps.append(f"wait {SETTLED}")
        self.http(f'put "{where}" {{value={self.pick([0, 1, 2, -1])}}}')
        self.steps.append(f'C: open user="~ann" password={PASSWORD} vhost="~v"')
        self.http(f'delete "{where}"')
        self.steps += ["C: drop", f"wait {SETTLED}"]

    def do_second_channel(self):
        self.steps.append(f"{self.pick(list(USERS))}: send {self.pick([1, 2, 3])} channel.open")
