"""One pass over some shards: its jobs one after the other, with bars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.markup import escape

from resources.annotation.declaration import AnnotatorSettings
from resources.lake.lake import META, Lake
from vidcap_assets.cli.job_run import JobResult, run_job
from vidcap_assets.cli.output import console, tell
from vidcap_assets.cli.progress import Bars
from vidcap_assets.collection.settings import FREE_JOB, CollectionSettings
from vidcap_assets.collection.shards import contiguous, shard_tags


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
    configure: Callable[[AnnotatorSettings], dict[str, Any]] = lambda entry: {},
) -> list[Stage]:
    """The jobs that run these annotators, each once: what reads a paid one's answers runs after it, the merge last.

    Args:
        meta: read the headers of the files before.
        configure: the configuration of an annotator's step.
    """
    jobs = {
        job: [one for one in entries if one in wanted]
        for job, entries in settings.caption_jobs.items()
        if job == FREE_JOB or entries[0] in wanted
    }
    later: list[AnnotatorSettings] = []
    stages: list[Stage] = []
    for job, entries in reversed(jobs.items()):
        mine = [one for one in entries if one not in later]
        later += mine
        if mine or (job == FREE_JOB and not stages):
            assets = tuple(one.asset for entry in mine for one in entry.declares())
            steps = {settings.label(entry.step): configure(entry) for entry in mine}
            ops = {step: {"config": config} for step, config in steps.items() if config}
            merge = [] if stages else [settings.op("captioned_videos")]
            stages.insert(0, Stage(job, assets, (*steps, *merge), {"ops": ops} if ops else {}))
    if meta:
        stages[0] = replace(stages[0], steps=(settings.op(META), *stages[0].steps))
    return stages


def run_stages(
    settings: CollectionSettings, stages: Sequence[Stage], shards: Sequence[str]
) -> list[JobResult]:
    """Run the stages over the shards; a run that failed is told at once and keeps no other from running."""
    lake = Lake(settings.home)
    results = []
    for run in contiguous(lake.shards(), shards, settings.shards_per_run):
        clips = sum(len(lake.manifest(shard)) for shard in run)
        for stage in stages:
            console.print(f"[dim]{stage.job}, {' to '.join(dict.fromkeys([run[0], run[-1]]))}[/dim]")
            with Bars(console, stage.annotators, clips) as bars:
                result = run_job(
                    stage.job,
                    tags=shard_tags(run),
                    steps=stage.steps,
                    config=stage.config,
                    watch=bars.show,
                    stopping=bars.stopping,
                )
            results.append(result)
            for step, reason in result.failures.items():
                tell(f"[red]✗[/red] {escape(step)}: {escape(reason)}")
            if not result.success:
                tell(f"[dim]log: {escape(str(result.log))}[/dim]")
    return results
