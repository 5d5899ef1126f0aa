"""How many CPU cores this process may use: its affinity, and the quota of the container around it."""

import os
from math import ceil
from pathlib import Path


def available_cores(root: Path = Path("/")) -> int:
    """Cores of this process's affinity, or fewer where a control group's CPU quota allows fewer; at least 1.

    A container that is limited to 4 CPUs of a 64-core host sees all 64 in its affinity; the quota (cgroup
    v2 ``cpu.max``, v1 ``cpu.cfs_quota_us``) is what it is held to. ``root`` is where /proc and /sys are.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *(ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> list[float]:
    """Quotas in cores of the control groups from this process's own up to the root of what it can see."""
    membership = root / "proc/self/cgroup"
    if not membership.exists():
        return []
    found = []
    for line in membership.read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            base, read = root / "sys/fs/cgroup", _quota_v2
        elif "cpu" in controllers.split(","):
            base, read = root / "sys/fs/cgroup" / controllers, _quota_v1
        else:
            continue
        folder = base / group.strip("/")
        found += [read(level) for level in (folder, *folder.parents) if level.is_relative_to(base)]
    return [quota for quota in found if quota is not None]


def _quota_v2(folder: Path) -> float | None:
    file = folder / "cpu.max"
    if not file.exists():
        return None
    quota, period = file.read_text().split()
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    file = folder / "cpu.cfs_quota_us"
    if not file.exists():
        return None
    quota = int(file.read_text())
    return None if quota < 0 else quota / int((folder / "cpu.cfs_period_us").read_text())
