import contextlib
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.annotation.annotator import StreamingAnnotator
from resources.annotation.clip import Clip
from resources.annotation.loop import LoopOptions, Redo, annotate_shard
from resources.annotation.outcome import AnnotatorError, Answer, ClipError, ErrorKind
from resources.annotation.prefetch import prepare_ahead
from resources.annotation.recipe import Recipe
from resources.annotation.store import ShardBusyError
from resources.lake.lake import Lake
from resources.storage.files import read_table
from tests.annotation.conftest import SHARD, make_clips
from tests.annotation.echo import EchoAnnotator


class CountingEcho(EchoAnnotator):
    def __init__(self, **options):
        self.seen: Counter[str] = Counter()
        super().__init__(misbehave=self.seen.update, **options)


class UnreadableEcho(CountingEcho):
    def __init__(self, errors: dict[str, Exception], **options):
        super().__init__(**options)
        self._errors = errors

    def prepare(self, clip: Clip) -> Clip:
        if clip.id in self._errors:
            raise self._errors[clip.id]
        return clip


def by_id(report) -> dict[str, dict]:
    return {row["id"]: row for row in report.outcomes.to_pylist()}


def test_unreadable_clips_keep_their_rows_and_shift_nobody(run):
    clips = make_clips(30)
    clips[3] = replace(clips[3], probe_error="no_video_stream: no video stream")
    annotator = UnreadableEcho(
        {"clip-7": ClipError(ErrorKind.DECODE_ERROR, "broken"), "clip-29": KeyError("bug")}, batch_size=4
    )
    report = run(annotator, clips)
    rows = by_id(report)
    assert report.outcomes["id"].to_pylist() == [clip.id for clip in clips]
    assert (report.tally.ok, report.tally.failed, report.tally.skipped) == (27, 2, 1)
    assert rows["clip-3"]["status"] == "skipped"
    assert "no video stream" in rows["clip-3"]["error"]
    assert rows["clip-7"]["error_kind"] == "decode_error"
    assert rows["clip-7"]["error"] == "clip 'clip-7' (/videos/7.mp4): broken"
    assert rows["clip-29"]["error_kind"] == "internal"
    assert all(row["value"] == row["id"] for row in rows.values() if row["status"] == "ok")


def test_answers_outlive_a_storage_that_is_away(run):
    clips = make_clips(4)
    run(CountingEcho(), clips, run_id="one")
    away = [replace(clip, probe_error="missing_file: no such file") for clip in clips]
    assert run(CountingEcho(), away, run_id="two").tally.ok == 4
    back = CountingEcho()
    assert run(back, clips, run_id="three").tally.ok == 4
    assert not back.seen


def test_clips_that_fail_every_time_never_look_like_a_broken_model(run):
    clips = make_clips(30)
    poison = {f"clip-{i}" for i in range(1, 11)}

    def misbehave(ids):
        if poison & set(ids):
            raise ValueError("cannot digest")

    for attempt in (1, 2, 3):
        report = run(EchoAnnotator(misbehave=misbehave), clips, run_id=f"run {attempt}", prepare_workers=1)
        assert (report.tally.ok, report.tally.failed) == (20, 10)
        assert {row["attempt"] for row in report.outcomes.to_pylist() if row["status"] == "failed"} == {
            attempt
        }


def test_unreadable_clips_are_journaled_though_the_model_has_nothing_to_say(run, lake):
    class Interrupted(BaseException):
        pass

    class Unreadable(EchoAnnotator):
        def prepare(self, clip):
            if clip.id == "clip-39":
                raise Interrupted
            raise ClipError(ErrorKind.DECODE_TIMEOUT, "took too long")

    with pytest.raises(Interrupted):
        run(Unreadable(), make_clips(40), prepare_workers=1)
    again = CountingEcho()
    assert run(again, make_clips(40)).tally.failed >= 32


def test_a_finished_shard_is_not_annotated_again(run, lake):
    clips = make_clips(10)
    first = run(CountingEcho(), clips, run_id="one")
    before = lake.file("echo", SHARD).read_bytes()
    again = CountingEcho()
    second = run(again, clips, run_id="two")
    assert not again.seen
    assert second.annotated == 0
    assert second.outcomes.equals(first.outcomes)
    assert lake.file("echo", SHARD).read_bytes() == before


