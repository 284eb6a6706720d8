"""`plano-filters routers`: what can run here, export, measure, calibrate, try.

Whatever is heavy (numpy, ONNX Runtime, progress bars) is imported inside the functions that need
it: listing the commands must cost nothing.
"""

from plano_builtin_filters.classify.commands import (
    bench,
    calibrate,
    evaluate,
    exporting,
    listing,
    trial,
)
from plano_builtin_filters.classify.commands.base import Kit, app

__all__ = ["Kit", "app", "bench", "calibrate", "evaluate", "exporting", "listing", "trial"]
