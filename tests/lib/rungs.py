"""The staircase of tests: builds, runs each rung with ctest or its own runner, prints one summary."""

import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILDS = {
    "": (ROOT / "build", []),
    "asan": (ROOT / "build" / "asan", ["-DWARREN_SANITIZE=address,undefined"]),
    "fuzz": (ROOT / "build" / "fuzz", ["-DWARREN_FUZZ=ON", "-DCMAKE_C_COMPILER=clang"]),
}
# Rung: the build it runs in. Unit tests and the wire scripts, with all their malformed frames, run under the sanitizers.
RUNGS = {"unit": "asan", "wire": "asan", "sim": "", "fuzz": "fuzz", "system": ""}
TIME_LIMIT = 23.5 * 60
TEST_TIMEOUT = 240
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}

Outcome = collections.namedtuple("Outcome", "passed failed skipped")  # lists of names; a skipped one says why

DESCRIPTION = """\
Runs the tests from the inside outwards and prints one summary.

  tests/run                 unit, wire, sim, fuzz, system: at most 25 minutes on two cores
  tests/run unit wire       only these rungs
  tests/run --no-setup      installs nothing
  .ci/run                   what continuous integration runs: all rungs, with nobody at the keyboard

One test alone, once it is built:

  ctest --test-dir build/asan -R unit/node/queue/page --output-on-failure
  tests/wire/run -v 313                        one conversation, every frame of it
  tests/system/run failover.consumer          tests whose name begins so

The rungs, from the inside outwards:

  unit     every room by itself (cmocka), under the address and undefined behaviour sanitizers
  wire     readable AMQP conversations, frame by frame, against one node (tests/wire/run --help), sanitizers too
  sim      whole clusters in one thread with simulated time, disk and network
  fuzz     every decoder for a short time: clang's libFuzzer, or seeded mutations where there is no clang
  system   real processes, real client libraries, HAProxy in front (tests/system/run --help)

Beside the staircase, for they take longer or need more: tests/differential/run (the same conversations with RabbitMQ),
tests/clients/run (other languages), tests/links/run (two clusters, and RabbitMQ), tests/bench/run (figures),
tests/fuzz/run (fuzzers for as long as you like).
"""


def targets_of(build):
    """What the rungs of a build need: unit tests, for one, run under the sanitizers only."""
    if build == "fuzz":
        return [path.stem for path in (ROOT / "tests/fuzz").glob("fuzz_*.c")]
    return ["warrend", "warren-bench", "warren-sim"] if build == "" else ["all"]


