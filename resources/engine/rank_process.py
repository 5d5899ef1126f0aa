"""One rank of a split model: the program that :mod:`resources.engine.split_engine` starts for each part."""

import os
import pickle
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import torch

from resources.engine.engine import LocalEngine
from resources.engine.generation import Generation
from resources.engine.model_spec import ModelSpec
from resources.engine.rows import Row

PARENT_POLL_S = 0.5
COLLECTIVE_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True)
class Job:
    """A batch to compute, the same for all ranks."""

    rows: list[Row]
    max_new_tokens: int


@dataclass(frozen=True)
class Ready:
    """The model is loaded."""


@dataclass(frozen=True)
class Generated:
    """What the batch came to; all ranks compute the same, the first one sends it."""

    generations: list[Generation]


@dataclass(frozen=True)
class Failed:
    """Why a rank cannot go on; ``lost_others`` where it noticed that another rank is gone or late."""

    reason: str
    out_of_memory: bool = False
    lost_others: bool = False


Message = Ready | Generated | Failed


def main(descriptor: int, parent: int) -> None:
    """Load the model that comes first over the socket, then answer batches until the other end closes."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    connection = Connection(descriptor)
    try:
        _serve(connection)
    except EOFError:
        return
    except torch.OutOfMemoryError as error:
        _send(connection, Failed(str(error), out_of_memory=True))
    except Exception as error:  # noqa: BLE001 - reported to the parent, which ends all ranks
        _send(connection, Failed(f"{type(error).__name__}: {error}", lost_others=_comes_from_others(error)))
    finally:
        # The other ranks may be waiting in a collective; a clean shutdown would wait for them.
        os._exit(0)


def _serve(connection: Connection) -> None:
    spec: ModelSpec = _receive(connection)
    device = _join(spec)
    engine = LocalEngine(spec, device)
    _send(connection, Ready())
    while True:
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


def _end_with(parent: int) -> None:
    """End this process soon after its parent, even in the middle of a collective."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    os._exit(1)


if __name__ == "__main__":
    # As an importable module, not as __main__: the messages are pickled under its name.
    from resources.engine.rank_process import main as run

    run(int(sys.argv[1]), int(sys.argv[2]))
