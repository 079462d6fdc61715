"""rabbitmq-streams: Warren has no streams yet; its commands say so, as RabbitMQ does of a queue that is no stream."""

from .commands import DIAGNOSTICS, QUEUES, STREAMS, command
from .outcome import Failure
from .queues import queue_of

SECTION = "Streams"
WITH_QUEUE = ("add_replica", "delete_replica", "restart_stream", "stream_status", "reset_offset",
              "set_stream_retention_policy")
WITHOUT = ("coordinator_status", "add_super_stream", "delete_super_stream", "list_stream_connections",
           "list_stream_consumers",
           "list_stream_publishers", "list_stream_consumer_groups", "list_stream_group_consumers",
           "list_stream_tracking",
           "activate_stream_consumer")
NONE = "streams are not there in this version of Warren"


def of_queue(name):
    @command(name, "[--vhost <vhost>] <stream> [...]", f"{name.replace('_', ' ').capitalize()}: of a stream", SECTION,
             (STREAMS, QUEUES, DIAGNOSTICS) if name == "stream_status" else (STREAMS,), words=(1, None),
             switches={"tracking": bool, "preferred-leader-node": str, "stream": str, "all": bool})
    def run(call):
        kind = queue_of(call, call.words[0]).get("type", "classic")
        raise Failure(f"Cannot do this with a {kind} queue: {NONE}")
    return run


def of_cluster(name):
    @command(name, "", f"{name.replace('_', ' ').capitalize()}: of streams", SECTION, (STREAMS,), words=(0, None),
             switches={"partitions": int, "binding-keys": str})
    def run(call):
        raise Failure(NONE)
    return run


for _name in WITH_QUEUE:
    of_queue(_name)
for _name in WITHOUT:
    of_cluster(_name)
