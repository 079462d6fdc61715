"""The intended differences, as rules. differences.md tells each with its reason, for people; the names are the same there.

A rule gets the two outcomes of a step, stream by stream, and gives them back with what is meant to differ made equal. `once_seen`
rules end the comparison of a conversation: what comes after such a step has another past.
"""

import re

RULES = []
RIGHT = re.compile(r"\b(configure|write|read) access to")
LABELS = ("x-queue-mode", "x-queue-type", "x-queue-version", "x-queue-master-locator")


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
    if any("x-delivery-count" in headers_of(message) for message in every_message(warren)):
        for message in [*every_message(warren), *every_message(rabbit)]:
            headers_of(message).pop("x-delivery-count", None)
            if not headers_of(message):
                message["properties"].pop("headers", None)


@rule
def last_death(step, rabbit, warren):
    """RabbitMQ 3.13 tells of the last death too; the one here is older."""
    for message in every_message(warren):
        for key in ("reason", "queue", "exchange"):
            headers_of(message).pop(f"x-last-death-{key}", None)


@rule
def words_instead_of_a_crash(step, rabbit, warren):
    """A method or a table that RabbitMQ's reader does not know makes it fall over: the client sees the end. Warren says why."""
    for stream, said in rabbit.items():
        heard = warren.get(stream)
        if said == [["http", {"status": 500}]] and heard and 400 <= heard[0][1]["status"] < 500:
            warren[stream] = said
        if said == [["eof", {}]] and heard and heard[0][0] == "connection.close" and heard[0][1]["reply_code"] >= 500:
            warren[stream] = said


@rule
def a_crash_of_rabbitmq(step, rabbit, warren):
    """INTERNAL_ERROR is how RabbitMQ says that one of its processes has fallen over. Warren refuses in words, or does what was asked."""
    for stream, said in rabbit.items():
        if stream.endswith(" replies") and said[0][0] == "connection.close" and said[0][1]["reply_code"] == 541:
            warren.clear()
            warren.update(rabbit)
            return


@rule
def content_that_a_client_cannot_send(step, rabbit, warren):
    """RabbitMQ waits for the content of basic.deliver, basic.return and basic.get-ok before it refuses them."""
    if any(f" {name}" in step for name in ("basic.deliver", "basic.return", "basic.get-ok")) and not rabbit:
        warren.clear()


@rule
def labels_may_change(step, rabbit, warren):
    """Arguments that change nothing in Warren may be others when a queue is declared again."""
    for stream, said in rabbit.items():
        text = said[0][1].get("reply_text", "") if stream.endswith("replies") and said else ""
        if any(f"inequivalent arg '{key}'" in text for key in LABELS):
            heard = warren.get(stream)
            if not heard or heard[0][0] == "queue.declare-ok" or "inequivalent arg" in heard[0][1].get("reply_text", ""):
                warren[stream] = said


@rule
def copies_to_topics(step, rabbit, warren):
    """Since 4.0.3 RabbitMQ asks for topic rights of CC's and BCC's keys as well; the one here is older."""
    texts = [str(fields) for stream, heard in warren.items() if stream.endswith(" replies") for _, fields in heard]
    if "CC=[" in step and any("write access to topic" in text for text in texts):
        warren.clear()
        warren.update(rabbit)


@rule
def which_right_is_missing(step, rabbit, warren):
    """Since 3.11 RabbitMQ says which right it was; the one here is older."""
    for stream, heard in warren.items():
        for _, fields in heard if stream.endswith(" replies") else ():
            if isinstance(fields, dict) and fields.get("reply_text", "").startswith("ACCESS_REFUSED - "):
                fields["reply_text"] = RIGHT.sub("access to", fields["reply_text"])


def headers_of(message):
    return message["properties"].get("headers") or {}


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
ENDING = {"copies_to_topics", "labels_may_change", "a_crash_of_rabbitmq", "content_that_a_client_cannot_send"}