def test_only_failures_that_may_pass_are_tried_again(run):
    clips = make_clips(6)
    errors = {
        "clip-1": ClipError(ErrorKind.DECODE_ERROR, "broken for good"),
        "clip-2": ClipError(ErrorKind.API_ERROR, "server down"),
    }
    run(UnreadableEcho(errors), clips, run_id="one")
    again = CountingEcho()
    rows = by_id(run(again, clips, run_id="two"))
    assert set(again.seen) == {"clip-2"}
    assert (rows["clip-2"]["status"], rows["clip-2"]["attempt"]) == ("ok", 2)
    assert rows["clip-1"]["status"] == "failed"


@pytest.mark.parametrize(
    ("redo", "expected"), [(Redo.FAILED, {"clip-1"}), (Redo.ALL, {f"clip-{i}" for i in range(4)})]
)
def test_redo_reopens_failed_or_all_rows_once_a_run(run, redo, expected):
    clips = make_clips(4)
    run(UnreadableEcho({"clip-1": ClipError(ErrorKind.DECODE_ERROR, "broken")}), clips, run_id="one")
    again = CountingEcho()
    run(again, clips, run_id="two", redo=redo)
    assert set(again.seen) == expected
    retried = CountingEcho()
    run(retried, clips, run_id="two", redo=redo)
    assert not retried.seen, "a retry of the same run must not start over"


def test_redo_of_some_kinds_leaves_the_other_final_failures_alone(run):
    clips = make_clips(4)
    errors = {
        "clip-1": ClipError(ErrorKind.DECODE_ERROR, "broken"),
        "clip-2": ClipError(ErrorKind.REFUSED, "no"),
        "clip-3": ClipError(ErrorKind.API_ERROR, "server down"),
    }
    run(UnreadableEcho(errors), clips, run_id="one")
    again = CountingEcho()
    run(again, clips, run_id="two", redo=Redo.FAILED, redo_kinds=frozenset({ErrorKind.REFUSED}))
    assert set(again.seen) == {"clip-2", "clip-3"}, "what may pass is left to do for any run"


def test_a_changed_recipe_redoes_everything_and_keeps_the_old_answers(run, lake):
    clips = make_clips(5)
    old, new = CountingEcho(), CountingEcho(prompt="new ")
    run(old, clips)
    run(new, clips)
    rows = read_table(lake.file("echo", SHARD)).to_pylist()
    assert len(rows) == 10
    assert {row["value"] for row in rows if row["current"]} == {f"new clip-{i}" for i in range(5)}
    assert {row["value"] for row in rows if not row["current"]} == {f"clip-{i}" for i in range(5)}
    back = CountingEcho()
    report = run(back, clips)
    assert not back.seen, "the answers of the first recipe are still known"
    assert report.outcomes["value"].to_pylist() == [f"clip-{i}" for i in range(5)]


def test_what_an_abandoned_recipe_had_answered_reaches_the_lake(run, lake):
    def gone_after_8(batch):
        if "clip-8" in batch:
            raise AnnotatorError("the server is gone")

    clips = make_clips(12)
    abandoned = EchoAnnotator(misbehave=gone_after_8)
    with pytest.raises(AnnotatorError):
        run(abandoned, clips, prepare_workers=1)
    run(CountingEcho(prompt="new "), clips)
    old = [row for row in read_table(lake.file("echo", SHARD)).to_pylist() if not row["current"]]
    assert {row["fingerprint"] for row in old} == {abandoned.recipe.fingerprint}
    again = CountingEcho()
    run(again, clips)
    answered = {row["id"] for row in old}
    assert answered
    assert set(again.seen) == {clip.id for clip in clips} - answered


def test_changed_content_is_annotated_again_and_nothing_else(run):
    clips = make_clips(5)
    run(CountingEcho(), clips)
    clips[2] = replace(clips[2], content_id="other content")
    again = CountingEcho()
    run(again, clips)
    assert set(again.seen) == {"clip-2"}


