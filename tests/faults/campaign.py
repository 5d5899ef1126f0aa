"""Faults of all kinds, one after the other; after each the same command has to bring what an undisturbed run brings.

    python -m tests.faults.campaign --seconds 3600 --seed 0

prints a line for each fault and, at the end, how many were tried and survived and the seeds of those that were not.
``--only SEED`` does one again. One fault in ten is done to ``vidcap run`` with all its processes; the others to a run
that is forked with the imports done.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from tests.captioners.openai.misbehaving_server import MisbehavingServer
from tests.faults.faults import EVERY, MOUNTS, Fault
from tests.faults.world import Lost, World, can_mount, difference, write_clips

WHOLE_EVERY = 10


@dataclass
class Campaign:
    """Where faults are tried: the clips, the server that bills, and what an undisturbed run brings."""

    folder: Path
    server: MisbehavingServer

    def __post_init__(self) -> None:
        write_clips(self.folder / "clips")
        (self.folder / "history").mkdir()
        with dg.DagsterInstance.local_temp(str(self.folder / "history")) as instance:
            instance.get_runs()
            instance.all_instigator_state()
        world = self._world("undisturbed")
        if world.finish(run := world.start()) != 0:
            raise Lost(f"the undisturbed run failed: {run.last_line()}\n{run.log.read_text()[-3000:]}")
        self.expected: dict[str, Any] = world.content()

    def _world(self, name: str, whole: bool = False) -> World:
        return World(self.folder / name, self.folder / "clips", self.server, self.folder / "history", whole)

    def survives(self, seed: int, faults: tuple[Fault, ...], whole: bool) -> tuple[str, str | None]:
        """Try the fault of a seed; its name, and what went wrong."""
        pace = random.Random(seed)
        fault = pace.choice(faults)
        world = self._world(str(seed), whole)
        try:
            may_cost = fault(world, pace)
            self._same_again(world, may_cost)
        except Lost as lost:
            return fault.__name__, str(lost)
        except Exception:  # the campaign goes on; what it says names the seed
            return fault.__name__, traceback.format_exc()
        finally:
            world.end_everything()
            if world.home.is_mount():
                subprocess.run(["umount", "-l", world.home], check=False)
        shutil.rmtree(world.folder)
        return fault.__name__, None

    def _same_again(self, world: World, may_cost: int) -> None:
        if world.finish(run := world.start()) != 0:
            raise Lost(f"the same command again failed: {run.last_line()!r}")
        if (twice := world.paid_twice()) > may_cost:
            raise Lost(
                f"{twice} answers were paid again, {may_cost} were in flight: {dict(world.server.charged)}"
            )
        expected = {
            name: rows for name, rows in self.expected.items() if not (world.whole and name == "export")
        }
        if wrong := difference(expected, world.content()):
            raise Lost(wrong)


@contextmanager
def campaign() -> Iterator[Campaign]:
    with MisbehavingServer(latency_s=lambda number: 0.05 + 0.05 * (number % 3)) as server:
        folder = Path(tempfile.mkdtemp(prefix="faults-"))
        yield Campaign(folder, server)
        if not any(
            path.name.isdigit() for path in folder.iterdir()
        ):  # what did not survive is kept, to look at
            shutil.rmtree(folder)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=0, help="of the first fault; the next has the next")
    parser.add_argument("--only", type=int, help="try the fault of one seed")
    parser.add_argument("--kind", help="faults of one name only")
    given = parser.parse_args(arguments)
    faults = tuple(one for one in EVERY if given.kind in (None, one.__name__))
    tried: Counter[str] = Counter()
    failed: dict[int, str] = {}
    with campaign() as it:
        if not can_mount(it.folder / "clips"):
            print("left out, because nothing can be mounted here:", *(one.__name__ for one in MOUNTS))
            faults = tuple(one for one in faults if one not in MOUNTS)
        end = time.monotonic() + given.seconds
        seed = given.seed if given.only is None else given.only
        while time.monotonic() < end:
            whole = seed % WHOLE_EVERY == WHOLE_EVERY - 1
            started = time.monotonic()
            name, wrong = it.survives(seed, faults, whole)
            tried[name] += 1
            failed |= {} if wrong is None else {seed: f"{name}: {wrong}"}
            kind = f"{name}{' of vidcap run' if whole else ''}"
            print(f"{seed} {kind} {time.monotonic() - started:.1f} s: {wrong or 'survived'}", flush=True)
            seed += 1
            if given.only is not None:
                break
        print(f"{tried.total()} faults tried, {tried.total() - len(failed)} survived: {dict(tried)}")
        for seed, wrong in failed.items():
            print(f"seed {seed}: {wrong.splitlines()[0]} (kept: {it.folder / str(seed)})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
