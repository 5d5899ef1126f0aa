import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resources.annotation.outcome import AnnotatorError
from resources.engine.device_lease import lease_devices, visible_devices

HOLDER = """
import sys, time
from pathlib import Path
from resources.engine.device_lease import lease_devices
lease = lease_devices(["0", "1"], count=int(sys.argv[2]), timeout_s=0, folder=Path(sys.argv[1]))
print(*lease.indices, flush=True)
time.sleep(600)
"""


def holder(folder: Path, count: int = 1) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), str(count)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip()
    return process


def test_two_processes_never_share_a_device_and_a_killed_one_frees_its_own(tmp_path: Path) -> None:
    first, second = holder(tmp_path), holder(tmp_path)
    try:
        with pytest.raises(
            AnnotatorError, match=f"no 1 free device.*process {first.pid}.*process {second.pid}"
        ):
            lease_devices(["0", "1"], timeout_s=0, folder=tmp_path)
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert lease_devices(["0", "1"], timeout_s=60, folder=tmp_path).indices == (0,)
    finally:
        for process in (first, second):
            process.kill()
            process.wait()


def test_two_devices_are_taken_together_or_not_at_all(tmp_path: Path) -> None:
    one = lease_devices(["0", "1"], folder=tmp_path)
    with pytest.raises(AnnotatorError, match="no 2 free device"):
        lease_devices(["0", "1"], count=2, timeout_s=0, folder=tmp_path)
    other = lease_devices(["0", "1"], timeout_s=0, folder=tmp_path)
    assert {*one.indices, *other.indices} == {0, 1}


def test_a_released_device_is_had_by_who_waits(tmp_path: Path) -> None:
    lease = lease_devices(["0"], folder=tmp_path)
    released = threading.Event()

    def release() -> None:
        released.set()
        lease.release()

    threading.Timer(0.3, release).start()
    assert lease_devices(["0"], timeout_s=120, folder=tmp_path).indices == (0,)
    assert released.is_set(), "it was had before it was released"


def test_a_named_device_is_waited_for_though_another_is_free(tmp_path: Path) -> None:
    lease_one = lease_devices(["0", "1"], wanted=1, folder=tmp_path)
    assert lease_one.indices == (1,)
    with pytest.raises(AnnotatorError, match="no 1 free device"):
        lease_devices(["0", "1"], wanted=1, timeout_s=0, folder=tmp_path)


@pytest.mark.parametrize(("count", "wanted"), [(3, None), (1, 2)])
def test_devices_that_do_not_exist_are_not_waited_for(count: int, wanted: int | None, tmp_path: Path) -> None:
    with pytest.raises(AnnotatorError, match="only 2 visible"):
        lease_devices(["0", "1"], count=count, wanted=wanted, timeout_s=60, folder=tmp_path)


@pytest.mark.parametrize(
    ("variable", "names"),
    [(None, ["0", "1"]), ("3,5", ["3", "5"]), ("GPU-aa, GPU-bb", ["GPU-aa", "GPU-bb"]), ("7", ["7"])],
)
def test_devices_are_known_by_their_machine_wide_names(
    variable: str | None, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_devices(len(names)) == names
