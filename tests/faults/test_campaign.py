"""A slice of the campaign; `make faults` runs all of it for as long as you like."""

import pytest

from tests.faults.campaign import Campaign, campaign
from tests.faults.faults import EVERY, MOUNTS, journal_cut_short, kill_run, together
from tests.faults.world import can_mount


@pytest.fixture(scope="module")
def tried():
    with campaign() as it:
        yield it


@pytest.mark.parametrize("fault", [kill_run, together, journal_cut_short])
def test_the_same_command_again_brings_what_an_undisturbed_run_brings(tried: Campaign, fault):
    assert tried.survives(1, (fault,), whole=False) == (fault.__name__, None)


@pytest.mark.slow
@pytest.mark.parametrize("fault", EVERY)
def test_every_fault_once(tried: Campaign, fault, tmp_path):
    if fault in MOUNTS and not can_mount(tmp_path):
        pytest.skip("nothing can be mounted here")
    assert tried.survives(2, (fault,), whole=False) == (fault.__name__, None)


@pytest.mark.slow
def test_vidcap_run_with_all_its_processes_survives_a_kill(tried: Campaign):
    assert tried.survives(3, (kill_run,), whole=True) == (kill_run.__name__, None)
