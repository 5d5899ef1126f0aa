"""One rank of a split model at work: joins the others, loads its part, computes batches."""

import os
import pickle
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import torch

from resources.annotation.outcome import AnnotatorError
from resources.engine.engine import LocalEngine
from resources.engine.model_spec import ModelSpec
from resources.engine.rank_messages import Failed, Generated, Job, Message, Ready

COLLECTIVE_TIMEOUT = timedelta(minutes=30)


def serve(connection: Connection) -> None:
    """Load the model that comes first over the socket, then answer batches until the other end closes.

    A failure is reported and ends the rank: after it, the ranks no longer agree on what comes next.
    """
    engine: LocalEngine | None = None
    try:
        engine = _load(connection)
        while True:
            _answer(connection, engine)
    except EOFError:
        return
    except torch.OutOfMemoryError as error:
        _send(connection, Failed(str(error), out_of_memory=True))
    except Exception as error:  # noqa: BLE001 - reported to the parent, which ends all ranks
        lost = _comes_from_others(error)
        unexpected = engine is not None and not lost and not isinstance(error, AnnotatorError)
        _send(connection, Failed(f"{type(error).__name__}: {error}", lost_others=lost, computing=unexpected))


def _load(connection: Connection) -> LocalEngine:
    spec: ModelSpec = _receive(connection)
    engine = LocalEngine(spec, _join(spec))
    _send(connection, Ready())
    return engine


def _answer(connection: Connection, engine: LocalEngine) -> None:
    job: Job = _receive(connection)
    generations = engine.generate(job.rows, job.max_new_tokens)
    _send(connection, Generated(generations if os.environ["RANK"] == "0" else []))


def _join(spec: ModelSpec) -> torch.device:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if spec.placement.on_cuda:
        device = torch.device("cuda", rank)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    torch.distributed.init_process_group(
        "nccl" if spec.placement.on_cuda else "gloo",
        init_method=os.environ["VIDCAP_MEETING"],
        rank=rank,
        world_size=size,
        timeout=COLLECTIVE_TIMEOUT,
        device_id=device if spec.placement.on_cuda else None,
    )
    return device


def _comes_from_others(error: Exception) -> bool:
    """Is this what a collective says when another rank is gone? Gloo has no exception type of its own."""
    return isinstance(error, torch.distributed.DistError) or any(
        name in str(error) for name in ("gloo", "NCCL", "Connection closed by peer")
    )


def _receive(connection: Connection) -> Any:
    return pickle.loads(connection.recv_bytes())


def _send(connection: Connection, message: Message) -> None:
    connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
