"""One pass over some shards: its jobs one after the other, with bars, and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import typer
from rich.markup import escape

from resources.lake.lake import Lake
from vidcap_assets.automation.launch import contiguous, shard_tags
from vidcap_assets.cli.bars import Bars
from vidcap_assets.cli.job_run import JobResult, run_job
from vidcap_assets.cli.output import console, print_json
from vidcap_assets.collection import environment

TAGS = ("tags_objects", "tags_actions")
MERGED = "captioned_videos"
_SHARDS_PER_RUN = 32


@dataclass(frozen=True)
class Stage:
    """One job of a pass over some shards: which of its steps, and whose progress to show."""

    job: str
    annotators: tuple[str, ...]
    steps: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


def run_stages(stages: Sequence[Stage], shards: Sequence[str], as_json: bool) -> list[JobResult]:
    """Run the stages over the shards; a run that failed is told at once and keeps no other from running."""
    lake = Lake(environment.home())
    results = []
    for some in contiguous(lake.shards(), shards, _SHARDS_PER_RUN):
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


def conclude(results: Sequence[JobResult], as_json: bool) -> None:
    """Say how it ended; exit code 1 where not everything is done."""
    success = all(result.success for result in results)
    if as_json:
        print_json({"success": success, "runs": [result.as_json() for result in results]})
    else:
        from vidcap_assets.cli.looking import show_coverage, tell_unreadable

        if success:
            show_coverage()
            tell_unreadable()
            console.print("[green]✓[/green] done. Next: vidcap report, vidcap export, vidcap status")
        else:
            console.print(
                "[red]✗[/red] not everything is done; what is there is kept, the same command goes on from there"
            )
    if not success:
        raise typer.Exit(1)
