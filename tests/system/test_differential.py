"""The same random conversations with Warren and with RabbitMQ."""

import subprocess
import sys

import kit
import places

EXIT_SKIPPED = 77


@kit.limit(240)
@kit.alone
def test_differential_seeds():
    """30 random conversations are answered as RabbitMQ answers them"""
    result = subprocess.run([sys.executable, str(places.ROOT / "tests/differential/run"), "--binary", str(kit.binary()), "--seeds", "30"],
                            capture_output=True, text=True, check=False)
    if result.returncode == EXIT_SKIPPED:
        raise kit.Skip(result.stdout.strip())
    kit.check(result.returncode == 0, f"{result.stdout}{result.stderr}")
    print(result.stdout.splitlines()[-1])
