"""How runs are executed: a process for each step, forked from one that has the imports done already."""

import os
from collections.abc import Iterator
from typing import Any

import dagster as dg

from vidcap_assets.automation.run_process import WITHIN_A_RUN, RunProcess
from vidcap_assets.dagster_private import MODULES_OF_A_STEP

_PRELOADED = [
    "vidcap_assets.automation.fork_server",
    "vidcap_assets.assets.annotating",
    "resources.warehouse",
    *MODULES_OF_A_STEP,
    "duckdb",
    "pandas",
]


def noting_its_process(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """The same executor; its runs carry a tag that names their process, by which the reaper can tell that it is gone.

    A run of a command, ``vidcap`` or ``dagster job execute``, that is interrupted counts as canceled, not as failed.

    Where the run's configuration does not say how steps are started, they are forked from a server with the modules
    that all of them need, the run's definitions among them: by the collection file as the run read it.
    """

    def create(context: dg.InitExecutorContext) -> dg.Executor:
        assert executor.executor_creation_fn is not None
        config: dict[str, Any] = dict(context.executor_config)
        if executor is dg.multiprocess_executor and "spawn" not in config.get("start_method", ()):
            pointer = getattr(getattr(context.job, "repository", None), "pointer", None)
            modules = [*_PRELOADED, *filter(None, [getattr(pointer, "module", None)])]
            config["start_method"] = {"forkserver": {"preload_modules": modules}}
        inner = executor.executor_creation_fn(context._replace(executor_config=config))
        run_plan = inner.execute

        def execute(plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
            run, instance = plan_context.dagster_run, plan_context.instance
            os.environ[WITHIN_A_RUN] = run.run_id
            instance.add_run_tags(run.run_id, RunProcess.current().tag(run.run_id))
            try:
                yield from run_plan(plan_context, execution_plan)
            except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
                # A command in the foreground, not a service that is restarted.
                if run.remote_job_origin is None:
                    instance.report_run_canceling(run, "Interrupted by Ctrl-C, or by a signal to the command")
                raise

        inner.execute = execute  # type: ignore[method-assign]
        return inner

    return dg.ExecutorDefinition(
        name=executor.name,
        config_schema=executor.config_schema,  # type: ignore[arg-type]  # the inner one's, already resolved
        requirements=executor.get_requirements,
        executor_creation_fn=create,
        description=executor.description,
    )
