"""Preloaded by the process from which the steps of a run are forked: it ends with the run, and they with it.

By itself such a server lives as long as any of its children.
"""

import os

from vidcap_assets.automation.run_process import end_with_parent

_SERVER = os.getpid()


def _follow() -> None:
    if os.getppid() == _SERVER:
        end_with_parent()


end_with_parent()
os.register_at_fork(after_in_child=_follow)
