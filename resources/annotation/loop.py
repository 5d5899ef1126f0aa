"""The annotation loop: what is still to do, prepared ahead, answered, made durable, accounted for.

This is the one place that runs annotators. It knows no model and no video; what it promises holds for
every annotator: a kill at any instant costs at most the batch in flight, every clip ends in exactly one
status, and an answer can only become the outcome of the clip it was given for.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import pyarrow as pa

from resources.annotation.accounting import Tally, account
from resources.annotation.annotator import Annotator, StreamingAnnotator
from resources.annotation.clip import Clip
from resources.annotation.journal import Journal
from resources.annotation.ladder import BROKEN_AFTER, Ladder, Result
from resources.annotation.outcome import (
    AnnotatorError,
    Answer,
    AnsweredError,
    ClipError,
    ErrorKind,
    Outcome,
    Redo,
    Status,
)
from resources.annotation.outcome_table import outcomes_to_table
from resources.annotation.prefetch import Prepared, prepare_ahead
from resources.annotation.progress import Progress, ShardProgress, untold
from resources.annotation.storable import failed, storable
from resources.annotation.store import Recorded, ShardStore, recorded_outcomes

_UNREADABLE_AT_ONCE = 16


@dataclass(frozen=True)
class LoopOptions:
    """How the loop runs; nothing here can change an answer.

    Args:
        run_id: recorded in every outcome; with `Redo`, outcomes of this very run are not done again.
        prepare_workers: threads that prepare clips ahead of the model.
        redo: recorded outcomes to replace.
        redo_kinds: with `Redo.FAILED`, only failures of these kinds; empty for every kind.
        lock_timeout_s: seconds to wait for another process that holds this shard and annotator.
        log: receives a progress line every few seconds.
        tell: receives the progress when a shard is opened and after every batch.
    """

    run_id: str = "local"
    prepare_workers: int = 2
    redo: Redo = Redo.NOTHING
    redo_kinds: frozenset[ErrorKind] = frozenset()
    lock_timeout_s: float = 0.0
    log: Callable[[str], None] = print
    tell: Callable[[ShardProgress], None] = untold


@dataclass(frozen=True)
class ShardReport:
    """What one shard × annotator came to.

    ``outcomes`` has one row a clip in the order of the shard (columns of OUTCOME_SCHEMA); ``annotated`` is
    the number of clips answered in this call, ``seconds`` its wall time and ``model_seconds`` the part spent
    inside the annotator. ``isolated`` counts the batches that failed and were done clip by clip.
    """

    tally: Tally
    outcomes: pa.Table
    annotated: int
    seconds: float
    model_seconds: float
    isolated: int = 0


def annotate_shard(
    annotator: Annotator, clips: Sequence[Clip], store: ShardStore, options: LoopOptions
) -> ShardReport:
    """Bring one shard to a terminal outcome for every clip and checkpoint it into the lake.

    Raises:
        ShardBusyError: another process holds this shard and annotator.
        AnnotatorError: the annotator became unusable; everything answered so far is safe in the journal.
        AccountingError: the rows do not match the clips one to one; the lake file is left as it was.
    """
    started = time.monotonic()
    with store.locked(options.lock_timeout_s) as journal:
        recorded = recorded_outcomes(store.outcomes(journal))
        reasons = {
            clip.id: reason
            for clip in clips
            if (reason := _skip_reason(annotator, clip))
            and not _is_answered(annotator, clip, recorded.get(clip.id))
        }
        skipped = [
            Outcome(clip_id, Status.SKIPPED, error=reason, run_id=options.run_id)
            for clip_id, reason in reasons.items()
            if clip_id not in recorded
            or (recorded[clip_id].status, recorded[clip_id].error) != (Status.SKIPPED, reason)
        ]
        todo = [
            clip
            for clip in clips
            if clip.id not in reasons
            and clip.probe_error is None
            and _is_todo(annotator, clip, recorded.get(clip.id), options)
        ]
        # Clips that were never tried come first: what they do says whether the annotator works at all.
        todo.sort(key=lambda clip: clip.id in recorded)
        annotator.check(todo)
        options.log(
            f"{annotator.recipe.annotator} {store.shard}: {len(clips)} clips, "
            f"{len(todo)} to do, {len(reasons)} skipped, "
            f"{len(clips) - len(todo) - len(reasons)} done before"
        )
        begun = ShardProgress(store.recipe.annotator, store.shard, len(clips), len(clips) - len(todo))
        options.tell(begun)
        ladder = Ladder(
            annotator.annotate,
            annotator.batch_size,
            may_be_broken=any(clip.id not in recorded for clip in todo),
            log=options.log,
        )
        model_seconds = _annotate(annotator, ladder, todo, recorded, journal, options, begun) if todo else 0.0
        outcomes = _in_shard_order(clips, store.outcomes(journal), outcomes_to_table(skipped))
        tally = account(
            (clip.id for clip in clips),
            zip(outcomes["id"].to_pylist(), outcomes["status"].to_pylist(), strict=True),
        )
        store.checkpoint(outcomes, journal)
    seconds = time.monotonic() - started
    return ShardReport(tally, outcomes, len(todo), seconds, model_seconds, ladder.isolated)


def _skip_reason(annotator: Annotator, clip: Clip) -> str | None:
    return f"not readable: {clip.probe_error}" if clip.probe_error else annotator.skip_reason(clip)


def _is_answered(annotator: Annotator, clip: Clip, before: Recorded | None) -> bool:
    """Is there an answer for this very content? It stays, even while the file itself is away."""
    return before is not None and before.status is Status.OK and before.input_key == annotator.input_key(clip)


def _is_todo(annotator: Annotator, clip: Clip, before: Recorded | None, options: LoopOptions) -> bool:
    if before is None or before.status is Status.SKIPPED or before.input_key != annotator.input_key(clip):
        return True
    if before.error_kind is not None and not before.error_kind.is_final:
        return True
    if before.run_id == options.run_id:
        return False
    if options.redo is Redo.FAILED and before.status is Status.FAILED:
        return not options.redo_kinds or before.error_kind in options.redo_kinds
    return options.redo is Redo.ALL


def _annotate(
    annotator: Annotator,
    ladder: Ladder,
    todo: Sequence[Clip],
    recorded: dict[str, Recorded],
    journal: Journal,
    options: LoopOptions,
    begun: ShardProgress,
) -> float:
    """Answer for every clip of ``todo`` and journal it; the seconds spent inside the annotator."""
    unreadable: list[tuple[Clip, ClipError]] = []
    expected = {clip.id for clip in todo}
    model_seconds = 0.0
    # The first clips say whether the annotator works at all: whether any could be prepared, or was answered.
    works = not ladder.may_be_broken
    broken = 0

    def count_broken(results: Sequence[tuple[Clip, Result]]) -> None:
        nonlocal works, broken
        works = works or any(isinstance(result, Answer | AnsweredError) for _, result in results)
        for _, result in results if not works else ():
            broken += isinstance(result, ClipError) and result.kind is ErrorKind.INTERNAL
            if broken >= BROKEN_AFTER:
                raise AnnotatorError(f"the first {broken} clips failed, the last with {result}")

    def record(results: Sequence[tuple[Clip, Result]]) -> None:
        count_broken(results)
        for clip, _ in results:
            if clip.id not in expected:
                raise RuntimeError(
                    f"{annotator.recipe.annotator} answered for '{clip.id}', which it was not asked"
                )
            expected.remove(clip.id)
        outcomes = [_outcome(annotator, clip, result, recorded, options) for clip, result in results]
        if outcomes:
            journal.append(outcomes)
            progress.update(len(outcomes), sum(one.status is Status.FAILED for one in outcomes))

    def readable(prepared: Iterator[Prepared | tuple[Clip, ClipError]]) -> Iterator[Prepared]:
        for item in prepared:
            if isinstance(item, Prepared):
                nonlocal works
                works = works or not isinstance(annotator, StreamingAnnotator)
                yield item
            else:
                unreadable.append(item)
            if len(unreadable) >= _UNREADABLE_AT_ONCE:
                record(unreadable)
                unreadable.clear()

    ahead = prepare_ahead(
        annotator.prepare,
        todo,
        workers=options.prepare_workers,
        lookahead=2 * annotator.batch_size + options.prepare_workers,
    )
    chunks = _stream(annotator, ladder, readable(ahead))
    progress = Progress(begun, options.log, options.tell)
    try:
        while (chunk := next(chunks, None)) is not None:
            seconds, answered = chunk
            model_seconds += seconds
            record([*answered, *unreadable])
            unreadable.clear()
        record(unreadable)
    finally:
        chunks.close()
        ahead.close()
    return model_seconds


_SPENT = ("finish_reason", "tokens_in", "tokens_out", "seconds", "cost_usd", "details")
Chunk = tuple[float, Sequence[tuple[Clip, Result]]]


def _stream(annotator: Annotator, ladder: Ladder, items: Iterator[Prepared]) -> Generator[Chunk, None, None]:
    """The answers in chunks, each with the seconds that the model took for it."""
    if isinstance(annotator, StreamingAnnotator):
        started = time.monotonic()
        for answered in annotator.stream(items):
            yield time.monotonic() - started, [(item.clip, result) for item, result in answered]
            started = time.monotonic()
        return
    while batch := list(islice(items, ladder.batch_size)):
        # Frames are large: what this batch was given must be gone before the next one is put together.
        clips, payloads = [item.clip for item in batch], [item.payload for item in batch]
        del batch
        started = time.monotonic()
        results = ladder.run(payloads)
        del payloads
        yield time.monotonic() - started, list(zip(clips, results, strict=True))


def _outcome(
    annotator: Annotator, clip: Clip, result: Result, recorded: dict[str, Recorded], options: LoopOptions
) -> Outcome:
    answer = result if isinstance(result, Answer) else result.answer
    spent = {name: getattr(answer, name) for name in _SPENT} if answer is not None else {}
    outcome = Outcome(
        clip.id,
        Status.OK,
        annotator.input_key(clip),
        **spent,
        attempt=1 + (recorded[clip.id].attempt if clip.id in recorded else 0),
        run_id=options.run_id,
    )
    if isinstance(result, Answer):
        return storable(replace(outcome, value=result.value), clip)
    return storable(failed(outcome, clip, result.kind, result.message), clip)


def _in_shard_order(clips: Sequence[Clip], outcomes: pa.Table, skipped: pa.Table) -> pa.Table:
    """One row a clip, in shard order; a clip that is skipped now is skipped whatever was recorded before."""
    table = pa.concat_tables([outcomes, skipped])
    rows = {clip_id: row for row, clip_id in enumerate(table["id"].to_pylist())}
    return table.take(pa.array([rows[clip.id] for clip in clips if clip.id in rows], pa.int64()))
