"""The hooks of `pii_redact`."""

from __future__ import annotations

import json

from plano_filters import Exchange, FactoryContext, Filter, Response
from plano_filters_pii_redact.config import PiiRedactConfig
from plano_filters_pii_redact.finding import Finder
from plano_filters_pii_redact.restoring import restored
from plano_filters_pii_redact.vault import Vault
from plano_filters_pii_redact.walking import SPOKEN, mapped, within_json


class PiiRedact(Filter[PiiRedactConfig]):
    """Hide personal data from models, and restore it in their answers."""

    config_type = PiiRedactConfig
    fails_closed = True

    def __init__(self, config: PiiRedactConfig, context: FactoryContext) -> None:
        super().__init__(config, context)
        self._finder = Finder(config.kinds, config.patterns)
        self._hidden = context.meter.counter(
            "pii_redact_hidden", "Values hidden from models.", ("kind",)
        )

    async def on_request(self, exchange: Exchange) -> None:
        payload, vault = exchange.request.payload, Vault()
        said = {name: payload[name] for name in SPOKEN if name in payload}

        def reserve(text: str) -> str:
            vault.reserve(text)
            return text

        mapped(said, reserve, reserve)

        def hide(text: str) -> str:
            return vault.hide(text, self._finder)

        exchange.request.edit(**mapped(said, hide, within_json(hide)))
        exchange.state.put(vault)
        counts = vault.counts
        if counts:
            shown = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            exchange.decide(f"hid {shown}", hidden=counts)
        for kind, count in () if exchange.dry_run else counts.items():
            self._hidden.labels(kind).inc(count)

    async def on_response(self, exchange: Exchange, response: Response) -> None:
        vault = exchange.state.get(Vault)
        if not self.config.restore or vault is None or not vault.counts:
            return
        if isinstance(response.body, bytes):
            response.body = _restored(response.body, vault)
        elif response.event_stream:
            response.body = restored(response.body, vault)


def _restored(body: bytes, vault: Vault) -> bytes:
    """Restore a whole answer; one that is no JSON, or has no placeholder, stays as it is."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    new = mapped(document, vault.restore, lambda text: vault.restore(text, in_json=True))
    return body if new is document else json.dumps(new, separators=(",", ":")).encode()
