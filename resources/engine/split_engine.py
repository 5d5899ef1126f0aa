"""A model split over several devices: one helper process (rank) for each part, started and stopped from here."""

import os
import pickle
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any

import torch

from resources.annotation.outcome import AnnotatorError
from resources.engine.engine import Engine
from resources.engine.generation import Generation
from resources.engine.model_spec import ModelSpec
from resources.engine.rank_messages import Failed, Job
from resources.engine.rows import Row
from resources.engine.throughput import Throughput

START_TIMEOUT_S = 1800.0
STOP_TIMEOUT_S = 10.0
GRACE_S = 2.0
_LOG_TAIL = 2000


@dataclass(frozen=True)
class _Rank:
    number: int
    process: subprocess.Popen[bytes]
    connection: Connection
    log: IO[bytes]

    def reason(self) -> str:
        """Why it is gone: its exit status and the end of what it wrote."""
        self.log.seek(0)
        written = self.log.read().decode(errors="replace").strip()[-_LOG_TAIL:]
        code = self.process.poll()
        status = (
            "is running"
            if code is None
            else f"ended by signal {-code}"
            if code < 0
            else f"exited with {code}"
        )
        return f"rank {self.number} {status}" + (f"; it wrote:\n{written}" if written else "")


class SplitEngine(Engine):
    """Tensor parallelism: every rank holds a part of each layer, all compute every batch together.

    Args:
        devices: names for ``CUDA_VISIBLE_DEVICES``, one for each rank; empty on a CPU.
        start_timeout_s: seconds for starting the ranks and loading the weights.
        answer_timeout_s: seconds for one batch.

    The ranks start with the first batch. They end with :meth:`close`, and by themselves as soon as this
    process is gone. When one of them fails, all are stopped, and the next batch starts them anew.
    """

    def __init__(
        self,
        spec: ModelSpec,
        devices: Sequence[str] = (),
        *,
        start_timeout_s: float = START_TIMEOUT_S,
        answer_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self.throughput = Throughput()
        self._spec = spec
        self._devices = tuple(devices)
        self._start_timeout_s = start_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._ranks: list[_Rank] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def process_ids(self) -> list[int]:
        """The helper processes that are running."""
        return [rank.process.pid for rank in self._ranks]

    def generate(self, rows: Sequence[Row], max_new_tokens: int) -> list[Generation]:  # noqa: D102
        try:
            if not self._ranks:
                self._start()
            started = time.monotonic()
            self._send(Job(list(rows), max_new_tokens))
            generations: list[Generation] = self._gather(self._answer_timeout_s, "answered")[0].generations
        except BaseException:
            self._stop(at_once=True)
            raise
        self.throughput.record(generations, time.monotonic() - started)
        return generations

    def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vidcap-ranks-")
        meeting = Path(self._folder.name) / "meeting"
        for number in range(self._spec.placement.parts):
            self._ranks.append(self._start_rank(number, meeting))
        self._send(self._spec)
        self._gather(self._start_timeout_s, "loaded the model")

    def _start_rank(self, number: int, meeting: Path) -> _Rank:
        ours, theirs = socket.socketpair()
        ours.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", *_seconds(self._answer_timeout_s))
        )
        log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the rank is stopped
        with theirs:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "resources.engine.rank_process",
                    str(theirs.fileno()),
                    str(os.getpid()),
                ],
                env=self._environment(number, meeting),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return _Rank(number, process, Connection(ours.detach()), log)

    def _environment(self, number: int, meeting: Path) -> dict[str, str]:
        parts = self._spec.placement.parts
        environment = dict(os.environ) | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "RANK": str(number),
            "LOCAL_RANK": str(number),
            "WORLD_SIZE": str(parts),
            "LOCAL_WORLD_SIZE": str(parts),
            "VIDCAP_MEETING": meeting.as_uri(),
        }
        if self._devices:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(self._devices)
        else:
            # All ranks share this machine's cores; libraries would give each of them all.
            environment.setdefault("OMP_NUM_THREADS", str(max(1, torch.get_num_threads() // parts)))
        return environment

    def _send(self, message: ModelSpec | Job) -> None:
        packed = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        for rank in self._ranks:
            try:
                rank.connection.send_bytes(packed)
            except BlockingIOError:
                raise AnnotatorError(
                    f"rank {rank.number} has not taken its work within {self._answer_timeout_s:g} s"
                ) from None
            except OSError as error:
                raise self._lost(rank) from error

    def _gather(self, timeout_s: float, deed: str) -> list[Any]:
        """One message from every rank.

        Raises:
            torch.OutOfMemoryError: a rank ran out of memory.
            AnnotatorError: a rank failed, died, or the time is over.
            RuntimeError: all ranks failed while they computed.
        """
        answers: dict[int, Any] = {}
        deadline = time.monotonic() + timeout_s
        while waiting := {rank.connection: rank for rank in self._ranks if rank.number not in answers}:
            ready = wait(list(waiting), timeout=max(0.0, deadline - time.monotonic()))
            if not ready:
                late = ", ".join(str(rank.number) for rank in waiting.values())
                raise AnnotatorError(f"rank(s) {late} have not {deed} within {timeout_s:g} s")
            failures = {}
            for connection in ready:
                rank = waiting[connection]  # type: ignore[index]
                message = self._receive(rank)
                if isinstance(message, Failed):
                    failures[rank.number] = message
                answers[rank.number] = message
            if failures:
                raise self._root_cause(failures, set(answers))
        return [answers[rank.number] for rank in self._ranks]

    def _receive(self, rank: _Rank) -> Any:
        try:
            return pickle.loads(rank.connection.recv_bytes())
        except (EOFError, OSError):
            raise self._lost(rank) from None

    def _root_cause(self, failures: dict[int, Failed], heard: set[int]) -> Exception:
        """Why the batch failed: when one rank goes, the others soon complain that they lost the connection to it.

        What comes up in every rank alike, while they compute, is no rank's doing: it may be a clip's.
        """
        deadline = time.monotonic() + GRACE_S
        silent = {rank.connection: rank for rank in self._ranks if rank.number not in heard}
        while silent and (ready := wait(list(silent), timeout=max(0.0, deadline - time.monotonic()))):
            for connection in ready:
                rank = silent.pop(connection)  # type: ignore[call-overload]
                try:
                    message = self._receive(rank)
                except AnnotatorError as lost:
                    return lost
                if isinstance(message, Failed):
                    failures[rank.number] = message
        number, failed = min(
            failures.items(), key=lambda item: (not item[1].out_of_memory, item[1].lost_others)
        )
        if failed.out_of_memory:
            return torch.OutOfMemoryError(f"rank {number}: {failed.reason}")
        if len(failures) == self._spec.placement.parts and all(each.computing for each in failures.values()):
            return RuntimeError(f"all ranks failed: {failed.reason}")
        return AnnotatorError(f"rank {number} failed: {failed.reason}")

    def _lost(self, rank: _Rank) -> AnnotatorError:
        with suppress(subprocess.TimeoutExpired):
            rank.process.wait(GRACE_S)
        return AnnotatorError(f"a part of the split model is lost: {rank.reason()}")

    def _stop(self, at_once: bool = False) -> None:
        ranks, self._ranks = self._ranks, []
        for rank in ranks:
            rank.connection.close()
            if at_once:
                rank.process.kill()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for rank in ranks:
            try:
                rank.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                rank.process.kill()
                rank.process.wait()
            rank.log.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def close(self) -> None:  # noqa: D102
        self._stop()


def _seconds(amount: float) -> tuple[int, int]:
    """Whole seconds and microseconds."""
    return int(amount), int(amount % 1 * 1_000_000)
