"""max_cost_usd: never passed, shared by the processes of a run, and what is left is left to do."""

import threading

import pytest
from misbehaving_server import Act
from numbered_clips import NumberedFrames, clips

from resources.annotation.outcome import AnnotatorError
from resources.captioners.openai.kind import OpenAI
from resources.captioners.openai.spending import Spending

COST = (100 * 10 + 20 * 100) / 1e6


def kinds(report):
    return [row["error_kind"] or row["status"] for row in report.outcomes.to_pylist()]


def test_a_run_stops_before_its_budget_is_passed_and_leaves_the_rest_to_do(server, captioner, run):
    annotator = captioner(max_cost_usd=0.2, max_concurrency=8)
    report = run(annotator, clips(100))
    answered = kinds(report).count("ok")
    assert kinds(report).count("budget") == 100 - answered
    assert sum(report.outcomes["cost_usd"].drop_null().to_pylist()) == pytest.approx(answered * COST)
    assert 0.2 - 0.08 < answered * COST <= 0.2
    assert server.charged.total() == answered
    again = run(captioner(), clips(100), run_id="next")
    assert set(kinds(again)) == {"ok"}
    assert set(server.charged.values()) == {1}


def test_a_budget_for_less_than_one_request_sends_none(server, captioner, run):
    assert set(kinds(run(captioner(max_cost_usd=0.001), clips(5)))) == {"budget"}
    assert not server.received


def test_clips_beyond_the_budget_are_not_even_decoded(captioner, run):
    frames = NumberedFrames()
    run(captioner(frames=frames, max_cost_usd=0.001, max_concurrency=2), clips(200))
    assert frames.read_count < 30


def test_the_real_size_of_requests_is_learned_before_many_are_sent(server, captioner, run):
    dear = {"prompt_tokens": 50_000, "completion_tokens": 20, "total_tokens": 50_020}
    server.default = Act(usage=dear)
    report = run(captioner(max_cost_usd=3.0, max_concurrency=16), clips(50))
    spent = sum(report.outcomes["cost_usd"].drop_null().to_pylist())
    assert 1.5 < spent <= 3.0


def test_answers_that_were_lost_on_the_way_count_as_spent(server, captioner, run, tmp_path):
    server.script = {0: [Act(drop=True)] * 3}
    run(captioner(max_cost_usd=1.0, spend_file=tmp_path / "spend"), clips(1))
    other = Spending(1.0, tmp_path / "spend")
    other.reserve(0.0)
    assert other._total > 3 * 300 * 100 / 1e6


def test_a_retried_process_of_the_same_run_goes_on_with_the_same_budget(server, captioner, run, tmp_path):
    record = tmp_path / "spend" / "run-1.jsonl"
    first = run(captioner(max_cost_usd=0.2, spend_file=record), clips(100))
    second = run(captioner(max_cost_usd=0.2, spend_file=record), clips(100), run_id="retry")
    assert kinds(second).count("ok") - kinds(first).count("ok") <= 1
    assert server.charged.total() * COST <= 0.2


def test_the_budget_holds_over_all_runs_until_it_is_raised(server, captioner, run, tmp_path):
    """A hundred shards in thirteen runs: what all of them spend is at most the budget of the collection."""
    record = tmp_path / "spend.sqlite"
    for number in range(13):
        annotator = captioner(max_cost_usd=0.5, spend_file=record, run_id=f"run-{number}")
        run(annotator, clips(20, start=20 * number), run_id=f"run-{number}")
        assert server.charged.total() * COST <= 0.5
    assert server.charged.total() * COST > 0.5 - 0.07
    raised = captioner(max_cost_usd=0.8, spend_file=record, run_id="raised")
    run(raised, clips(260), run_id="raised")
    assert 0.5 < server.charged.total() * COST <= 0.8


