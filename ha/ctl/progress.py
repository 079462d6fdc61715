"""Progress of long work, on standard error: one line that changes on a terminal, a line every few seconds elsewhere."""

import sys
import time

LINE_INTERVAL = 5.0         # seconds, when it is not a terminal
TERMINAL_INTERVAL = 0.1


class Progress:
    def __init__(self, what, silent=False):
        self.what, self.silent = what, silent
        self.terminal = sys.stderr.isatty()
        self.began = self.shown = time.monotonic()

    def show(self, text):
        now = time.monotonic()
        if self.silent or now - self.shown < (TERMINAL_INTERVAL if self.terminal else LINE_INTERVAL):
            return
        self.shown = now
        line = f"{self.what}: {text} ({now - self.began:.0f} s)"
        print(f"\r\033[K{line}" if self.terminal else line, end="" if self.terminal else "\n", file=sys.stderr,
              flush=True)

    def count(self, done, total):
        self.show(f"{done} of {total}, {100 * done // total if total else 100} %")

    def end(self):
        if self.terminal and not self.silent and self.shown != self.began:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
