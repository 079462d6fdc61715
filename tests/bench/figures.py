"""From the figures of several rounds to a table of ratios, with what is to be reached."""

import os
import pathlib
import platform
import statistics
import tempfile
import time

# figure, words, unit, the ratio Warren to RabbitMQ that is wanted: ("min", 10) at least, ("max", 0.1) at most, None
ROWS = [
    ("throughput-1q-128", "1 queue, 128 B", "msg/s", ("min", 10)),
    ("throughput-1q-1024", "1 queue, 1 KiB", "msg/s", ("min", 10)),
    ("throughput-1q-16384", "1 queue, 16 KiB", "msg/s", ("min", 4)),
    ("throughput-8q-128", "8 queues, 128 B", "msg/s", ("min", 10)),
    ("throughput-8q-1024", "8 queues, 1 KiB", "msg/s", ("min", 10)),
    ("throughput-8q-16384", "8 queues, 16 KiB", "msg/s", ("min", 4)),
    ("latency-p50", "confirm p50 at 2,000/s", "ms", ("max", 1 / 3)),
    ("latency-p99", "confirm p99 at 2,000/s", "ms", ("max", 1 / 2)),
    ("latency-end-to-end-p50", "end to end p50 at 2,000/s", "ms", None),
    ("latency-end-to-end-p99", "end to end p99 at 2,000/s", "ms", None),
    ("cpu-1q-128", "CPU, 1 queue, 128 B", "s/million", ("max", 1 / 10)),
    ("cpu-1q-1024", "CPU, 1 queue, 1 KiB", "s/million", ("max", 1 / 10)),
    ("cpu-8q-128", "CPU, 8 queues, 128 B", "s/million", ("max", 1 / 10)),
    ("cpu-8q-1024", "CPU, 8 queues, 1 KiB", "s/million", ("max", 1 / 10)),
    ("disk-1q-128", "written, 1 queue, 128 B", "MB/million", None),
    ("memory-idle", "memory, idle", "MB", ("max", 1 / 5)),
    ("memory-backlog", "memory, 200,000 waiting", "MB", None),
    ("drain", "drain of 200,000", "msg/s", None),
]
PAUSE_MEDIAN_MS, PAUSE_P95_MS = 100, 300


def number(value):
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(values):
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def verdict(ratio, wanted):
    if wanted is None:
        return ""
    kind, bound = wanted
    good = ratio >= bound if kind == "min" else ratio <= bound
    words = f">= {bound:g}" if kind == "min" else f"<= {bound:.2g}"
    return f"{words} {'reached' if good else 'MISSED'}"


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def rows(results):
    """results: {system: [figures of round 1, of round 2 ...]}; yields the table's cells."""
    for key, words, unit, wanted in ROWS:
        found = {system: [figures[key] for figures in rounds if key in figures] for system, rounds in results.items()}
        if not any(found.values()):
            continue
        cells = [words, unit] + [spread(found[s]) if found.get(s) else "-" for s in ("warren", "rabbitmq")]
        pairs = list(zip(found.get("warren", []), found.get("rabbitmq", [])))
        ratios = [a / b for a, b in pairs if b]
        yield cells + ([spread(ratios), verdict(statistics.median(ratios), wanted)] if ratios else ["-", ""])
    kills = {system: [ms for figures in rounds for ms in figures.get("pauses", [])] for system, rounds in results.items()}
    if not any(kills.values()):
        return
    for percent, words, bound in ((50, "median", PAUSE_MEDIAN_MS), (95, "p95", PAUSE_P95_MS), (100, "longest", None)):
        values = {s: percentile(kills[s], percent) if kills.get(s) else None for s in ("warren", "rabbitmq")}
        mine, theirs = values["warren"], values["rabbitmq"]
        count = max(len(k) for k in kills.values())
        good = "" if bound is None or mine is None else f"< {bound} ms {'reached' if mine < bound else 'MISSED'}"
        yield [f"pause after kill -9, {words} of {count}", "ms", *("-" if v is None else number(v) for v in values.values()),
               number(mine / theirs) if mine is not None and theirs else "-", good]


def table(results):
    lines = [["measure", "unit", "Warren", "RabbitMQ", "ratio", "to reach"]] + [list(row) for row in rows(results)]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    text.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(text)


def sync_ms(directory):
    """Median of fdatasync after a write of 4 KiB."""
    times = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def machine(directory):
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}, "
            f"fdatasync of 4 KiB {sync_ms(directory):.2f} ms")
