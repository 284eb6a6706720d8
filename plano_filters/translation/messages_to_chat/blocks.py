"""Content blocks of Anthropic's Messages become content parts of chat completions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from plano_filters.errors import BadRequest
from plano_filters.translation.base import Document
from plano_filters.translation.messages_to_chat.job import Job
from plano_filters.translation.reading import left_out, member, text

Block = Mapping[str, Any]
_COMMON: Final = ("type", "cache_control")


def blocks_of(content: object, path: str) -> Iterator[tuple[Block, str]]:
    """Yield the blocks of a content, each with its path; a string is one text block.

    Raises:
        BadRequest: It is neither a string nor a list of objects with a `type`.
    """
    if isinstance(content, str):
        yield {"type": "text", "text": content}, path
        return
    if not isinstance(content, list):
        raise BadRequest(f'"{path}" must be a string or a list of blocks', param=path)
    for index, block in enumerate(content):
        at = f"{path}.{index}"
        if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
            raise BadRequest(f'"{at}" must be an object with a "type"', param=at)
        yield block, at


def parts_of(block: Block, path: str, job: Job) -> list[Document]:
    """Translate one block of a user's message or of a tool's result.

    Returns:
        Its parts, in order; none for an empty text, which Anthropic would refuse.

    Raises:
        BadRequest: Chat completions have no such part, or the block is not complete.
    """
    read = _READERS.get(block["type"])
    if read is None:
        raise BadRequest(f'chat completions have no part like the block "{path}"', param=path)
    parts = read(block, path, job)
    mark_cached(parts, block, path, job)
    return parts


def text_part(block: Block, path: str, job: Job) -> list[Document]:
    """Translate a text block, and nothing around it."""
    job.dropped.extend(left_out(block, (*_COMMON, "text"), path))
    return _text(text(block, "text", path))


def mark_cached(parts: list[Document], block: Block, path: str, job: Job) -> None:
    """Keep a cache breakpoint at the end of a block, if the provider knows such.

    How long it lasts is left to the provider: the lifetimes are not the same.
    """
    mark = block.get("cache_control")
    if mark is None:
        return
    if not parts or not job.traits.cache_breakpoints:
        job.dropped.append(f"{path}.cache_control")
        return
    parts[-1]["prompt_cache_breakpoint"] = {"mode": "explicit"}
    if isinstance(mark, Mapping):
        job.dropped.extend(left_out(mark, ("type",), f"{path}.cache_control"))


def _image(block: Block, path: str, job: Job) -> list[Document]:
    job.dropped.extend(left_out(block, (*_COMMON, "source"), path))
    source, at = member(block, "source", path), f"{path}.source"
    kind = source.get("type")
    if kind == "base64":
        url = _data_url(source, at)
    elif kind == "url":
        url = text(source, "url", at)
    else:
        raise _unreachable(at)
    return [{"type": "image_url", "image_url": {"url": url}}]


def _document(block: Block, path: str, job: Job) -> list[Document]:
    job.dropped.extend(left_out(block, (*_COMMON, "source", "title", "context"), path))
    source, at = member(block, "source", path), f"{path}.source"
    kind = source.get("type")
    if kind == "base64":
        title = block.get("title")
        name = title if isinstance(title, str) and title else "document.pdf"
        file = {"filename": name, "file_data": _data_url(source, at)}
        return [*_text(block.get("context")), {"type": "file", "file": file}]
    head = [*_text(block.get("title")), *_text(block.get("context"))]
    if kind == "text":
        return [*head, *_text(text(source, "data", at))]
    if kind == "content":
        inner = blocks_of(source.get("content"), f"{at}.content")
        return [*head, *(part for block, at in inner for part in parts_of(block, at, job))]
    raise _unreachable(at)


def _search_result(block: Block, path: str, job: Job) -> list[Document]:
    job.dropped.extend(left_out(block, (*_COMMON, "source", "title", "content"), path))
    inner = blocks_of(block.get("content"), f"{path}.content")
    parts = [*_text(block.get("title")), *_text(block.get("source"))]
    return parts + [part for block, at in inner for part in parts_of(block, at, job)]


def _tool_reference(block: Block, path: str, job: Job) -> list[Document]:
    """Name the tool that a search found: the provider was told of all of them."""
    job.dropped.extend(left_out(block, (*_COMMON, "tool_name"), path))
    return _text(job.names.short(text(block, "tool_name", path)))


def _text(value: object) -> list[Document]:
    return [{"type": "text", "text": value}] if isinstance(value, str) and value else []


def _data_url(source: Block, path: str) -> str:
    return f"data:{text(source, 'media_type', path)};base64,{text(source, 'data', path)}"


def _unreachable(path: str) -> BadRequest:
    return BadRequest(
        f'a chat provider cannot be given "{path}"; send its bytes as base64', param=path
    )


_READERS: Final[Mapping[str, Callable[[Block, str, Job], list[Document]]]] = {
    "text": text_part,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_reference": _tool_reference,
}