def test_an_unusable_annotator_stops_the_shard_but_what_was_answered_is_kept(run):
    clips = make_clips(12)
    calls = 0

    def dies_on_third_batch(ids):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise AnnotatorError("the key was refused")

    with pytest.raises(AnnotatorError, match="the key was refused"):
        run(EchoAnnotator(batch_size=4, misbehave=dies_on_third_batch), clips)
    again = CountingEcho()
    assert run(again, clips).tally.ok == 12
    assert again.seen.total() == 4


def test_a_second_process_on_the_same_shard_is_told_so(run, lake):
    clips = make_clips(3)
    entered, leave = threading.Event(), threading.Event()

    def block(ids):
        entered.set()
        leave.wait(120)

    worker = threading.Thread(target=run, args=(EchoAnnotator(batch_size=3, misbehave=block), clips))
    worker.start()
    assert entered.wait(120)
    try:
        with pytest.raises(ShardBusyError, match="being annotated by another process"):
            run(CountingEcho(), clips)
    finally:
        leave.set()
        worker.join()
    waited = CountingEcho()
    assert run(waited, clips, lock_timeout_s=120).tally.ok == 3
    assert not waited.seen


class BackwardStream(StreamingAnnotator):
    """Holds a few clips in flight and answers the latest first."""

    def __init__(self, lose: str | None = None, double: str | None = None):
        self._lose, self._double = lose, double

    @property
    def recipe(self) -> Recipe:
        return Recipe("stream", {})

    def stream(self, items: Iterator) -> Iterator[list]:
        flight = []
        for item in items:
            flight.append(item)
            if len(flight) == 3:
                yield self._land(flight)
        yield self._land(flight)

    def _land(self, flight: list) -> list:
        landed = [(item, Answer(item.clip.id)) for item in reversed(flight) if item.clip.id != self._lose]
        flight.clear()
        return landed + [pair for pair in landed if pair[0].clip.id == self._double]


def test_a_stream_may_answer_in_any_order(run):
    report = run(BackwardStream(), make_clips(10))
    assert report.outcomes["value"].to_pylist() == [f"clip-{i}" for i in range(10)]


def test_a_stream_that_loses_or_doubles_a_clip_is_caught(run):
    with pytest.raises(Exception, match="1 missing"):
        run(BackwardStream(lose="clip-4"), make_clips(10))
    with pytest.raises(RuntimeError, match="answered for 'clip-4', which it was not asked"):
        run(BackwardStream(double="clip-4"), make_clips(10, codec="other"), run_id="x", redo=Redo.ALL)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_no_fault_ever_swaps_loses_or_doubles_a_row(data):
    """Random batch failures, simulated out-of-memory, unreadable clips and restarts, against the echo."""
    count = data.draw(st.integers(0, 40), "clips")
    clips = make_clips(count)
    for index in data.draw(st.sets(st.integers(0, 39), max_size=5), "unprobed"):
        if index < count:
            clips[index] = replace(clips[index], probe_error="decode_error: not a video")
    unreadable = {f"clip-{i}" for i in data.draw(st.sets(st.integers(0, 39), max_size=5), "unreadable")}
    poison = {f"clip-{i}" for i in data.draw(st.sets(st.integers(0, 39), max_size=5), "poison")}
    fits = data.draw(st.integers(1, 9), "fits")
    kills = data.draw(st.sets(st.integers(0, 25), max_size=4), "killed at call")
    passing = data.draw(st.sets(st.integers(0, 25), max_size=6), "passing fault at call")
    calls = -1

    class Killed(BaseException):
        pass

    def misbehave(ids):
        nonlocal calls
        calls += 1
        if calls in kills:
            raise Killed
        if calls in passing and len(ids) > 1:
            raise OSError("a passing fault of the whole batch")
        if len(ids) > fits:
            raise MemoryError
        if poison & set(ids):
            raise ValueError("poison")

    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        annotator = UnreadableEcho(
            {clip_id: ClipError(ErrorKind.DECODE_ERROR, "broken") for clip_id in unreadable},
            batch_size=data.draw(st.integers(1, 9), "batch"),
        )
        annotator._misbehave = misbehave
        report = None
        while report is None:
            with contextlib.suppress(Killed):
                report = annotate_shard(
                    annotator, clips, lake.store(annotator.recipe, SHARD), LoopOptions(log=lambda line: None)
                )
        assert report.outcomes["id"].to_pylist() == [clip.id for clip in clips]
        for clip, row in zip(clips, report.outcomes.to_pylist(), strict=True):
            if clip.probe_error:
                assert row["status"] == "skipped"
            elif clip.id in unreadable:
                assert (row["status"], row["error_kind"]) == ("failed", "decode_error")
            elif clip.id in poison:
                assert (row["status"], row["error_kind"]) == ("failed", "internal")
            else:
                assert (row["status"], row["value"]) == ("ok", clip.id)


