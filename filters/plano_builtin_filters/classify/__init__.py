"""Finds out what a request is about, with a router model in this process."""

from plano_builtin_filters.classify.config import ClassifyConfig
from plano_builtin_filters.classify.filter import Classify

__all__ = ["Classify", "ClassifyConfig"]
