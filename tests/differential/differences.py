"""The intended differences, as rules. differences.md tells each with its reason, for people; the names are the same there.

A rule gets the two outcomes of a step, stream by stream, and gives them back with what is meant to differ made equal. `once_seen`
rules end the comparison of a conversation: what comes after such a step has another past.
"""

RULES = []


def rule(function):
    RULES.append(function)
    return function


def every_message(streams):
    for found in streams.values():
        for item in found if isinstance(found, list) else ():
            for part in item if isinstance(item, list) else (item,):
                if isinstance(part, dict) and "properties" in part:
                    yield part


@rule
def delivery_count_on_every_queue(step, rabbit, warren):
    """Warren counts deliveries on every queue; RabbitMQ's classic queues do not."""
    for message in every_message(warren):
        headers = message["properties"].get("headers")
        if headers and headers.pop("x-delivery-count", None) is not None and not headers:
            del message["properties"]["headers"]


def equalised(step, rabbit, warren):
    """The names of the rules that have changed something."""
    used = []
    for apply in RULES:
        before = repr((rabbit, warren))
        apply(step, rabbit, warren)
        if repr((rabbit, warren)) != before:
            used.append(apply.__name__)
    return used


# After these the two brokers hold different things: the rest of such a conversation is not compared.
ENDING = set()
