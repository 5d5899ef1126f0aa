"""The Batch API: half the price, answers within a day; submitted in one run, collected in a later one.

A job is remembered before it is submitted and forgotten after its answers are safe. A kill in between leaves
a record without the server's id; the job is then looked for by its token before it is submitted again.
"""

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, Any, TypeVar

from anyio.from_thread import BlockingPortal
from upath import UPath

from resources.annotation.clip import Clip
from resources.annotation.outcome import AnnotatorError, Answer, ClipError, ErrorKind, SetupError
from resources.annotation.prefetch import Prepared
from resources.captioners.openai.batch_records import JobRecord, JobRecords
from resources.captioners.openai.endpoint import Endpoint
from resources.captioners.openai.failures import Cause, Failure, backoff_s
from resources.captioners.openai.live import Chunk
from resources.captioners.openai.reply import ErrorReply, MalformedReply, judge, read_reply
from resources.captioners.openai.request import CaptionRequest
from resources.captioners.openai.sender import Patience
from resources.captioners.openai.spending import Spending

T = TypeVar("T")
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([0-9a-f]{32})"')
_TOKEN_KEY = "vidcap_job"
_ENDED = frozenset({"completed", "expired", "cancelled"})
_CLOCK_SLACK_S = 3600


class BatchPending(SetupError):
    """Batch jobs have not finished; nothing is lost and nothing is to be paid again: run again later."""


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """How jobs are sized and waited for. The default sizes stay below OpenAI's 50,000 requests and 200 MB."""

    folder: UPath
    wait_s: float = 0.0
    poll_s: float = 30.0
    max_requests: int = 50_000
    max_bytes: int = 150_000_000


@dataclass(slots=True)
class _Draft:
    """A job's input file while it is being written."""

    file: IO[bytes]
    custom_ids: list[str]


