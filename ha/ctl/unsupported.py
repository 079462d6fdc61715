"""Commands that have no meaning here, and what to do instead."""

from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message
from .outcome import Failure


def instead(name, usage, about, text, tools=(CTL,), section="Operations"):
    @command(name, usage, about, section, tools, words=(0, None))
    def run(call):
        raise Failure(text)
    return run


CODE = "there is no Erlang here to evaluate code: read and change state with this tool's commands or over the HTTP API"
instead("eval_file", "<file path>", "Evaluates a file that contains a snippet of Erlang code on the target node", CODE)
instead("exec", "<expr>", "Evaluates a snippet of Elixir code on the CLI node", CODE)

for _verb in ("enable", "disable"):
    instead(f"{_verb}_auth_attempt_source_tracking", "",
            f"{_verb.capitalize()}s the tracking of peer IP address and username of "
            "authentication attempts", "it is tracked when management.track_auth_attempt_source says so",
            (DIAGNOSTICS,))

# What scripts evaluate most, answered without Erlang.
ANSWERS = {"node().": lambda call: call.node, "rabbit:is_running().": lambda call: str(call.is_ready()[0]).lower(),
           "rabbit_nodes:cluster_name().": lambda call: f"<<\"{call.api.get('/api/cluster-name')['name']}\">>"}


@command("eval", "<expression>", "Answers a few expressions of Erlang that scripts use: " + " ".join(ANSWERS),
         "Operations", words=(1, 1))
def evaluate(call):
    known = ANSWERS.get("".join(call.words[0].split()))
    if not known:
        raise Failure(CODE)
    return Message(known(call))


@command("hipe_compile", "<directory>", "DEPRECATED. This command is a no-op", "Deprecated", words=(0, 1), local=True)
def hipe_compile(call):
    return Message("This command is a no-op. HiPE is no longer supported by modern Erlang versions", "message")
