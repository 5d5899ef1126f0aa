"""The same clips and the same checkpoint by every road: in process, and behind servers, at several concurrencies.

    PYTHONPATH=. python benchmarks/engines.py [--clips 64] [--concurrency 1 8 64] [--serve COMMAND ...]

Each ``--serve`` is a command as the collection file takes it, with ``{model}`` and ``{port}``; without one,
``transformers serve`` of this environment is the peer. vLLM is compared by naming the one that is installed beside:

    --serve '/opt/vllm/bin/vllm serve {model} --port {port} --dtype float32 --max-num-seqs 256'

The checkpoint is the embedded one (or ``--model``, any folder that both sides load), in float32; frames are sent as
PNG, decoding is greedy: every caption has to be the same by every road, else the benchmark ends with 1. Printed are
captions a second and processor seconds a caption (of this process, its decoding children and the server together, so
that who shares the cores can be told), the time from the first clip to its caption on disk, and each road's rate over
the rate in process. Loading and one warm-up pass over the first clips are not counted.
"""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.progress import ShardProgress
from resources.annotation.store import ShardStore
from resources.captioners.kinds import Transformers
from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.kind import OpenAI
from resources.captioners.transformers import TransformersCaptioner
from resources.engine.server import Server
from resources.storage.files import storage_path
from resources.video import FrameReader, IsolatedWorkers, available_cores
from tests.demo.held_out import render_clips

TRANSFORMERS = (
    shlex.join([sys.executable, "-m", "transformers.cli.transformers", "serve"])
    + " {model} --host 127.0.0.1 --port {port} --dtype float32"
)
FRAMES, SHORT_SIDE, WARM_UP = 3, 336, 4


@dataclass(frozen=True)
class Measured:
    """One pass over the clips by one road."""

    road: str
    captions: list[str | None]
    wall_s: float
    processor_s: float
    first_s: float

    @property
    def rate(self) -> float:
        """Captions a second."""
        return len(self.captions) / self.wall_s


class Roads:
    """The clips, a folder for what is written, and the processes that take part."""

    def __init__(self, home: Path, frames: FrameReader, clips: Sequence[Clip], model: str) -> None:
        self.home, self.frames, self.clips, self.model = home, frames, clips, model
        self._passes = 0

    def in_process(self, batch_size: int) -> Measured:
        """The captioner with the model in this process."""
        entry = Transformers(
            name="local",
            model=self.model,
            num_frames=FRAMES,
            short_side=SHORT_SIDE,
            dtype="float32",
            batch_size=batch_size,
        )
        annotator = TransformersCaptioner(entry, self.frames)
        try:
            return self._measure(f"in process, batch {batch_size}", annotator)
        finally:
            annotator.close()

    def served(self, name: str, base_url: str, concurrency: int) -> Measured:
        """The captioner with so many requests in flight at a server."""
        entry = OpenAI(
            name="served",
            model=self.model,
            base_url=base_url,
            num_frames=FRAMES,
            short_side=SHORT_SIDE,
            image_format="png",
            max_concurrency=concurrency,
            timeout_s=600,
        )
        annotator = OpenAICaptioner(entry, self.frames)
        try:
            return self._measure(f"{name}, {concurrency} in flight", annotator)
        finally:
            annotator.close()

    def _measure(self, road: str, annotator: Annotator) -> Measured:
        self._annotate(annotator, self.clips[:WARM_UP], LoopOptions(log=_silent))
        first: list[float] = []
        started, before = time.perf_counter(), _processor_seconds()

        def note_the_first(progress: ShardProgress) -> None:
            if not first and progress.done:
                first.append(time.perf_counter() - started)

        options = LoopOptions(prepare_workers=available_cores(), log=_silent, tell=note_the_first)
        captions = self._annotate(annotator, self.clips, options)
        wall = time.perf_counter() - started
        return Measured(road, captions, wall, _processor_seconds() - before, first[0] if first else wall)

    def _annotate(
        self, annotator: Annotator, clips: Sequence[Clip], options: LoopOptions
    ) -> list[str | None]:
        self._passes += 1
        store = ShardStore(
            storage_path(self.home / f"{self._passes}.parquet"),
            storage_path(self.home / f"journal-{self._passes}"),
            shard="engines",
            recipe=annotator.recipe,
        )
        return annotate_shard(annotator, clips, store, options).outcomes["value"].to_pylist()


def _silent(line: str) -> None:
    """The loop's own lines are not this benchmark's."""


def _processor_seconds() -> float:
    """What this process and everything below it has used so far."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    times = [process.cpu_times() for process in family]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


def main() -> None:
    """Measure, print, and end with 1 where a caption differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--model", help="a checkpoint's folder (default: the embedded one)")
    parser.add_argument("--serve", nargs="+", default=[TRANSFORMERS], metavar="COMMAND")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="vidcap-engines-") as folder,
        IsolatedWorkers(available_cores()) as workers,
    ):
        home = Path(folder)
        truths = render_clips(home / "clips", options.clips, seed=11)
        clips = [Clip(one.file, home / "clips" / one.file, Kind.VIDEO, content_id=one.file) for one in truths]
        model = str(Path(options.model or Transformers.demo_model).resolve())
        roads = Roads(home, FrameReader(workers), clips, model)
        results = [roads.in_process(batch) for batch in options.batch]
        for number, command in enumerate(options.serve):
            server = Server(command, model, 1, home / f"server-{number}.log", 1800)
            try:
                server.start()
                name = _name(command)
                results += [roads.served(name, server.base_url, many) for many in options.concurrency]
            finally:
                server.close()
    sys.exit(report(results))


def _name(command: str) -> str:
    return "transformers serve" if command == TRANSFORMERS else Path(shlex.split(command)[0]).name


def report(results: Sequence[Measured]) -> int:
    """Print a line for each road; how many captions differ from those of the first."""
    reference, best = (
        results[0].captions,
        max(one.rate for one in results if one.road.startswith("in process")),
    )
    print(
        f"{'road':36}{'captions/s':>11}{'over in process':>17}{'cpu s/caption':>15}{'first s':>9}{'equal':>9}"
    )
    different = 0
    for one in results:
        equal = sum(a == b and a is not None for a, b in zip(reference, one.captions, strict=True))
        different += len(reference) - equal
        cpu = one.processor_s / len(one.captions)
        print(
            f"{one.road:36}{one.rate:11.2f}{one.rate / best:17.2f}{cpu:15.3f}{one.first_s:9.2f}"
            f"{equal:5d}/{len(reference)}"
        )
    return int(different > 0)


if __name__ == "__main__":
    main()
