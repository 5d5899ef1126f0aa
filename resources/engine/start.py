"""From a description of a model to a running engine: devices are leased here."""

from collections.abc import Sequence

import torch

from resources.engine.device_lease import DeviceLease, lease_devices, visible_devices
from resources.engine.engine import Engine, LocalEngine
from resources.engine.generation import Generation
from resources.engine.model_spec import ModelSpec
from resources.engine.rows import Row
from resources.engine.throughput import Throughput


class LeasedEngine(Engine):
    """An engine together with the devices that it computes on."""

    def __init__(self, engine: Engine, lease: DeviceLease) -> None:
        self._engine = engine
        self._lease = lease

    @property
    def throughput(self) -> Throughput:  # type: ignore[override]
        """That of the engine inside."""
        return self._engine.throughput

    def generate(self, rows: Sequence[Row], max_new_tokens: int) -> list[Generation]:  # noqa: D102
        return self._engine.generate(rows, max_new_tokens)

    def close(self) -> None:  # noqa: D102
        try:
            self._engine.close()
        finally:
            self._lease.release()


def start_engine(spec: ModelSpec, lease_timeout_s: float, answer_timeout_s: float) -> Engine:
    """Lease the devices that the placement asks for and load the model; a CPU is not leased.

    Raises:
        AnnotatorError: no device, no weights, or a placement that cannot be computed here.
    """
    placement = spec.placement
    placement.check_runtime()
    if not placement.on_cuda:
        return _start(spec, torch.device("cpu"), (), answer_timeout_s)
    wanted = torch.device(placement.device).index
    names = visible_devices(torch.cuda.device_count())
    lease = lease_devices(names, placement.parts, wanted, lease_timeout_s)
    try:
        device = torch.device("cuda", lease.indices[0])
        devices = tuple(names[index] for index in lease.indices)
        return LeasedEngine(_start(spec, device, devices, answer_timeout_s), lease)
    except BaseException:
        lease.release()
        raise


def _start(
    spec: ModelSpec, device: torch.device, devices: tuple[str, ...], answer_timeout_s: float
) -> Engine:
    if spec.placement.parts == 1:
        return LocalEngine(spec, device)
    from resources.engine.split_engine import SplitEngine

    return SplitEngine(spec, devices, answer_timeout_s=answer_timeout_s)
