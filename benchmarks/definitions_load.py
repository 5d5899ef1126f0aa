"""What loading the definitions costs beside ``import dagster``, and what fifty captioners cost beside three.

Prints ratios of processor time, each the median of interleaved runs in fresh processes.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 7
DAGSTER, DEFINITIONS = "import dagster", "import vidcap_assets.definitions"


def collection(captioners: int) -> str:
    entries = "\n".join(
        f"    - {{kind: transformers, name: c{number}, model: /models/m}}" for number in range(captioners)
    )
    return f"type: vidcap_assets.Collection\nattributes:\n  source: /clips\n  annotators:\n{entries}\n"


def seconds(statement: str, config: Path | None = None) -> float:
    variables = {**os.environ, **({"VIDCAP_CONFIG": str(config)} if config else {})}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-W", "ignore", "-c", statement], check=True, env=variables)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder, "few.yaml"), Path(folder, "many.yaml")
        few.write_text(collection(3))
        many.write_text(collection(50))
        rounds = [
            (seconds(DAGSTER), seconds(DEFINITIONS), seconds(DEFINITIONS, few), seconds(DEFINITIONS, many))
            for _ in range(ROUNDS)
        ]
    dagster, default, three, fifty = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"import dagster {dagster:.2f} s; the definitions {default / dagster:.2f} x that")
    print(f"fifty captioners in one file: {fifty / three:.2f} x three")


if __name__ == "__main__":
    main()
