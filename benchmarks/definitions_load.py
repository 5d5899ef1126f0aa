"""How long loading the definitions takes, as a ratio to `import dagster`: the price of every step process.

Each import runs in fresh processes, alternately, so that both see the same machine; CPU time is compared.
"""

import argparse
import resource
import statistics
import subprocess
import sys


def cpu_seconds(statement: str) -> float:
    """User and system time of a fresh interpreter that runs one statement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-W", "ignore", "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    base, ours = [], []
    for _ in range(rounds):
        base.append(cpu_seconds("import dagster"))
        ours.append(cpu_seconds("import vidcap_assets.definitions"))
    ratio = statistics.median(ours) / statistics.median(base)
    print(f"import dagster       {statistics.median(base):.2f} CPU s (median of {rounds})")
    print(f"the definitions      {statistics.median(ours):.2f} CPU s")
    rounds_apart = sorted(mine / theirs for mine, theirs in zip(ours, base, strict=True))
    print(
        f"ratio                {ratio:.2f} (bar: 1.5; rounds {rounds_apart[0]:.2f} to {rounds_apart[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