@dataclass
class BatchJobs:
    """Submits and collects the jobs of one recipe.

    Args:
        custom_id: names a clip's request within this recipe; equal only for equal content and prompt.
        records: the remembered jobs; several processes may share them as long as they have different clips.
        log: receives the notes of the run.
    """

    endpoint: Endpoint
    records: JobRecords
    custom_id: Callable[[Clip], str]
    policy: BatchPolicy
    spending: Spending
    patience: Patience
    log: Callable[[str], None]
    _shown: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False)
    _reserved: dict[str, str] = field(default_factory=dict, init=False)

    def stream(self, portal: BlockingPortal, items: Iterator[Prepared]) -> Iterator[Chunk]:
        """Submit what was not submitted before, then yield the answers of jobs that have ended.

        Raises:
            BatchPending: some jobs are still running after ``wait_s``.
            AnnotatorError: the server refused the key, the model or a whole job.
        """
        out = {custom_id for record in self.records.all() for custom_id in record.custom_ids}
        waiting: dict[str, Prepared] = {}
        draft: _Draft | None = None
        for item in items:
            custom_id = self.custom_id(item.clip)
            if custom_id not in out:
                try:
                    line = self._line(custom_id, item.payload.result())
                except ClipError as error:
                    yield [(item, error)]
                    continue
                if draft is not None and self._is_full(draft, line):
                    portal.call(self._submit, draft)
                    draft = None
                draft = draft or _Draft(tempfile.TemporaryFile(), [])  # noqa: SIM115 - closed by _submit
                draft.file.write(line)
                draft.custom_ids.append(custom_id)
            waiting[custom_id] = Prepared(item.clip, None)
        if draft is not None:
            portal.call(self._submit, draft)
        yield from self._collect(portal, waiting)

    def _line(self, custom_id: str, request: CaptionRequest) -> bytes:
        if (largest := self.spending.cost(request.size.bound)) is not None:
            reservation = self.spending.reserve(largest)
            if reservation is None:
                raise self.spending.spent()
            self._reserved[custom_id] = reservation
        self._shown[custom_id] = request.details
        line = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": request.body}
        return json.dumps(line).encode() + b"\n"

    def _is_full(self, draft: _Draft, line: bytes) -> bool:
        return (
            len(draft.custom_ids) >= self.policy.max_requests
            or draft.file.tell() + len(line) > self.policy.max_bytes
        )

    async def _submit(self, draft: _Draft) -> None:
        with draft.file:

            async def upload() -> Any:
                draft.file.seek(0)
                return await self.endpoint.client.files.create(
                    file=("vidcap.jsonl", draft.file), purpose="batch"
                )

            uploaded = await self._patiently(upload)
        record = JobRecord(uploaded.id, draft.custom_ids)
        self.records.save(record)
        await self._start(record)

    async def _start(self, record: JobRecord) -> JobRecord:
        """Submit a remembered job, unless an earlier attempt at it reached the server."""
        create = partial(
            self.endpoint.client.batches.create,
            input_file_id=record.file_id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={_TOKEN_KEY: record.token},
        )
        try:
            batch = await self._patiently(create, partial(self._find, record))
        except AnnotatorError as error:
            if not error.retryable:
                self.records.forget(record)
            raise
        self.log(f"submitted batch job {batch.id} with {len(record.custom_ids)} clips")
        return self._known(record, batch)

    def _known(self, record: JobRecord, batch: Any) -> JobRecord:
        submitted = replace(record, batch_id=batch.id)
        self.records.save(submitted)
        return submitted

    async def _recover(self, record: JobRecord) -> JobRecord:
        """The job of a record without an id: found at the server, or submitted now.

        A job that was created a moment ago may not be listed yet, so a young record is looked up twice.
        """
        batch = await self._find(record)
        if batch is None and (age := time.time() - record.created_at) < self.policy.poll_s:
            await asyncio.sleep(self.policy.poll_s - max(age, 0.0))
            batch = await self._find(record)
        if batch is None:
            return await self._start(record)
        self.log(f"found batch job {batch.id}, which an interrupted run had submitted")
        return self._known(record, batch)

    async def _find(self, record: JobRecord) -> Any | None:
        async def look() -> Any | None:
            async for batch in self.endpoint.client.batches.list(limit=100):
                if (batch.metadata or {}).get(
                    _TOKEN_KEY
                ) == record.token or batch.input_file_id == record.file_id:
                    return batch
                if batch.created_at < record.created_at - _CLOCK_SLACK_S:
                    return None
            return None

        return await self._patiently(look)

    def _collect(self, portal: BlockingPortal, waiting: dict[str, Prepared]) -> Iterator[Chunk]:
        deadline = time.monotonic() + self.policy.wait_s
        jobs = [record for record in self.records.all() if not waiting.keys().isdisjoint(record.custom_ids)]
        while jobs:
            running: list[tuple[JobRecord, Any]] = []
            for record in jobs:
                if record.batch_id is None:
                    record = portal.call(self._recover, record)
                look = partial(self.endpoint.client.batches.retrieve, record.batch_id)
                batch = portal.call(self._patiently, look)
                if batch.status == "failed":
                    self.records.forget(record)
                    raise SetupError(f"batch job {batch.id} was not run: {_reasons(batch)}")
                if batch.status not in _ENDED:
                    running.append((record, batch))
                    continue
                answers = portal.call(self._answers, batch)
                asked = [custom_id for custom_id in record.custom_ids if custom_id in waiting]
                nothing = f"batch job {batch.id} ended ({batch.status}) without an answer"
                unanswered = ClipError(ErrorKind.API_ERROR, nothing)
                yield [(waiting.pop(each), answers.get(each) or unanswered) for each in asked]
                self.records.forget(record)
            jobs = [record for record, _ in running]
            if jobs and (left := deadline - time.monotonic()) <= 0:
                raise BatchPending(_pending(running, len(waiting)))
            elif jobs:
                time.sleep(min(left, self.policy.poll_s))

    async def _answers(self, batch: Any) -> dict[str, Answer | ClipError]:
        answers: dict[str, Answer | ClipError] = {}
        for file_id in (batch.error_file_id, batch.output_file_id):
            if file_id:
                content = await self._patiently(partial(self.endpoint.client.files.content, file_id))
                answers.update(self._read_lines(content.content, batch.id))
        return answers

    def _read_lines(self, content: bytes, batch_id: str) -> Iterator[tuple[str, Answer | ClipError]]:
        """The answers by custom id. A line ends with a line feed, and with nothing else that Unicode calls one."""
        for line in filter(bytes.strip, content.split(b"\n")):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                entry = None
            if isinstance(entry, Mapping) and isinstance(entry.get("custom_id"), str):
                yield entry["custom_id"], self._read_line(entry, batch_id)
            elif (named := _CUSTOM_ID.search(line)) is not None:
                unreadable = f"batch job {batch_id}: its line of the answers is no JSON"
                yield named[1].decode(), ClipError(ErrorKind.API_ERROR, unreadable)

    def _read_line(self, line: Mapping[str, Any], batch_id: str) -> Answer | ClipError:
        response = line.get("response")
        response = response if isinstance(response, Mapping) else {}
        if (status := response.get("status_code")) != 200:
            failure = self.endpoint.failure_of_response(
                status if isinstance(status, int) else 500, response.get("body") or line.get("error")
            )
            return _failed(failure, batch_id)
        try:
            reply = read_reply(response.get("body"), response.get("request_id"))
        except MalformedReply as error:
            return ClipError(ErrorKind.API_ERROR, f"batch job {batch_id}: malformed reply: {error}")
        except ErrorReply as error:
            failure = self.endpoint.failure_of_response(error.status, error.body)
            return _failed(failure, batch_id)
        cost = self.spending.cost(reply.usage)
        custom_id = line["custom_id"]
        if cost is not None and (reservation := self._reserved.pop(custom_id, None)) is not None:
            self.spending.settle(reservation, cost)
        return judge(reply, None, cost, {**self._shown.get(custom_id, {}), "batch_id": batch_id})

    async def _patiently(
        self, call: Callable[[], Awaitable[T]], look: Callable[[], Awaitable[T | None]] | None = None
    ) -> T:
        """Repeat a call until it succeeds; ``look`` finds at the server what one that failed has done all the same."""
        failed = 0
        while True:
            try:
                return await call()
            except Exception as error:
                if (failure := self.endpoint.failure_of(error)) is None:
                    raise
            failed += 1
            may_have_worked = failure.cause.may_be_billed or failure.cause is Cause.SERVER
            if look is not None and may_have_worked and (found := await look()) is not None:
                return found
            if not failure.cause.is_retried or failed >= self.patience.max_attempts:
                raise AnnotatorError(f"Batch API: {failure.message}", retryable=failure.cause.is_retried)
            await asyncio.sleep(max(failure.retry_after_s or 0.0, backoff_s(failed, self.patience.backoff_s)))


def _failed(failure: Failure, batch_id: str) -> ClipError:
    """The job as a whole was run, so a 403 is the clip's."""
    kind = ErrorKind.REFUSED if failure.is_forbidden else failure.cause.error_kind
    return ClipError(kind, f"batch job {batch_id}: {failure.message}")


def _reasons(batch: Any) -> str:
    errors = (batch.errors.data if batch.errors else None) or []
    return "; ".join(sorted({str(error.message) for error in errors})) or "the server gave no reason"


def _pending(running: Sequence[tuple[JobRecord, Any]], clips: int) -> str:
    jobs = ", ".join(f"{batch.id} ({batch.status})" for _, batch in running)
    return (
        f"{clips} clips wait for batch jobs that are still running: {jobs}; run again later to collect them"
    )
