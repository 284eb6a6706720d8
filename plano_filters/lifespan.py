"""The ASGI lifespan protocol around a context manager."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.types import Receive, Send

log = logging.getLogger(__name__)


async def lifespan_protocol(
    lifespan: Callable[[], AbstractAsyncContextManager[None]], receive: Receive, send: Send
) -> None:
    """Enter a context at `lifespan.startup`, leave it at `lifespan.shutdown`.

    A failing start is told to the server, which then does not serve.
    """
    await receive()
    started = False
    try:
        async with lifespan():
            started = True
            await send({"type": "lifespan.startup.complete"})
            await receive()
    except Exception as error:
        log.exception("the lifespan of the gateway failed")
        phase = "shutdown" if started else "startup"
        await send({"type": f"lifespan.{phase}.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.shutdown.complete"})
