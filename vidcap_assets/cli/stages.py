"""One pass over some shards: its jobs one after the other, with bars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.markup import escape

from resources.annotation.declaration import AnnotatorSettings
from resources.lake.lake import META, Lake
from vidcap_assets.automation.launch import contiguous, shard_tags
from vidcap_assets.cli.bars import Bars
from vidcap_assets.cli.job_run import JobResult, run_job
from vidcap_assets.cli.output import console
from vidcap_assets.collection.settings import CollectionSettings

MERGED = "captioned_videos"
Configure = Callable[[AnnotatorSettings], dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """One job of a pass over some shards: which of its steps, and whose progress to show."""

    job: str
    annotators: tuple[str, ...]
    steps: tuple[str, ...]
    config: dict[str, Any] = field(default_factory=dict)


def stages_of(
    settings: CollectionSettings,
    wanted: Sequence[AnnotatorSettings],
    *,
    meta: bool = True,
    configure: Configure = lambda entry: {},
) -> list[Stage]:
    """The jobs that run these annotators, each once: what reads a paid one's answers runs after it, the merge last.

    Args:
        meta: read the headers of the files before.
        configure: the configuration of an annotator's step.
    """
    jobs = {"caption_videos": [one for one in wanted if not one.paid]}
    for paid in (one for one in wanted if one.paid):
        jobs[f"caption_videos_{paid.name}"] = [
            paid, *(one for one in settings.readers(paid) if one in wanted)
        ]  # fmt: skip
    later: list[AnnotatorSettings] = []
    stages: list[Stage] = []
    for job, entries in reversed(jobs.items()):
        mine = [one for one in entries if one not in later]
        later += mine
        if mine or (job == "caption_videos" and not stages):
            stages.insert(0, _stage(settings, job, mine, configure, merge=not stages))
    if meta:
        first = stages[0]
        steps = (settings.key(META).to_python_identifier(), *first.steps)
        stages[0] = Stage(first.job, first.annotators, steps, first.config)
    return stages


def _stage(
    settings: CollectionSettings,
    job: str,
    entries: list[AnnotatorSettings],
    configure: Configure,
    merge: bool,
) -> Stage:
    assets = tuple(one.asset for entry in entries for one in entry.declares())
    steps = {settings.label(entry.step): configure(entry) for entry in entries}
    ops = {step: {"config": config} for step, config in steps.items() if config}
    merged = (settings.key(MERGED).to_python_identifier(),) if merge else ()
    return Stage(job, assets, (*steps, *merged), {"ops": ops} if ops else {})


def run_stages(
    settings: CollectionSettings, stages: Sequence[Stage], shards: Sequence[str], as_json: bool
) -> list[JobResult]:
    """Run the stages over the shards; a run that failed is told at once and keeps no other from running."""
    lake = Lake(settings.home)
    results = []
    for some in contiguous(lake.shards(), shards, settings.shards_per_run):
        clips = sum(clips_in(lake, shard) for shard in some)
        for stage in stages:
            if not as_json:
                span = some[0] if len(some) == 1 else f"{some[0]} to {some[-1]}"
                console.print(f"[dim]{stage.job}, {span}[/dim]")
            with Bars(console, stage.annotators, clips, silent=as_json) as bars:
                result = run_job(
                    stage.job,
                    tags=shard_tags(some),
                    steps=stage.steps,
                    config=stage.config,
                    watch=bars.show,
                    stopping=bars.stopping,
                )
            results.append(result)
            if not result.success and not as_json:
                for step, reason in result.failures.items():
                    console.print(f"[red]✗[/red] {escape(step)}: {escape(reason)}", soft_wrap=True)
                console.print(f"[dim]log: {escape(str(result.log))}[/dim]", soft_wrap=True)
    return results


def clips_in(lake: Lake, shard: str) -> int:
    """The number of clips in a shard."""
    return len(lake.manifest(shard))