def test_a_run_may_have_a_part_of_the_budget(server, captioner, run, tmp_path):
    record = tmp_path / "spend.sqlite"
    for number in range(3):
        annotator = captioner(
            max_cost_usd=10, max_cost_usd_per_run=0.2, spend_file=record, run_id=f"run-{number}"
        )
        run(annotator, clips(300), run_id=f"run-{number}")
        assert server.charged.total() * COST <= 0.2 * (number + 1)
    assert server.charged.total() * COST > 0.3


@pytest.mark.parametrize("changes", [{"paid": True}, {"paid": True, "max_cost_usd_per_run": 1.0}])
def test_what_costs_money_does_not_run_without_a_budget(server, captioner, run, changes):
    with pytest.raises(
        AnnotatorError, match=r"has no budget; estimate .* 5 clips.*set max_cost_usd"
    ) as refused:
        run(captioner(**changes), clips(5))
    assert not refused.value.retryable
    assert not server.received


def test_openai_itself_costs_money_and_a_server_of_ones_own_does_not():
    assert OpenAI(name="a").paid
    assert not OpenAI(name="a", base_url="http://localhost:8000/v1").paid
    assert OpenAI(name="a", base_url="https://router.example/v1", paid=True).paid


def test_a_model_without_a_price_cannot_have_a_budget(captioner):
    with pytest.raises(AnnotatorError, match=r"price of 'other' at 127\.0\.0\.1 is unknown"):
        captioner(model="other", max_cost_usd=1.0)


def test_a_server_of_ones_own_is_not_priced_as_openai(captioner, run):
    assert "price unknown" in captioner(model="gpt-4o").estimate(clips(1))
    report = run(captioner(model="gpt-4o"), clips(2))
    assert report.outcomes["cost_usd"].null_count == 2
    named = captioner(model="gpt-4o", prices={"gpt-4o": {"input": 1.0, "output": 1.0}})
    assert "about $" in named.estimate(clips(1))


def test_a_model_without_a_price_has_no_cost_and_says_so(captioner, run):
    notes = []
    report = run(captioner(model="other", log=notes.append), clips(2))
    assert report.outcomes["cost_usd"].null_count == 2
    assert "2 clips, 2 frames" in notes[0]
    assert "price of 'other' is unknown" in notes[1]


def test_the_estimate_counts_clips_frames_tokens_and_dollars(captioner):
    line = captioner(base_url=None, model="gpt-4o", num_frames=3, max_cost_usd=5.0).estimate(clips(1000))
    assert "1000 clips, 3000 frames" in line
    assert "about $" in line
    assert "limit $5.0000" in line
    openai = {"base_url": None, "model": "gpt-4o"}
    live, batch = captioner(**openai), captioner(**openai, batch_api=True, batch_folder="unused")
    usage = live.likely_usage(clips(10))
    assert batch._spending.cost(usage) == pytest.approx(live._spending.cost(usage) / 2)


def test_processes_of_one_run_share_the_limit(tmp_path):
    shared = [Spending(1.0, tmp_path / "spend") for _ in range(4)]
    granted = []

    def spend(spending):
        while (reservation := spending.reserve(0.03)) is not None:
            granted.append(reservation)
            spending.settle(reservation, 0.02)

    threads = [threading.Thread(target=spend, args=[each]) for each in shared]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.9 < 0.02 * len(granted) <= 1.0


def test_the_reservations_of_a_killed_process_count_as_spent(tmp_path):
    Spending(1.0, tmp_path / "spend").reserve(0.9)
    assert Spending(1.0, tmp_path / "spend").reserve(0.2) is None
    assert Spending(1.0, tmp_path / "spend").reserve(0.1) is not None


@pytest.mark.parametrize("limit", [-1.0, float("nan")])
def test_an_impossible_limit_is_refused(limit):
    with pytest.raises(ValueError, match="at least 0"):
        Spending(limit)


def test_a_free_model_never_runs_out(captioner, run):
    free = captioner(prices={"test-model": {"input": 0.0, "output": 0.0}}, max_cost_usd=0.0)
    assert set(kinds(run(free, clips(3)))) == {"ok"}
