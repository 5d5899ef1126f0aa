"""Preloaded by the process from which the steps of a run are forked: it ends with the run, and they with it.

By itself such a server lives as long as any of its children.
"""

from vidcap_assets.automation.run_process import end_with_parent

end_with_parent()
