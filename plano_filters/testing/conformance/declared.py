"""Checks of what a filter says of itself: options, documentation, facts, secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pydantic import BaseModel, SecretStr, ValidationError

from plano_filters.config.secrets import names_secret
from plano_filters.config.types import Secret
from plano_filters.filter import FilterConfig
from plano_filters.testing.conformance.subject import Stand, Subject, require

_ELSEWHERE: Final = {"FilterEntry"}
"""The document's own parts, described there."""
_EXTRA: Final = "no_such_option"
_LONG: Final = 8
"""Characters of a credential that can be searched for."""


async def refuses_unknown_options(subject: Subject) -> None:
    """A misspelt key is an error, at every depth, and nothing of a config changes later."""
    kind = subject.kind.config_type
    require(
        issubclass(kind, FilterConfig), f"{kind.__name__} is no FilterConfig; derive it from that"
    )
    require(kind.model_config.get("frozen"), f"{kind.__name__} is not frozen")
    try:
        kind.model_validate({**subject.config, _EXTRA: 1})
    except ValidationError:
        pass
    else:
        require(False, f'{kind.__name__} takes an unknown key; leave `extra="forbid"` as it is')
    open_parts = [
        name
        for name, part in _parts(kind)
        if part.get("properties") and part.get("additionalProperties") is not False
    ]
    require(
        not open_parts,
        f"{', '.join(open_parts)} takes unknown keys; derive models of a config from FilterConfig",
    )


async def describes_its_options(subject: Subject) -> None:
    """Every field of the config has a description: it is the schema, and the editor's help."""
    silent = [
        f"{part}.{field}"
        for part, about in _parts(subject.kind.config_type)
        for field, declared in about.get("properties", {}).items()
        if not declared.get("description") and "const" not in declared
    ]
    require(
        not silent,
        f"{', '.join(silent)} has no description; put a docstring under each field",
    )


async def says_what_it_does(subject: Subject) -> None:
    """The first line of the class's docstring is a sentence; `plano-filters filters` shows it."""
    first = (subject.kind.__doc__ or "").strip().partition("\n")[0]
    require(
        first.endswith("."),
        f"the docstring of {subject.kind.__name__} does not begin with a sentence, with its dot",
    )


async def requires_what_it_reads(subject: Subject) -> None:
    """What it reads with `state[Fact]`, or supersedes, it requires or has put itself."""
    async with Stand(subject).running() as stand:
        for exchange in subject.exchanges():
            result = await stand.run(exchange)
            known = {*subject.kind.requires, *result.state.left}
            unknown = (result.state.demanded | result.state.superseded) - known
            names = ", ".join(sorted(fact.__name__ for fact in unknown))
            require(
                not unknown,
                f"it counts on {names} and does not require it; add it to `requires`, "
                "or read it with state.get()",
            )


async def provides_what_it_promises(subject: Subject) -> None:
    """Every exchange that passes it carries the facts in `provides`."""
    promised = subject.kind.provides
    if not promised:
        return
    passed = 0
    async with Stand(subject).running() as stand:
        for exchange in subject.exchanges():
            result = await stand.run(exchange)
            answered = stand.terminal and result.error is None
            if not answered and exchange.id not in stand.notes.passed:
                continue
            passed += 1
            for fact in promised:
                require(
                    exchange.state.get(fact) is not None,
                    f"it promises {fact.__name__} in `provides`, and an exchange passed without",
                )
    require(
        passed,
        f"it promises {', '.join(fact.__name__ for fact in promised)}, and no exchange passed it; "
        "give exchanges= that it lets through",
    )


async def declares_what_it_leaves(subject: Subject) -> None:
    """Facts of others that it puts stand in `provides` or `may_provide`; its own are its own."""
    stated = {*subject.kind.provides, *subject.kind.may_provide}
    own = subject.kind.__module__.partition(".")[0]
    async with Stand(subject).running() as stand:
        for exchange in subject.exchanges():
            result = await stand.run(exchange)
            for fact in result.state.left:
                require(
                    fact in stated or fact.__module__.partition(".")[0] == own,
                    f"it leaves {fact.__name__} and does not say so; "
                    "add it to `provides` or `may_provide`",
                )


