"""The version of these tools: that of the sources that they came with."""

import pathlib
import re

CMAKE_FILE = pathlib.Path(__file__).resolve().parent.parent.parent / "CMakeLists.txt"


def tool_version():
    try:
        found = re.search(r"project\([^)]*VERSION\s+([0-9.]+)", CMAKE_FILE.read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found.group(1) if found else "unknown"
