"""What users write under `ab_split:`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from plano_filters import FilterConfig

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Source = Annotated[str, StringConstraints(pattern=r"^(principal|user|header:[A-Za-z0-9-]+)$")]


class Arm(FilterConfig):
    """One of the models of an experiment."""

    name: Name
    """How decisions, header and metrics call it. Who gets it depends on the name, not the model."""
    model: str
    """Full name of a declared model, `provider/model-id`."""
    weight: float = Field(default=1.0, ge=0, le=1e9)
    """Its share, beside the weights of the others. 0 keeps it declared, and gives it to nobody."""


class Experiment(FilterConfig):
    """Models that share requests."""

    name: Name
    """Its name is part of the hash: who is together in one experiment is not in another."""
    arms: tuple[Arm, ...] = Field(min_length=1)
    """The models, and how much goes to each."""
    requested: tuple[str, ...] = ()
    """Models or aliases, as clients write them, whose requests take part; empty: all requests."""
    sticky: tuple[Source, ...] = ("principal", "user")
    """What keeps somebody at an arm: `principal`, `user` (of the body), or `header:NAME`. The first
    that is there counts; where none is, each request draws anew."""

    @field_validator("arms")
    @classmethod
    def _arms(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        """Refuse arms that cannot be told apart, or that nobody would get."""
        if len({arm.name for arm in arms}) < len(arms):
            raise ValueError("two arms have the same name")
        if not any(arm.weight > 0 for arm in arms):
            raise ValueError("every weight is 0")
        return arms


class AbSplitConfig(FilterConfig):
    """Which experiments run."""

    experiments: tuple[Experiment, ...] = Field(min_length=1)
    """A request takes part in the first that takes it."""
    respect_explicit: bool = False
    """Whether requests that name a model get that model, and take part in nothing."""

    @field_validator("experiments")
    @classmethod
    def _experiments(cls, experiments: tuple[Experiment, ...]) -> tuple[Experiment, ...]:
        """Refuse experiments that cannot be told apart."""
        if len({one.name for one in experiments}) < len(experiments):
            raise ValueError("two experiments have the same name")
        return experiments
