"""A stranger's filter, in a distribution of its own, is as much at home as the built-in ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.collector import Collector
from tests.support.commands import plano_filters
from tests.support.distributions import install, installed_env
from tests.support.gateway import run_gateway
from tests.support.provider import FakeProvider

SOURCE = Path(__file__).with_name("acme_plano_filters")
TRACE = "5" * 32
CHAIN = """\
version: v0.4.0
listeners: [{type: model, name: egress, address: 127.0.0.1, port: 12000}]
model_providers: [{model: openai/main, access_key: $MAIN_KEY, base_url: $MAIN_URL}]
filters:
  - alias
  - %s: {marks: 3}
  - upstream
"""
LONG_FORM = "use: acme_filters:Shout\n    id: loud\n    config"


def variant(folder: Path, replaced: dict[str, str]) -> Path:
    """Return a copy of the distribution with words of its project file and code replaced."""
    copy = folder / "source"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (copy / "pyproject.toml", copy / "src" / "acme_filters" / "__init__.py"):
        text = path.read_text(encoding="utf-8")
        for old, new in replaced.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the distribution once; returns the variables that make it visible."""
    return installed_env(install(SOURCE, tmp_path_factory.mktemp("acme")))


def test_it_is_listed_with_its_origin(acme: dict[str, str]) -> None:
    """`filters` shows the name, the distribution, its version, and the first sentence."""
    listed = json.loads(plano_filters("filters", "--json", env=acme).stdout)
    shout = next(row for row in listed if row["name"] == "shout")

    assert (shout["distribution"], shout["version"]) == ("acme-plano-filters", "1.2.3")
    assert shout["summary"] == "Ask the model to answer in capitals, and say so in a header."
    assert shout["config"] == ["marks"]


def test_its_config_is_in_the_schema(acme: dict[str, str]) -> None:
    """Editors complete its options, with their descriptions and limits."""
    with_it = plano_filters("schema", env=acme).stdout
    without = plano_filters("schema").stdout

    assert "Exclamation marks to ask for." in with_it
    assert "shout" in with_it
    assert "shout" not in without


def test_its_options_are_checked(acme: dict[str, str], tmp_path: Path) -> None:
    """A misspelt option and a value out of range are reported like those of the built-ins."""
    path = tmp_path / "config.yaml"
    path.write_text(CHAIN.replace("marks: 3", "mark: 3, marks: 99") % "shout", encoding="utf-8")
    env = {**acme, "MAIN_KEY": "key", "MAIN_URL": "http://provider.test"}
    done = plano_filters("validate", str(path), env=env)

    assert done.returncode == 2
    assert f"{path}:6:" in done.stderr
    assert 'did you mean "marks"?' in done.stderr
    assert "99" in done.stderr or "less than or equal to 9" in done.stderr


@pytest.mark.parametrize(
    ("link", "filter_id"), [("shout", "shout"), (LONG_FORM, "loud")], ids=["name", "import path"]
)
async def test_it_runs_and_is_seen(acme: dict[str, str], link: str, filter_id: str) -> None:
    """In a running chain it changes requests and answers, and has its spans and metrics."""
    async with (
        FakeProvider().serve() as provider,
        Collector().serve() as collector,
        run_gateway(
            CHAIN % link,
            {
                **acme,
                "MAIN_KEY": "sk-main",
                "MAIN_URL": provider.url,
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                "OTEL_BSP_SCHEDULE_DELAY": "50",
            },
        ) as gateway,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.post(
            f"{gateway.url}/v1/chat/completions",
            json={"model": "main", "messages": [{"role": "user", "content": "Hello"}]},
            headers={"traceparent": f"00-{TRACE}-{'6' * 16}-01", "x-request-id": "shouted"},
        )
        await gateway.line_with("shouted")
        metrics = (await http.get(f"{gateway.admin_url}/metrics")).text
        spans = await collector.trace(TRACE, spans=5)

    assert answer.headers["x-acme-shout"] == "3"
    assert provider.requests[0].json["messages"][0] == {"role": "system", "content": "Shout!!!"}
    assert f'filter="{filter_id}",phase="request"' in metrics
    seen = [about.get("plano.filter.name") for span in spans for _, about in span.events]
    assert filter_id in seen


def test_it_conforms(acme: dict[str, str]) -> None:
    """The kit checks it in a process where nothing but the distributions is there."""
    code = (
        "from acme_filters import Shout; from plano_filters.testing import conformance; "
        "print(conformance.check(Shout, {'marks': 3}))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **acme}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("Shout: 15 checks passed\n", "")


def test_a_broken_plugin_stops_the_start_and_is_named(tmp_path: Path) -> None:
    """A filter that cannot be imported is an error even where no chain uses it."""
    source = variant(tmp_path, {"from pydantic import Field": "import no_such_module"})
    env = installed_env(install(source, tmp_path))
    config = tmp_path / "config.yaml"
    config.write_text(
        "version: v0.4.0\nmodel_providers: [{model: mock/gpt-mock}]\n", encoding="utf-8"
    )
    done = plano_filters("run", str(config), env=env)

    assert done.returncode == 2
    assert 'filter "shout" of acme-plano-filters 1.2.3 cannot be imported' in done.stderr
    assert "no_such_module" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plugin_for_a_newer_api_stops_the_start_and_is_named(tmp_path: Path) -> None:
    """Before it serves a request that the plugin would have handled otherwise."""
    needs = 'config_type = ShoutConfig\n    api = "1.99"'
    env = installed_env(install(variant(tmp_path, {"config_type = ShoutConfig": needs}), tmp_path))
    config = tmp_path / "config.yaml"
    config.write_text(CHAIN % "shout", encoding="utf-8")
    done = plano_filters(
        "run", str(config), env={**env, "MAIN_KEY": "key", "MAIN_URL": "http://provider.test"}
    )

    assert done.returncode == 2
    assert f"--> {config}:6:" in done.stderr
    assert 'filter "shout" of acme-plano-filters 1.2.3 cannot be used: ' in done.stderr
    assert "it needs version 1.99 of the API, and this plano-filters has 1." in done.stderr


def test_two_distributions_with_one_name_are_refused(acme: dict[str, str], tmp_path: Path) -> None:
    """Which of two filters called `shout` would run is nobody's guess: both are named."""
    source = variant(
        tmp_path, {"acme-plano-filters": "other-plano-filters", "acme_filters": "other_filters"}
    )
    (source / "src" / "acme_filters").rename(source / "src" / "other_filters")
    other = install(source, tmp_path)
    env = installed_env(other, *(Path(entry) for entry in acme["PYTHONPATH"].split(os.pathsep)))
    done = plano_filters("filters", env=env)

    assert done.returncode == 2
    assert "acme-plano-filters 1.2.3" in done.stderr
    assert "other-plano-filters 1.2.3" in done.stderr