async def keeps_secrets(subject: Subject) -> None:
    """No credential of the config is in a repr, a dump, an error, an answer or a log."""
    declared = _secrets(subject.settings())
    require(
        all(len(secret) >= _LONG for secret in declared),
        f"a credential in the config has fewer than {_LONG} characters; "
        "give the check one that cannot be taken for other text",
    )
    named = {leaf for leaf in _secret_leaves(subject.config) if len(leaf) >= _LONG}
    secrets = sorted(declared | named)
    if not secrets:
        return
    shown: dict[str, str] = {}
    with _log() as records:
        async with Stand(subject).running() as stand:
            config = stand.filter.config
            shown["repr(config)"] = repr(config)
            shown["a dump of the config"] = config.model_dump_json()
            shown["repr(filter)"] = repr(stand.filter)
            shown["an error of the config"] = _config_errors(subject)
            for refuses in (False, True):
                stand.far.refuses = refuses
                for exchange in subject.exchanges():
                    result = await stand.run(exchange)
                    response = result.response
                    shown[f"the answer to {exchange.id}"] = (
                        f"{response.headers.raw if response else ''} {result.body!r} {result.error}"
                    )
                    shown[f"a decision on {exchange.id}"] = repr(exchange.decisions)
            shown["report()"] = json.dumps(stand.filter.report(), default=repr)
    formatter = logging.Formatter("%(message)s")
    shown["the log"] = "\n".join(formatter.format(record) for record in records)
    leaks = [place for place, text in shown.items() for secret in secrets if secret in text]
    require(
        not leaks,
        f"a credential of its config, or what stands under a key that names one, can be read in "
        f"{', '.join(dict.fromkeys(leaks))}; use plano_filters.config.Secret for it, and reveal() "
        "it only where it is sent",
    )


def _parts(kind: type[BaseModel]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the JSON Schemas of a model and of the models in it."""
    schema = kind.model_json_schema()
    inner = schema.get("$defs", {})
    return [(kind.__name__, schema), *((n, p) for n, p in inner.items() if n not in _ELSEWHERE)]


def _secrets(value: object) -> set[str]:
    """Return the credentials in a validated config."""
    if isinstance(value, Secret):
        return {value.reveal()}
    if isinstance(value, SecretStr):
        return {value.get_secret_value()}
    if isinstance(value, BaseModel):
        value = [part for _, part in value]  # not dict(): a field may be called `keys`
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return {one for part in value for one in _secrets(part)}
    return set()


def _secret_leaves(value: object, key: str = "") -> set[str]:
    """Return what stands under a key that names a credential."""
    if isinstance(value, Mapping):
        return {one for name, part in value.items() for one in _secret_leaves(part, str(name))}
    if isinstance(value, list | tuple):
        return {one for part in value for one in _secret_leaves(part, key)}
    return {value} if isinstance(value, str) and value and names_secret(key) else set()


def _config_errors(subject: Subject) -> str:
    """Return what the config says to wrong values beside its credentials, and in their place."""
    wrong: list[dict[str, object]] = [{**subject.config, _EXTRA: 1}]
    wrong += [{**subject.config, key: [value, 1]} for key, value in subject.config.items()]
    told = []
    for config in wrong:
        try:
            subject.kind.config_type.model_validate(config)
        except ValidationError as error:
            told.append(str(error))
    return "\n".join(told)


@contextmanager
def _log() -> Iterator[list[logging.LogRecord]]:
    """Collect what is logged in the block, at every level."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root, collector = logging.getLogger(), Collector()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        root.setLevel(level)
        root.removeHandler(collector)
