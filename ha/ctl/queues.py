"""Single queues: empty them, delete them."""

from .api import path_of
from .commands import command
from .formatters import Message
from .outcome import USAGE, Failure, Refused

SECTION = "Queues"


def queue_of(call, name, code=None, text="not_found"):
    found = call.api.find(path_of("queues", call.vhost, name))
    if found is None:
        raise Failure(text, *([code] if code else []))
    return found


@command("purge_queue", "[--vhost <vhost>] <queue>", "Purges a queue (removes all messages in it)", SECTION,
         words=(1, 1),
         banner=lambda call: f"Purging queue '{call.words[0]}' in vhost '{call.vhost}' ...",
         examples=[("purge_queue -p shop orders", "what waits is gone; what is delivered and not acked stays")])
def purge_queue(call):
    queue_of(call, call.words[0])
    call.api.delete(path_of("queues", call.vhost, call.words[0], "contents"))


def delete_banner(call):
    conditions = [words for switch, words in (("if-empty", "queue is empty"), ("if-unused", "queue is unused"))
                  if call.option(switch)]
    return (f"Deleting queue '{call.words[0]}' on vhost '{call.vhost}'"
            + (f" if {' and if '.join(conditions)}" if conditions else "") + " ...")


@command("delete_queue", "[--vhost <vhost>] <queue> [--if-empty|-e] [--if-unused|-u]", "Deletes a queue", SECTION,
         words=(1, 1),
         switches={"if-empty": bool, "if-unused": bool, "force": bool}, letters={"e": "if-empty", "u": "if-unused"},
         banner=delete_banner,
         details=[("--if-empty", "delete the queue if it is empty (has no messages ready for delivery)"),
                  ("--if-unused", "delete the queue only if it has no consumers")])
def delete_queue(call):
    queue = queue_of(call, call.words[0], USAGE, "Queue not found")
    conditions = [f"{switch}=true" for switch in ("if-empty", "if-unused") if call.option(switch)]
    path = path_of("queues", call.vhost, call.words[0]) + ("?" + "&".join(conditions) if conditions else "")
    try:
        call.api.delete(path)
    except Refused as refused:
        if refused.status == 400 and conditions:
            raise Failure(why_not(call, queue) or refused.text) from None
        raise
    return Message(f"Queue was successfully deleted with {queue.get('messages_ready', 0)} ready messages", "message")


def why_not(call, queue):
    if call.option("if-unused") and queue.get("consumers"):
        return "Queue is in use"
    return "Queue is not empty" if call.option("if-empty") and queue.get("messages") else None


def mirrors(name, about, banner, text):
    @command(name, "[--vhost <vhost>] <queue>", about, "Replication", words=(1, 1), banner=banner)
    def run(call):
        """Replicas catch up by themselves here, and always: there is nothing to start or stop."""
        queue_of(call, call.words[0])
        return Message(text, "message")
    return run


mirrors("sync_queue", "Instructs a mirrored queue with unsynchronised mirrors (follower replicas) to synchronise them",
        lambda call: f"Synchronising queue '{call.words[0]}' in vhost '{call.vhost}' ...",
        "Replicas catch up by themselves; nothing has to be done")
mirrors("cancel_sync_queue", "Instructs a synchronising mirrored queue to stop synchronising itself",
        lambda call: f"Stopping synchronising queue '{call.words[0]}' in vhost '{call.vhost}' ...",
        "Replicas catch up by themselves and in the background; nothing had to be stopped")
