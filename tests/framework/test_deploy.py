"""The container and the manifests say what the program does. No container engine is needed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from plano_filters.app import check
from plano_filters.cli.app import app
from plano_filters.config import Document, load_text
from plano_filters.config.types import parse_duration

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KEYS = {"OPENAI_API_KEY": "one", "TEAM_A_KEY": "two-two-two-two-two-two"}
MANIFESTS = ("sidecar", "gateway")


def manifest(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / f"{name}.yaml").read_text()))


def of_kind(name: str, kind: str) -> dict[str, Any]:
    return next(one for one in manifest(name) if one["kind"] == kind)


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind(name, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    spec = pod(name)
    found: dict[str, Any] = next(
        one
        for one in [*spec.get("initContainers", []), *spec["containers"]]
        if one["name"] == "plano-filters"
    )
    return found


def variables(name: str) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in container(name)["env"]}


def configured(text: str) -> Document:
    """Compile a configuration; any problem fails the test."""
    loaded = load_text(text, env=KEYS)
    check(loaded)
    return loaded.document


def parsed(arguments: list[str]) -> dict[str, Any]:
    """Parse a command line as the program would."""
    command = typer.main.get_command(app)
    name, *rest = arguments
    context = typer.Context(command)
    chosen = command.get_command(context, name)  # type: ignore[attr-defined]
    made: dict[str, Any] = chosen.make_context(name, rest).params
    return made


def instructions() -> dict[str, list[str]]:
    """Return the Dockerfile's instructions, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            found.setdefault(word, []).append(" ".join(rest.split()))
    return found


def test_the_image_runs_as_nobody_and_gets_its_signals() -> None:
    """A numeric user that is not root, and the exec form everywhere."""
    image = instructions()

    assert image["USER"] == ["65532:65532"]
    assert image["ENTRYPOINT"] == ['["plano-filters"]']
    assert image["CMD"] == ['["run", "/etc/plano-filters"]']
    assert 'CMD ["plano-filters", "health"]' in image["HEALTHCHECK"][0]


def test_the_images_commands_are_the_programs() -> None:
    """`run` and `health` take these arguments."""
    assert parsed(["run", "/etc/plano-filters"])["file"] == Path("/etc/plano-filters")
    assert "url" in parsed(["health"])


def test_the_build_copies_what_it_needs_and_no_more() -> None:
    """What is copied exists and is not ignored; extras are the project's."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    image = instructions()
    copied = [
        word for line in image["COPY"] if "--from" not in line for word in shlex.split(line)[:-1]
    ]

    assert ignored[0] == "*"
    assert {f"!{name}" for name in copied} <= set(ignored)
    assert all((ROOT / name).exists() for name in copied)
    assert re.search(r'"\.\[jwt,redis,fast,cpu\]"', " ".join(image["RUN"]))


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifests_configuration_is_right(name: str) -> None:
    """It compiles, with the variables that the manifest sets and no others."""
    document = configured(of_kind(name, "ConfigMap")["data"]["config.yaml"])

    assert document.listeners[0].port == 12000
    references = re.findall(r"\$([A-Z_]+)", of_kind(name, "ConfigMap")["data"]["config.yaml"])
    assert set(references) <= set(variables(name))


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_pod_waits_longer_than_the_drain(name: str) -> None:
    """Kubernetes does not kill what is still answering."""
    document = configured(of_kind(name, "ConfigMap")["data"]["config.yaml"])
    delay = float(variables(name).get("PLANO_FILTERS_DRAIN_DELAY", 0))

    assert pod(name)["terminationGracePeriodSeconds"] > document.limits.drain + delay + 5


@pytest.mark.parametrize("name", MANIFESTS)
def test_probes_ask_the_admin_listener(name: str) -> None:
    """Their port is the one the variable opens, and their paths exist."""
    gateway = container(name)
    ports = {one["name"]: one["containerPort"] for one in gateway["ports"]}

    assert variables(name)["METRICS_BIND_ADDRESS"] == f"0.0.0.0:{ports['admin']}"
    assert gateway["startupProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
    assert gateway["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "admin"}


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_container_may_do_nothing_it_need_not(name: str) -> None:
    """No root, no capabilities, no writable files but /tmp; its options are the program's."""
    gateway = container(name)
    security = gateway["securityContext"]

    assert security["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert parsed(gateway["args"])["watch"]
    mounts = {one["mountPath"]: one for one in gateway["volumeMounts"]}
    assert "subPath" not in mounts["/etc/plano-filters"]


def test_the_sidecar_is_one() -> None:
    """It is an init container that stays, and serves its own pod only."""
    document = configured(of_kind("sidecar", "ConfigMap")["data"]["config.yaml"])

    assert container("sidecar")["restartPolicy"] == "Always"
    assert document.listeners[0].address == "127.0.0.1"


def test_the_service_does_not_publish_the_admin_port() -> None:
    """Other pods reach the API, and only that, by the name of the service."""
    assert [one["targetPort"] for one in of_kind("gateway", "Service")["spec"]["ports"]] == ["http"]


def test_the_compose_file_fits_its_configuration() -> None:
    """It waits for the drain, publishes on loopback only, and Prometheus asks the admin port."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    gateway = services["gateway"]
    document = configured((DEPLOY / "config" / "config.yaml").read_text())
    scrape = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"][0]
    grace = parse_duration(gateway["stop_grace_period"])

    assert isinstance(grace, float)
    assert grace > document.limits.drain + 5
    assert parsed(gateway["command"])["watch"]
    assert all(one.startswith("127.0.0.1:") for s in services.values() for one in s["ports"])
    assert gateway["environment"]["METRICS_BIND_ADDRESS"].endswith(":9901")
    assert scrape["static_configs"] == [{"targets": ["gateway:9901"]}]
