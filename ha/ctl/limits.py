"""When a node's memory and disk alarms begin. What is set here counts until the node stops; the configuration keeps it."""

import re

from .commands import CTL, DIAGNOSTICS, command
from .outcome import DATA, BadUsage

SECTION = "Configuration and Environment"
# RabbitMQ's units: those with an i and the bare letters are powers of 1024.
UNITS = {"": 1, **{f"{letter}{ending}": base ** power for power, letter in enumerate("kmgtp", 1)
                   for ending, base in (("", 1024), ("b", 1000), ("i", 1024), ("ib", 1024))}}
LASTS = "until the node stops: write it into its configuration as well"


def bytes_of(text):
    """The number of bytes in 100MB, 1GiB, 5000 ..."""
    found = re.fullmatch(r"(\d+)([A-Za-z]*)", text)
    if not found or found[2].lower() not in UNITS:
        raise BadUsage("Bad argument.", DATA)
    return int(found[1]) * UNITS[found[2].lower()]


def fraction_of(text, most):
    try:
        fraction = float(text)
    except ValueError:
        raise BadUsage("Bad argument.", DATA) from None
    if not 0.0 <= fraction <= most:
        raise BadUsage("Bad argument: The threshold should be a fraction between 0.0 and "
                       f"{most:.1f}", DATA)
    return fraction


def watermark(call):
    if call.words[0] == "absolute":
        if len(call.words) != 2:
            raise BadUsage("not enough arguments.")
        return {"absolute": bytes_of(call.words[1])}
    if len(call.words) != 1:
        raise BadUsage("too many arguments.")
    return {"relative": fraction_of(call.words[0], 1.0)}


@command("set_vm_memory_high_watermark", "<fraction> | absolute <value>", "Sets the vm_memory_high_watermark setting",
         SECTION, (CTL, DIAGNOSTICS), words=(1, 2), check=watermark,
         banner=lambda call: f"Setting memory threshold on {call.node_or_url()} to {call.words[-1]}"
                             f"{' bytes' if call.words[0] == 'absolute' else ''} ...",
         details=[("<fraction>", "of the machine's memory, 0.0 to 1.0; 0: no alarm"),
                  ("absolute <value>", "bytes, or with a unit, as 2GB")],
         examples=[("set_vm_memory_high_watermark 0.5", LASTS), ("set_vm_memory_high_watermark absolute 2GB", LASTS)])
def set_vm_memory_high_watermark(call):
    call.api.put("/api/this-node/limits", {"vm_memory_high_watermark": watermark(call)})


def disk_limit(call):
    if call.words[0] == "mem_relative":
        if len(call.words) != 2:
            raise BadUsage("not enough arguments.")
        return {"mem_relative": fraction_of(call.words[1], 100.0)}
    if len(call.words) != 1:
        raise BadUsage("too many arguments.")
    return {"absolute": bytes_of(call.words[0])}


@command("set_disk_free_limit", "<disk_limit> | mem_relative <fraction>", "Sets the disk_free_limit setting", SECTION,
         (CTL, DIAGNOSTICS), words=(1, 2), check=disk_limit,
         banner=lambda call: f"Setting disk free limit on {call.node_or_url()} to {call.words[-1]} "
                             f"{'times the total RAM' if call.words[0] == 'mem_relative' else 'bytes'} ...",
         details=[("<disk_limit>", "New limit as an absolute value with units, e.g. 1GB; 0: no alarm"),
                  ("mem_relative <fraction>", "New limit as a multiple of the machine's memory")],
         examples=[("set_disk_free_limit 5GB", LASTS)])
def set_disk_free_limit(call):
    call.api.put("/api/this-node/limits", {"disk_free_limit": disk_limit(call)})


def disk_monitoring(name, word, on):
    @command(name, "", f"{word}s free disk space monitoring", SECTION, (CTL, DIAGNOSTICS),
             banner=lambda call: f"{word[:-1]}ing free disk space monitoring on node {call.node_or_url()} ...",
             examples=[(name, "until the node stops")])
    def run(call):
        call.api.put("/api/this-node/limits", {"disk_monitoring": on})
    return run


disk_monitoring("activate_free_disk_space_monitoring", "Activate", True)
disk_monitoring("deactivate_free_disk_space_monitoring", "Deactivate", False)
