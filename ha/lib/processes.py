"""Processes that outlive the command that started them, known by a pid file, and stopped only while the pid is still theirs.

A pid file holds "pid start-time"; the kernel's start time of a process makes the pair unique as long as the machine runs,
so a pid that was given to somebody else meanwhile is never signalled.
"""

import os
import pathlib
import signal
import subprocess
import time


def start_time(pid):
    """The kernel's start time of a process that runs, else None. A zombie does not run, once the last of its threads is
    gone: until then its ports are taken."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return None
    words = stat.rpartition(")")[2].split()
    return None if words[0] in "ZX" and threads < 2 else int(words[19])


class Process:
    def __init__(self, name, pid_file, output_file):
        self.name, self.pid_file, self.output_file = name, pathlib.Path(pid_file), pathlib.Path(output_file)

    def start(self, argv, netns=None):
        """Starts it in a session of its own; the caller has made sure that it does not run."""
        if netns:
            argv = ["ip", "netns", "exec", netns] + argv
        with open(self.output_file, "ab") as output:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        started = start_time(child.pid)
        # Dead already: a pid file that matches nothing says so as well as any.
        self.pid_file.write_text(f"{child.pid} {started or 0}\n")
        child.returncode = 0  # we are not its parent for long: no warning about a child that still runs
        return child.pid

    def pid(self):
        """The pid while the process is alive and ours, else None."""
        try:
            pid, started = map(int, self.pid_file.read_text().split())
        except (OSError, ValueError):
            return None
        try:
            os.waitpid(pid, os.WNOHANG)  # when we are the parent, so that it does not stay a zombie
        except OSError:
            pass
        return pid if started and start_time(pid) == started else None

    def state(self):
        """'up', 'paused' or 'down'."""
        pid = self.pid()
        if pid is None:
            return "down"
        try:
            return "paused" if pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt" else "up"
        except OSError:
            return "down"

    def resident_mib(self):
        try:
            pages = int(pathlib.Path(f"/proc/{self.pid()}/statm").read_text().split()[1])
        except (OSError, ValueError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def send(self, number):
        """Signals the process; False when it does not run."""
        pid = self.pid()
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait_gone(self, timeout):
        limit = time.monotonic() + timeout
        while self.pid() is not None:
            if time.monotonic() > limit:
                return False
            time.sleep(0.01)
        return True

    def stop(self, timeout):
        """TERM, then KILL after `timeout`. A paused process is woken, or it could not hear."""
        if self.send(signal.SIGTERM):
            self.send(signal.SIGCONT)
            if not self.wait_gone(timeout):
                self.send(signal.SIGKILL)
                self.wait_gone(5)
        self.pid_file.unlink(missing_ok=True)

    def last_output(self, lines=8):
        try:
            return "\n".join(self.output_file.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""
