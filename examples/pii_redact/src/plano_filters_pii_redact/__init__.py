"""pii_redact: hides personal data from models, and restores it in their answers."""

from plano_filters_pii_redact.config import PiiRedactConfig
from plano_filters_pii_redact.filter import PiiRedact

__all__ = ["PiiRedact", "PiiRedactConfig"]
