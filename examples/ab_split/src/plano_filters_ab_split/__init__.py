"""ab_split: splits requests between models, each person always to the same."""

from plano_filters_ab_split.config import AbSplitConfig
from plano_filters_ab_split.filter import AbSplit, Assignment

__all__ = ["AbSplit", "AbSplitConfig", "Assignment"]