def test_preparing_never_runs_further_ahead_than_allowed():
    lock, started, taken, most = threading.Lock(), 0, 0, 0

    def prepare(clip: Clip) -> Clip:
        nonlocal started, most
        with lock:
            started += 1
            most = max(most, started - taken)
        return clip

    for _ in prepare_ahead(prepare, make_clips(50), workers=4, lookahead=6):
        time.sleep(0.001)
        with lock:
            taken += 1
    assert started == 50
    assert most <= 7, "six ahead and the one in hand"


def test_a_slow_clip_holds_up_nobody():
    release = threading.Event()

    def prepare(clip: Clip) -> Clip:
        if clip.id == "clip-0":
            release.wait(120)
        return clip

    ready = prepare_ahead(prepare, make_clips(8), workers=2, lookahead=4)
    first = [next(ready).clip.id for _ in range(7)]
    assert "clip-0" not in first
    release.set()
    assert next(ready).clip.id == "clip-0"
    assert not list(ready)


class Unstorable(EchoAnnotator):
    """Gives one clip of each batch what it is told to, as an annotator by somebody else may."""

    def __init__(self, fields: dict):
        super().__init__(batch_size=4)
        self._fields, self.batches = fields, 0

    def annotate(self, batch):
        self.batches += 1
        answers = super().annotate(batch)
        return [replace(answers[0], cost_usd=0.5, **self._fields), *answers[1:]]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"details": {"score": np.float32(0.5)}}, r"details['score'] must be plain JSON"),
        ({"details": {"scores": [1, np.int64(2)]}}, r"details['scores'][1] must be plain JSON"),
        ({"details": {1: "a"}}, "has the key 1, which is no text"),
        ({"details": {"score": float("nan")}}, "details['score'] is nan, which JSON does not have"),
        ({"details": np.zeros(2)}, "details must be plain JSON"),
        ({"value": 5}, "value must be a text, not int"),
        ({"tokens_in": np.int64(3)}, "tokens_in must be a whole number, not int64"),
        ({"seconds": float("inf")}, "seconds must be a finite number, not inf"),
    ],
)
def test_an_answer_that_cannot_be_stored_costs_its_clip_and_not_the_batch(run, fields, said):
    annotator = Unstorable(fields)
    report = run(annotator, make_clips(4))
    first, *others = by_id(report).values()
    assert (first["status"], first["error_kind"], first["value"]) == ("failed", "internal", None)
    assert said in first["error"]
    assert first["cost_usd"] == 0.5, "what was paid is not forgotten"
    assert [row["status"] for row in others] == ["ok"] * 3
    assert annotator.batches == 1, "nothing is asked twice"


def test_an_annotator_that_can_prepare_no_clip_is_itself_to_blame(run, lake) -> None:
    broken = UnreadableEcho({f"clip-{i}": TypeError("int // NoneType") for i in range(24)})
    with pytest.raises(
        AnnotatorError, match=r"the first 8 clips failed.*preparing: TypeError: int // NoneType"
    ):
        run(broken, make_clips(24))
    store = lake.store(broken.recipe, SHARD)
    with store.locked() as journal:
        assert store.outcomes(journal).num_rows == 0


def test_clips_that_cannot_be_prepared_fail_alone_where_others_can(run) -> None:
    poison = UnreadableEcho({f"clip-{i}": TypeError("int // NoneType") for i in range(1, 24)})
    report = run(poison, make_clips(24))
    assert (report.tally.ok, report.tally.failed) == (1, 23)
