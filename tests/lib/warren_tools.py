"""Our command line tools without an interpreter to start for each command: a child that has all modules carries it out."""

import os
import sys
import tempfile
import traceback

from places import ROOT

sys.path[:0] = [str(ROOT / "ha")]
import ctl.main  # noqa: E402


def run(words, environment, text=""):
    """(exit code, output, complaints), as from `ha/bin/WORD ...`."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        given.write(text.encode())
        given.seek(0)
        child = os.fork()
        if not child:
            be_the_tool(words, environment, (given, output, complaints))
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), *(read(file) for file in (output, complaints))


def be_the_tool(words, environment, files):
    code = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", encoding="utf-8"), open(2, "w", encoding="utf-8")
        os.environ.clear()
        os.environ.update(environment)
        os.chdir("/")
        code = ctl.main.main(words)
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def read(file):
    file.seek(0)
    return file.read().decode()
