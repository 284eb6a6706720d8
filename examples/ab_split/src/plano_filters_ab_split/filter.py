"""The hooks of `ab_split`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from plano_filters import (
    Candidates,
    Exchange,
    FactoryContext,
    Filter,
    ModelProvider,
    Pin,
    Principal,
    Response,
)
from plano_filters_ab_split import core
from plano_filters_ab_split.config import AbSplitConfig, Arm, Experiment

HEADER: Final = "x-ab-split"


@dataclass(frozen=True, slots=True)
class Assignment:
    """Fact of an exchange that takes part in an experiment."""

    experiment: str
    arm: str
    model: str
    """That of the arm. Who answered is in `Served`: another, if this one failed."""


class AbSplit(Filter[AbSplitConfig]):
    """Split requests between models by weight, each person always to the same."""

    config_type = AbSplitConfig
    requires = (Candidates,)

    def __init__(self, config: AbSplitConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        declared = context.document.model_providers
        for experiment in config.experiments:
            for arm in experiment.arms:
                if not any(_covers(one, arm.model) for one in declared):
                    raise ValueError(
                        f'arm "{arm.name}" of "{experiment.name}": no model {arm.model} is declared'
                    )
        self._assigned = context.meter.counter(
            "ab_split_assigned", "Requests that took part.", ("experiment", "arm")
        )

    async def on_request(self, exchange: Exchange) -> None:
        candidates = exchange.state[Candidates]
        experiment = self._experiment(exchange, candidates)
        if experiment is None:
            return
        arm, by = self._arm(exchange, experiment)
        pin = exchange.state.get(Pin)
        if pin is not None and pin.model != arm.model:
            exchange.decide(f"not in {experiment.name}: the session is held to another model")
            return
        models = core.reordered(candidates.models, arm.model)
        exchange.state.replace(replace(candidates, models=models))
        exchange.state.put(Assignment(experiment.name, arm.name, arm.model))
        exchange.decide(
            f"{experiment.name}: {arm.name} -> {arm.model} (by {by})",
            experiment=experiment.name,
            arm=arm.name,
            model=arm.model,
        )
        if not exchange.dry_run:
            self._assigned.labels(experiment.name, arm.name).inc()

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        assignment = exchange.state.get(Assignment)
        if assignment is not None:
            response.headers[HEADER] = f"{assignment.experiment}={assignment.arm}"

    def _experiment(self, exchange: Exchange, candidates: Candidates) -> Experiment | None:
        """Return the experiment that a request takes part in."""
        if exchange.operation.endpoint == "embeddings":
            return None  # vectors of different models do not compare
        if not candidates.models or candidates.exclusive:
            return None
        if candidates.explicit and self.config.respect_explicit:
            exchange.decide("in no experiment: the request names its model")
            return None
        for one in self.config.experiments:
            if not one.requested or candidates.requested in one.requested:
                return one
        return None

    def _arm(self, exchange: Exchange, experiment: Experiment) -> tuple[Arm, str]:
        """Return the arm of whoever asks, and by what they were known."""
        found = ((source, _value(exchange, source)) for source in experiment.sticky)
        by, key = next((one for one in found if one[1]), ("request", exchange.id))
        weights = {arm.name: arm.weight for arm in experiment.arms}
        name = core.assign(experiment.name, weights, key)
        return next(arm for arm in experiment.arms if arm.name == name), by


def _value(exchange: Exchange, source: str) -> str:
    """Return what a source says of who asks; empty if it says nothing."""
    if source == "principal":
        principal = exchange.state.get(Principal)
        return principal.id if principal is not None else ""
    if source == "user":
        payload = exchange.request.payload
        metadata = payload.get("metadata")
        inside = metadata.get("user_id") if isinstance(metadata, dict) else None  # Anthropic's
        named = (payload.get("safety_identifier"), payload.get("user"), inside)
        return next((one for one in named if isinstance(one, str) and one), "")
    return exchange.request.headers.get(source.removeprefix("header:"), "")


def _covers(declared: ModelProvider, model: str) -> bool:
    if declared.wildcard:
        prefix, _, model_id = model.partition("/")
        return prefix == declared.provider and model_id not in ("", "*")
    return declared.model == model
