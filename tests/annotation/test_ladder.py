import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.annotation.ladder import Ladder
from resources.annotation.outcome import AnnotatorError, Answer, ErrorKind


def echo(items):
    return [Answer(str(item)) for item in items]


def values(results):
    return [result.value if isinstance(result, Answer) else result.kind for result in results]


def test_out_of_memory_halves_and_remembers_what_fitted():
    sizes = []

    def annotate(items):
        sizes.append(len(items))
        if len(items) > 3:
            raise MemoryError("too big")
        return echo(items)

    ladder = Ladder(annotate, 12)
    assert values(ladder.run(range(12))) == [str(i) for i in range(12)]
    assert ladder.batch_size == 3
    sizes.clear()
    ladder.run(range(ladder.batch_size))
    assert sizes == [3]


def test_one_huge_clip_does_not_slow_the_rest_for_long():
    def annotate(items):
        if "huge" in items and len(items) >= 1:
            raise MemoryError("huge")
        return echo(items)

    ladder = Ladder(annotate, 8)
    results = ladder.run([0, 1, 2, "huge", 4, 5, 6, 7])
    assert values(results) == ["0", "1", "2", ErrorKind.OUT_OF_MEMORY, "4", "5", "6", "7"]
    assert ladder.batch_size == 4
    for _ in range(32):
        ladder.run(range(ladder.batch_size))
    assert ladder.batch_size == 8


def test_a_poison_clip_fails_alone_with_its_reason():
    def annotate(items):
        if 2 in items:
            raise ValueError("cannot digest 2")
        return echo(items)

    results = Ladder(annotate, 4).run([0, 1, 2, 3])
    assert values(results) == ["0", "1", ErrorKind.INTERNAL, "3"]
    assert "ValueError: cannot digest 2" in results[2].message


def test_a_wrong_number_of_answers_is_never_zipped():
    results = Ladder(lambda items: echo(items)[:1] if len(items) > 1 else echo(items), 4).run(["a", "b"])
    assert values(results) == ["a", "b"]


def test_unexpected_errors_from_the_start_blame_the_annotator():
    def annotate(items):
        raise RuntimeError("device lost")

    with pytest.raises(AnnotatorError, match=r"the first 8 clips failed.*device lost"):
        Ladder(annotate, 16).run(range(16))
    results = Ladder(annotate, 16, may_be_broken=False).run(range(16))
    assert {result.kind for result in results} == {ErrorKind.INTERNAL}


def test_many_poison_clips_after_a_success_blame_nobody_else():
    def annotate(items):
        if items[0] > 3:
            raise ValueError("poison")
        return echo(items)

    ladder = Ladder(annotate, 1)
    results = [ladder.run([item])[0] for item in range(20)]
    assert values(results) == ["0", "1", "2", "3", *[ErrorKind.INTERNAL] * 16]


def test_an_unusable_annotator_stops_at_once():
    calls = []

    def annotate(items):
        calls.append(items)
        raise AnnotatorError("wrong key")

    with pytest.raises(AnnotatorError, match="wrong key"):
        Ladder(annotate, 4).run(range(4))
    assert len(calls) == 1


@given(
    fits=st.integers(0, 20),
    batch=st.integers(1, 20),
    poison=st.sets(st.integers(0, 60)),
    count=st.integers(0, 60),
)
def test_no_failure_moves_an_answer_to_another_item(fits, batch, poison, count):
    def annotate(items):
        if len(items) > fits:
            raise MemoryError
        if poison & set(items):
            raise ValueError("poison")
        return echo(items)

    ladder = Ladder(annotate, batch)
    start = 0
    try:
        while start < count:
            items = list(range(start, min(start + ladder.batch_size, count)))
            for item, result in zip(items, ladder.run(items), strict=True):
                if fits == 0:
                    assert result.kind is ErrorKind.OUT_OF_MEMORY
                elif item in poison:
                    assert result.kind is ErrorKind.INTERNAL
                else:
                    assert result.value == str(item)
            start += len(items)
    except AnnotatorError:
        assert len(poison) >= 8


def test_the_first_error_of_each_kind_is_told_and_isolated_batches_are_counted():
    told: list[str] = []

    def annotate(batch):
        if len(batch) > 1:
            raise ValueError("one of them is bad")
        return [Answer(item) for item in batch]

    ladder = Ladder(annotate, 4, log=told.append)
    for _ in range(3):
        assert [answer.value for answer in ladder.run(["a", "b", "c"])] == ["a", "b", "c"]
    assert ladder.isolated == 3
    assert told == ["a batch of 3 clips failed and is done in smaller ones: ValueError: one of them is bad"]
