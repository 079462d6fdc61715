"""The warrend that scripts start, and what its --set options say."""

import os
import pathlib
import subprocess

from cluster_node import Problem

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEFAULT_BINARY = ROOT / "build" / "warrend"


def settings_of(pairs):
    """What --set KEY=VALUE options say, as a dictionary."""
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise Problem(f"--set wants KEY=VALUE, not '{pair}'")
        settings[key.strip()] = value.strip()
    return settings


def program(asked, say):
    """Path of the warrend that was asked for; of build/warrend, built first, when none was."""
    if asked:
        return os.path.abspath(asked)
    build_node(say)
    return DEFAULT_BINARY


def build_node(say):
    """Configures and builds build/warrend; quick when nothing changed."""
    build = ROOT / "build"
    if not (build / "CMakeCache.txt").exists():
        say("configuring the build")
        run_visibly(["cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja"], build.parent)
    say("building build/warrend")
    jobs = str(min(os.cpu_count() or 1, 4) + 1)
    run_visibly(["cmake", "--build", str(build), "--target", "warrend", "-j", jobs], ROOT)


def run_visibly(argv, directory):
    result = subprocess.run(argv, cwd=directory, check=False)
    if result.returncode != 0:
        raise Problem(f"this failed: {' '.join(argv)}")
