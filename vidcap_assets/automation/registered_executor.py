"""The processes of a run, noted in its own log: what the reaper needs to prove that none of them is left."""

import multiprocessing
from collections.abc import Iterator

import dagster as dg
from dagster._core.events import EngineEventData
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

from vidcap_assets.automation.process_identity import ProcessIdentity

IDENTITY = "vidcap/process"


def note_process(instance: dg.DagsterInstance, run: dg.DagsterRun, role: str) -> None:
    """Write into the log of ``run`` which process is working for it."""
    me = ProcessIdentity.current()
    instance.report_engine_event(
        f"{role} is process {me.pid} on {me.host}",
        run,
        EngineEventData(metadata={IDENTITY: dg.MetadataValue.json(me.to_json())}),
    )


def note_step_process(context: dg.InitResourceContext) -> None:
    """Note this process where it is a child that the executor started for a step."""
    if context.run is not None and context.instance is not None and multiprocessing.parent_process():
        note_process(context.instance, context.run, "A step")


class RegisteredExecutor(dg.Executor):
    """Runs steps as the executor inside it does, after noting the process that watches over them."""

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> RetryMode:
        """See the executor inside."""
        return self._inner.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """See the executor inside."""
        return self._inner.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Note this process, then run the plan."""
        note_process(plan_context.instance, plan_context.dagster_run, "The run")
        yield from self._inner.execute(plan_context, execution_plan)


def registered(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """The same executor, whose runs note the process that watches over them."""

    def create(context: dg.InitExecutorContext) -> RegisteredExecutor:
        inner = executor.executor_creation_fn
        assert inner is not None
        return RegisteredExecutor(inner(context))

    return dg.ExecutorDefinition(
        name=executor.name,
        config_schema=executor.config_schema,  # type: ignore[arg-type]  # the inner one's, already resolved
        requirements=executor.get_requirements,
        executor_creation_fn=create,
        description=executor.description,
    )
