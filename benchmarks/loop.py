"""The loop's own costs, with an echo for a model: memory over the size of a shard, and resuming a finished one.

Each measurement is a fresh process with the definitions loaded, as a step is; memory is its peak resident set (MiB).
Bars: the memory of 10,000 clips is within 10 % of that of 100, and a finished shard of 1,000 clips costs at
most 2 s beyond process start.

    PYTHONPATH=. python benchmarks/loop.py
"""

import json
import subprocess
import sys
import tempfile

_CHILD = """
import json, resource, sys, time
started = time.monotonic()
from pathlib import Path
import vidcap_assets.definitions
from resources.annotation.clip import Clip
from resources.annotation.loop import LoopOptions, annotate_shard
from tests.annotation.echo import EchoAnnotator
from resources.lake.lake import Lake
count, folder, payload = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
imported = time.monotonic()
clips = (Clip(f"clip-{i:08}", Path(f"/data/videos/{i:08}.mp4"), content_id=f"{i:032x}") for i in range(count))
class Decoding(EchoAnnotator):
    def prepare(self, clip):
        self.frames = bytearray(payload)
        return clip
annotator = Decoding(batch_size=16)
report = annotate_shard(
    annotator, list(clips), Lake(folder).store(annotator.recipe, "shard-00000"), LoopOptions(log=lambda line: None)
)
assert report.tally.ok == count
print(json.dumps({
    "import_s": imported - started,
    "loop_s": time.monotonic() - imported,
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "annotated": report.annotated,
}))
"""


def measure(count: int, folder: str, payload: int = 6 * 1024 * 1024) -> dict[str, float]:
    """One shard of ``count`` clips, each of which is given ``payload`` bytes of frames."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(count), folder, str(payload)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def main() -> None:
    baseline = None
    for count in (100, 1_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            first = measure(count, folder)
            again = measure(count, folder)
        baseline = baseline or first["peak_mib"]
        print(
            f"{count:6} clips: peak {first['peak_mib']:6.1f} MiB "
            f"(ratio to 100 clips {first['peak_mib'] / baseline:.3f}), "
            f"{1000 * first['loop_s'] / count:.2f} ms a clip; "
            f"again, with nothing to do: {again['loop_s']:.2f} s, {again['annotated']} annotated"
        )


if __name__ == "__main__":
    main()
