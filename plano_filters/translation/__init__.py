"""Translation between the dialects: requests one way, answers and streams the other way."""

from __future__ import annotations

from plano_filters.translation.base import Answers, Outgoing, Stream, Traits, Translate
from plano_filters.translation.compose import converse, translator

__all__ = ["Answers", "Outgoing", "Stream", "Traits", "Translate", "converse", "translator"]