class Run:
    def __init__(self, options):
        self.options = options
        self.outcomes = {}
        self.began = time.monotonic()
        self.built = {}
        self.results = pathlib.Path(tempfile.mkdtemp(prefix="warren-tests-"))

    def left(self):
        return max(TIME_LIMIT - (time.monotonic() - self.began), 1)

    def say(self, text):
        print(f"\n== [{time.monotonic() - self.began:4.0f} s] {text}", flush=True)

    def call(self, argv):
        """Runs a command in a process group of its own within the time that is left: its exit code, or None when the time
        was over and the whole group was ended."""
        child = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True,
                                 env={**SANITIZER_OPTIONS, **os.environ})
        try:
            return child.wait(self.left())
        except subprocess.TimeoutExpired:
            end_group(child)
            return None
        except BaseException:
            end_group(child)
            raise

    def build(self, name):
        """Configures and builds once; True when everything was built. Goes on after an error, so that one broken room does
        not hide the tests of the others."""
        if name not in self.built:
            directory, arguments = BUILDS[name]
            self.say(f"building {directory.relative_to(ROOT)}")
            code = 0
            if not (directory / "CMakeCache.txt").exists():
                code = self.call(["cmake", "-S", ".", "-B", str(directory), "-G", "Ninja", *arguments])
            if code == 0:
                keep_going = ["-k", "0"] if (directory / "build.ninja").exists() else ["-k"]
                targets = targets_of(name)
                code = self.call(["cmake", "--build", str(directory), "-j", str(self.options.jobs), "--target", *targets,
                                  "--", *keep_going])
            self.built[name] = code == 0
        return self.built[name]

    def rung(self, name):
        outcome = Outcome([], [], [])
        self.outcomes[name] = outcome
        build = RUNGS[name]
        if build == "fuzz" and not clang_can_fuzz():
            build = "asan"
        if not self.build(build):
            outcome.failed.append(f"build for {name}")
        self.say(f"{name}")
        result = self.results / f"{name}.result"
        if name == "system":
            argv = ["tests/system/run", "--result", str(result)]
        else:
            argv = ["ctest", "--test-dir", str(BUILDS[build][0]), "-L", f"^{name}$", "-j", str(self.options.jobs),
                    "--timeout", str(TEST_TIMEOUT), "--output-on-failure", "--no-tests=ignore",
                    "--output-junit", str(result)]
        if self.call(argv) is None:
            outcome.failed.append(f"{name}: did not end in time")
        read = read_system_result if name == "system" else read_junit
        try:
            read(result, outcome)
        except (OSError, ValueError, xml.etree.ElementTree.ParseError) as error:
            outcome.failed.append(f"{name}: no result ({error})")

    def summary(self):
        print("\n== summary")
        for name, outcome in self.outcomes.items():
            print(f"{name:<8}{len(outcome.passed):>5} passed {len(outcome.failed):>5} failed "
                  f"{len(outcome.skipped):>5} skipped")
        for name, outcome in self.outcomes.items():
            for test in outcome.skipped:
                print(f"skipped: {test}")
        for name, outcome in self.outcomes.items():
            for test in outcome.failed:
                print(f"FAILED:  {test}")
        counts = [sum(len(getattr(outcome, kind)) for outcome in self.outcomes.values())
                  for kind in ("passed", "failed", "skipped")]
        print(f"{time.monotonic() - self.began:.0f} seconds")
        print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped", flush=True)
        return 1 if counts[1] or not counts[0] else 0


def end_group(child):
    """Ends a command and what it started; runners get the time to stop their nodes."""
    for number, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        try:
            os.killpg(child.pid, number)
            child.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def clang_can_fuzz():
    if not shutil.which("clang"):
        return False
    with tempfile.TemporaryDirectory() as directory:
        source = pathlib.Path(directory) / "probe.c"
        source.write_text("int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d == 0 && n; }\n")
        return subprocess.run(["clang", "-fsanitize=fuzzer,address", "-o", f"{directory}/probe", str(source)],
                              capture_output=True, check=False).returncode == 0


def read_junit(path, outcome):
    if not path.exists():  # ctest writes nothing when the rung has no tests
        outcome.skipped.append(f"{path.stem}: no tests registered")
        return
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        skipped = case.find("skipped")
        if status == "run":
            outcome.passed.append(name)
        elif skipped is not None and "SKIP" in skipped.get("message", ""):
            outcome.skipped.append(name)
        elif status == "disabled":
            outcome.skipped.append(name)
        else:
            outcome.failed.append(name)


def read_system_result(path, outcome):
    result = json.loads(path.read_text())
    for kind in Outcome._fields:
        getattr(outcome, kind).extend(result[kind])


def main():
    parser = argparse.ArgumentParser(prog="tests/run", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rungs", nargs="*", metavar="RUNG", help=", ".join(RUNGS))
    parser.add_argument("--no-setup", action="store_true", help="install nothing")
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1, help="at the same time (default %(default)s)")
    options = parser.parse_args()
    for name in options.rungs:
        if name not in RUNGS:
            parser.error(f"there is no rung '{name}'; choose from {', '.join(RUNGS)}")
    run = Run(options)
    try:
        for name in options.rungs or RUNGS:
            run.rung(name)
        return run.summary()
    finally:
        shutil.rmtree(run.results, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
