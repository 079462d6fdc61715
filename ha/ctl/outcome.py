"""How a command may end: the exit codes of RabbitMQ's tools (BSD's sysexits), and the exceptions that carry them."""

OK = 0
USAGE = 64          # the command line is wrong
DATA = 65           # what it was given is wrong: a file, a name that is not there
NO_USER = 67
UNAVAILABLE = 69    # the node cannot be reached, or refuses
SOFTWARE = 70
TEMPORARY = 75      # not within the time limit; it may work later
CONFIGURATION = 78


class Failure(Exception):
    """The command cannot do what it was asked; `text` goes to standard error below the line "Error:"."""

    def __init__(self, text, code=UNAVAILABLE, bare=False, data=None):
        super().__init__(text)
        self.text, self.code = text, code
        self.bare = bare    # the text is printed as it is, without that line
        self.data = data    # what a machine reads instead, when it asked for JSON


class BadUsage(Failure):
    """The command line is wrong; the usage is printed after the text."""

    def __init__(self, text, code=USAGE):
        super().__init__(text, code)


class Unreachable(Failure):
    """Nobody answers at the node's address."""

    def __init__(self, url, why):
        super().__init__(f"{url}: {why}")
        self.url, self.why = url, why


class TimedOut(Failure):
    """The node has not answered within the time limit."""

    def __init__(self):
        super().__init__("timed out", TEMPORARY)


class Refused(Failure):
    """The node answered with an HTTP status that is not a success."""

    def __init__(self, status, reason, method, path):
        super().__init__(reason)
        self.status, self.method, self.path = status, method, path
