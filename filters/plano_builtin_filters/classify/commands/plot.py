"""The calibration of a router as a drawing: how often it is right, by how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

_SIZE: Final = 360
"""Of the square between the axes; all lengths are in pixels."""
_LEFT, _TOP, _BELOW = 64, 48, 64
_SERIES: Final = (("seen", "#c2571a"), ("unseen", "#5b3fa8"))
_BARS: Final = "#4c8bb5"
_LARGEST: Final = 7.0
"""Radius of the dot with the most answers."""
_SMALLEST: Final = 2.0


def svg(told: Mapping[str, Any]) -> str:
    """Draw the calibration of `result.result`: bars for all, dots for seen and unseen sources."""
    width, height = _LEFT + _SIZE + 24, _TOP + _SIZE + _BELOW
    ece = "none" if told["ece"] is None else f"{told['ece']:.3f}"
    title = f"{told['model']}: ECE {ece}, {told['decisions']} decisions"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        '<g font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="24" font-size="12">{escape(title)}</text>',
        *_axes(),
        *_bars(told["calibration"]),
        f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="#888" stroke-dasharray="4 4"/>',
    ]
    place = float(_LEFT)
    for name, colour in _SERIES:
        if told[name] is not None:
            parts += _dots(told[name]["calibration"], colour)
            parts += _legend(place, name, told[name]["ece"], colour)
            place += _SIZE / len(_SERIES)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _x(confidence: float) -> float:
    return round(_LEFT + confidence * _SIZE, 1)


def _y(accuracy: float) -> float:
    return round(_TOP + (1 - accuracy) * _SIZE, 1)


def _axes() -> list[str]:
    found = [f'<path d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}" fill="none" stroke="#222"/>']
    for step in range(0, 11, 2):
        at = step / 10
        found.append(f'<text x="{_x(at)}" y="{_y(0) + 16}" text-anchor="middle">{at:g}</text>')
        found.append(f'<text x="{_x(0) - 8}" y="{_y(at) + 4}" text-anchor="end">{at:g}</text>')
    found.append(f'<text x="{_x(0.5)}" y="{_y(0) + 34}" text-anchor="middle">confidence</text>')
    found.append(
        f'<text x="20" y="{_y(0.5)}" text-anchor="middle"'
        f' transform="rotate(-90 20 {_y(0.5)})">right</text>'
    )
    return found


def _bars(bins: list[Mapping[str, Any]]) -> list[str]:
    return [
        f'<rect x="{_x(one["low"]) + 1}" y="{_y(one["accuracy"])}"'
        f' width="{round(_SIZE * (one["high"] - one["low"]) - 2, 1)}"'
        f' height="{round(_SIZE * one["accuracy"], 1)}" fill="{_BARS}" fill-opacity="0.6">'
        f"<title>{one['count']} answers: confidence {one['confidence']:.3f},"
        f" right {one['accuracy']:.3f}</title></rect>"
        for one in bins
        if one["count"]
    ]


def _dots(bins: list[Mapping[str, Any]], colour: str) -> list[str]:
    most = max((one["count"] for one in bins), default=0)
    return [
        f'<circle cx="{_x(one["confidence"])}" cy="{_y(one["accuracy"])}"'
        f' r="{_SMALLEST + (_LARGEST - _SMALLEST) * (one["count"] / most) ** 0.5:.1f}"'
        f' fill="{colour}"/>'
        for one in bins
        if one["count"]
    ]


def _legend(place: float, name: str, ece: float | None, colour: str) -> list[str]:
    y = _TOP + _SIZE + _BELOW - 12
    said = "" if ece is None else f": ECE {ece:.3f}"
    return [
        f'<circle cx="{place + 4}" cy="{y - 4}" r="4" fill="{colour}"/>',
        f'<text x="{place + 14}" y="{y}">{name} sources{said}</text>',
    ]
