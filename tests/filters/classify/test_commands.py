"""`plano-filters routers`, with a scripted model behind the real worker."""

from __future__ import annotations

import json
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import log
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from plano_builtin_filters.classify.commands import Kit, app
from plano_builtin_filters.classify.commands.bench import prompt
from plano_builtin_filters.classify.config import ClassifyConfig
from plano_builtin_filters.classify.routers import manifest
from plano_builtin_filters.classify.routers.embedded import BUNDLED
from plano_builtin_filters.classify.routers.manifest import Kind, Manifest
from plano_builtin_filters.classify.routers.protocol import (
    Question,
    RouteOption,
    RouterFailed,
    Scores,
)
from plano_builtin_filters.classify.routers.worker import Worker
from plano_builtin_filters.classify.wiring import Wiring
from plano_filters import FactoryContext
from tests.filters.classify import tiny

ROUTES = [
    {"name": "code", "description": "program code"},
    {"name": "poems", "description": "verses"},
]
GATEWAY = """\
version: v0.4.0
model_providers:
  - {model: mock/fast}
  - {model: mock/smart, default: true}
routing_preferences:
  - {name: sums, description: adding numbers up, models: [mock/fast]}
  - {name: songs, description: songs, models: [mock/smart]}
filters: [alias, classify: {min_confidence: 0.7}, upstream]
"""


@dataclass
class Scripted:
    """Answers with the route whose name stands in the last turn, else that none fits."""

    confidence: float = 0.8
    broken: str | None = None
    """Why it cannot be loaded."""
    fails_on: str = "\0"
    """A text that it cannot answer."""
    asked: list[Question] = field(default_factory=list)
    batch: int = 4

    def load(self) -> None:
        if self.broken is not None:
            raise RouterFailed("unavailable", self.broken)

    def warm(self, routes: tuple[RouteOption, ...]) -> None:
        raise AssertionError("commands warm up by a question")

    def score(self, questions: Sequence[Question]) -> list[Scores]:
        return [self._scores(one) for one in questions]

    def logits(self, questions: Sequence[Question]) -> list[list[float]]:
        found = [self._scores(one) for one in questions]
        return [[log(one) for one in (*scores.routes, scores.other)] for scores in found]

    def describe(self) -> str:
        return "scripted (a test)"

    def _scores(self, question: Question) -> Scores:
        self.asked.append(question)
        text = question.turns[-1].text
        if self.fails_on in text:
            raise RouterFailed("error", "it cannot read that")
        named = next((n for n, name in enumerate(question.names) if name in text), -1)
        odds = [(1 - self.confidence) / len(question.names)] * (len(question.names) + 1)
        odds[named] = self.confidence
        return Scores(tuple(odds[:-1]), odds[-1])


@dataclass
class Shell:
    """Calls the commands with a model."""

    model: Scripted
    folder: Path
    wired: list[ClassifyConfig] = field(default_factory=list)

    def __call__(self, *arguments: str | Path) -> Result:
        kit = Kit(wire=self._wire, scorer=self._scorer, bundled=self.folder / "bundled")
        return CliRunner().invoke(app, [str(one) for one in arguments], obj=kit)

    def json(self, *arguments: str | Path) -> dict[str, Any]:
        """Return the one object that a command prints."""
        result = self(*arguments, "--json")
        assert (result.exit_code, result.stderr) == (0, "")
        told = json.loads(result.stdout)
        assert isinstance(told, dict)
        return told

    def _wire(self, config: ClassifyConfig, context: FactoryContext) -> Wiring:
        self.wired.append(config)
        name = config.router or "embedded"
        return Wiring(name, name, lambda: Worker(self.model, queue=4, deadline=60))

    def _scorer(self, directory: Path, kind: Kind) -> Scripted:
        return self.model


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(Scripted(), tmp_path)


def row(gold: dict[str, str], *said: str, source: str = "web", **more: object) -> dict[str, object]:
    """Make a line of an evaluation file; the user and the assistant speak in turn."""
    messages = [
        {"role": "assistant" if place % 2 else "user", "content": text}
        for place, text in enumerate(said)
    ]
    return {
        "id": "one", "source": source, "tags": [], "routes": ROUTES,
        "messages": messages, "gold": gold, **more,
    }  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Five decisions, of which the second is wrong, in four conversations of three sources."""
    rows = [
        row({"0": "code", "2": "code"}, "code please", "ok", "hm", tags=["two"]),
        row({"0": "poems"}, "poems", source="web-new"),
        row({"0": "other"}, "hello there", source="books"),
        row({"0": "other"}, "what other?", source="books", routes=[*ROUTES, OTHER_ROUTE]),
    ]
    return written(tmp_path / "cases.jsonl", *rows)


OTHER_ROUTE = {"name": "other", "description": "whatever else"}


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def made(directory: Path, kind: Kind = "encoder", **fields: Any) -> Path:
    """Make a model directory whose files are what its manifest says."""
    directory.mkdir()
    (directory / "model.onnx").write_bytes(b"a graph")
    described = Manifest(kind=kind, name="a-model", licence="MIT", **fields)
    manifest.write(directory, described, ["model.onnx"])
    return directory


def test_an_evaluation_prints_one_object(shell: Shell, file: Path) -> None:
    """With every figure that scripts look for, and each share as it is."""
    told = shell.json("eval", file, "--seen", "web")

    wanted = {
        "turn_accuracy", "span_accuracy", "conversation_accuracy", "other_recall", "ece",
        "p50_ms", "p95_ms", "p99_ms", "by_source", "seen", "unseen", "decisions", "router", "model",
    }  # fmt: skip
    assert wanted <= told.keys()
    assert (told["decisions"], told["conversations"], told["router"]) == (5, 4, "embedded")
    assert told["turn_accuracy"] == pytest.approx(4 / 5)
    assert told["span_accuracy"] == pytest.approx(3 / 4)
    assert told["conversation_accuracy"] == pytest.approx(3 / 4)
    assert told["other_recall"] == 1
    assert told["other_precision"] == pytest.approx(1 / 2)
    assert told["ece"] == pytest.approx(0)  # 0.8 sure, and right 4 times of 5
    assert 0 < told["p50_ms"] <= told["p95_ms"] <= told["p99_ms"]
    assert told["confusion"] == [{"right": "code", "given": "other", "count": 1, "unseen": 0}]


def test_seen_and_unseen_sources_are_told_apart(shell: Shell, file: Path) -> None:
    """What is made from a source of training is seen as well."""
    told = shell.json("eval", file, "--seen", "web")

    assert told["seen"]["sources"] == ["web", "web-new"]
    assert told["seen"]["turn_accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert (told["unseen"]["sources"], told["unseen"]["turn_accuracy"]) == (["books"], 1)
    assert {name: one["seen"] for name, one in told["by_source"].items()} == {
        "books": False, "web": True, "web-new": True,
    }  # fmt: skip
    assert told["by_tag"]["two"]["seen"]["turn_accuracy"] == pytest.approx(1 / 2)
    assert told["by_tag"]["two"]["unseen"]["turn_accuracy"] is None
    text = shell("eval", file, "--seen", "web").stdout
    for part in ("unseen ", "calibration, unseen", "turn, unseen", "p50 ", "most confused"):
        assert part in text


def test_the_manifest_says_what_was_seen(shell: Shell, file: Path, tmp_path: Path) -> None:
    """Unless somebody knows better; where nobody says, nothing is told apart."""
    model = made(tmp_path / "model", settings={"trained_on": ["books"]})

    told = shell.json("eval", file, "--model", model)
    assert (told["model"], told["trained_on"]) == ("a-model", ["books"])
    assert told["seen"]["sources"] == ["books"]
    assert shell.json("eval", file, "--model", model, "--seen", "web")["trained_on"] == ["web"]
    assert shell.json("eval", file)["unseen"] is None
    assert "name them with --seen" in shell("eval", file).stdout


def test_the_questions_are_those_of_traffic(shell: Shell, file: Path) -> None:
    """The conversation up to the message, and before each new table one that is not counted."""
    shell.json("eval", file)

    texts = [[turn.text for turn in one.turns] for one in shell.model.asked]
    assert texts[:4] == [["hello"], ["code please"], ["code please", "ok", "hm"], ["poems"]]
    assert [one for one in texts if one == ["hello"]] == [["hello"]] * 2  # two tables
    assert len(texts) == 5 + 2


def test_a_limit_takes_the_first_conversations(shell: Shell, file: Path) -> None:
    """Whole ones, so that spans and conversations mean the same."""
    assert shell.json("eval", file, "--limit", "1")["decisions"] == 2


def test_an_unsure_answer_takes_no_route(shell: Shell, file: Path) -> None:
    """Then only those that fit no route are right, and the calibration is what it was."""
    told = shell.json("eval", file, "--min-confidence", "0.9")

    assert told["turn_accuracy"] == pytest.approx(1 / 5)
    assert told["unsure"] == 3
    assert told["ece"] == pytest.approx(0)
    assert "3 answers below 0.9 take no route" in (
        shell("eval", file, "--min-confidence", "0.9").stdout
    )


def test_questions_that_are_not_answered_are_counted(shell: Shell, file: Path) -> None:
    """They are wrong, by reason, and the others go on."""
    shell.model.fails_on = "poems"

    told = shell.json("eval", file)

    assert told["failures"] == {"error": 1}
    assert told["turn_accuracy"] == pytest.approx(3 / 5)
    assert "counted as wrong: 1 error" in shell("eval", file).stdout


@pytest.mark.parametrize("command", ["eval", "try", "bench", "calibrate"])
def test_a_model_that_is_not_there_is_one_line(shell: Shell, file: Path, command: str) -> None:
    """Status 1, no traceback, nothing on stdout."""
    shell.model.broken = "the model\nis gone"
    more: dict[str, list[str | Path]] = {
        "eval": [file], "try": ["hi"], "bench": [],
        "calibrate": [file, "--model", made(shell.folder / "model")],
    }  # fmt: skip

    result = shell(command, *more[command])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: the model is gone\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Invalid JSON"),
        (row({"0": "code"}, "hi", extra=1), "extra: Extra inputs"),
        (row({}, "hi"), "gold: Dictionary should have at least 1"),
        (row({"1": "code"}, "hi", "yes"), '"1" is not the index of a user\'s message'),
        (row({"7": "code"}, "hi"), '"7" is not the index'),
        (row({"x": "code"}, "hi"), '"x" is not the index'),
        (row({"0": "cod"}, "hi"), '"cod" is neither a route nor other'),
        (row({"0": "code"}, "  "), "message 0 has no text"),
        (row({"0": "code"}, "hi", routes=[]), "routes: List should have"),
        (row({"0": "code"}, "hi", routes=[ROUTES[0]] * 2), "two have the same name"),
    ],
)
def test_a_wrong_line_is_named(shell: Shell, file: Path, line: object, reason: str) -> None:
    """With file, number and reason, before anything is asked; status 2."""
    text = line if isinstance(line, str) else json.dumps(line)
    file.write_text(f"{file.read_text()}\n{text}\n")

    result = shell("eval", file)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {file}:6: ")
    assert reason in result.stderr
    assert shell.model.asked == []


def test_a_file_that_is_none_is_named(shell: Shell, tmp_path: Path) -> None:
    """Missing, empty, or not text; status 2."""
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")

    for path, reason in ((tmp_path / "no", "No such file"), (empty, "no conv"), (binary, "UTF-8")):
        result = shell("eval", path)
        assert result.exit_code == 2
        assert reason in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--router", "magic"), "--router must be one of embedded, onnx, remote"),
        (("--config", "nowhere.yaml"), "cannot read nowhere.yaml"),
        (("--plot", "no/such/folder.svg"), "cannot write no/such/folder.svg"),
    ],
)
def test_wrong_options_are_named(
    shell: Shell, file: Path, arguments: tuple[str, ...], reason: str
) -> None:
    """Status 2."""
    result = shell("eval", file, *arguments)

    assert result.exit_code == 2
    assert reason in result.stderr


def test_the_calibration_is_drawn(shell: Shell, file: Path, tmp_path: Path) -> None:
    """As a file that is XML, with a bar for each bin that has answers."""
    path = tmp_path / "plot.svg"

    assert shell("eval", file, "--seen", "web", "--plot", path).exit_code == 0

    drawn = ET.fromstring(path.read_text())
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert path.read_text().count("<title>") == 1  # all answers are 0.8 sure
    assert "unseen sources: ECE" in path.read_text()


def test_a_model_is_run_by_the_router_that_can(shell: Shell, file: Path, tmp_path: Path) -> None:
    """The kind in its manifest says which, unless somebody does."""
    causal = made(tmp_path / "model", "causal")

    assert shell.json("eval", file, "--model", causal)["router"] == "onnx"
    assert shell.wired[-1].model == str(causal)


def test_a_gateways_options_are_used(shell: Shell, file: Path, tmp_path: Path) -> None:
    """Those of `classify` in its chain; those of the command line go before them."""
    config = tmp_path / "gateway.yaml"
    config.write_text(GATEWAY)

    assert shell.json("eval", file, "--config", config)["min_confidence"] == 0.7
    told = shell.json("eval", file, "--config", config, "--min-confidence", "0")
    assert told["min_confidence"] == 0


def test_a_temperature_is_fitted_and_written(shell: Shell, file: Path, tmp_path: Path) -> None:
    """Right 4 times of 5 and 0.96 sure: what is written makes it 0.8; no file's hash changes."""
    shell.model.confidence = 0.96
    model = made(tmp_path / "model", settings={"trained_on": ["web"]})
    before = manifest.read(model)

    rehearsed = shell.json("calibrate", file, "--model", model, "--dry-run")
    assert (rehearsed["written"], manifest.read(model)) == (False, before)
    told = shell.json("calibrate", file, "--model", model)

    after = manifest.load(model, kind="encoder")
    assert after.files == before.files
    assert after.settings == before.settings
    assert after.temperature == told["after"]["temperature"] > 1
    assert told["sha256"] == manifest.digest(model / manifest.NAME)
    assert told["after"]["nll"] < told["before"]["nll"]
    assert told["after"]["ece"] < told["before"]["ece"]
    assert told["after"]["unseen"]["turn_accuracy"] == 1
    text = shell("calibrate", file, "--model", model, "--dry-run").stdout
    assert "ECE, unseen" in text
    assert text.endswith("nothing was written\n")


def test_the_offset_of_other_is_fitted_where_a_model_has_one(
    shell: Shell, file: Path, tmp_path: Path
) -> None:
    """It is written beside the temperature, and only there."""
    shell.model.confidence = 0.9
    model = made(tmp_path / "model", settings={"other_offset": 0.0})

    told = shell.json("calibrate", file, "--model", model)

    assert manifest.read(model).settings["other_offset"] == told["after"]["other_offset"] != 0


def test_only_a_model_with_a_sound_manifest_is_calibrated(
    shell: Shell, file: Path, tmp_path: Path
) -> None:
    """Else there is nothing to write to, or what is written would bless a corrupt file."""
    model = made(tmp_path / "model")
    (model / "model.onnx").write_bytes(b"another")
    assert "corrupt" in shell("calibrate", file, "--model", model).stderr

    (model / manifest.NAME).unlink()
    result = shell("calibrate", file, "--model", model)
    assert (result.exit_code, "has no manifest.json" in result.stderr) == (2, True)


def test_a_bench_has_a_row_for_each_kind(shell: Shell) -> None:
    """Cold and warm, by routes and tokens; every cold question has a table of its own."""
    told = shell.json("bench", "--routes", "2,12", "--tokens", "5", "--repeat", "3")

    kinds = [(one["routes"], one["tokens"], one["table"]) for one in told["rows"]]
    assert kinds == [(2, 5, "cold"), (2, 5, "warm"), (12, 5, "cold"), (12, 5, "warm")]
    assert all(0 < one["p50_ms"] <= one["p99_ms"] for one in told["rows"])
    cold = [one.routes for one in shell.model.asked if len(one.turns[0].text.split()) == 5][:3]
    assert len(set(cold)) == 3
    assert len({one.routes for one in shell.model.asked if len(one.routes) == 12}) == 4
    assert "warm: it was read before" in shell("bench", "--repeat", "1").stdout
    assert len(prompt(3, 50).split()) == 50
    assert prompt(1, 50) != prompt(2, 50)


@pytest.mark.parametrize("text", ["", "x", "0", "5,", "1000"])
def test_a_bench_takes_numbers_of_routes(shell: Shell, text: str) -> None:
    """Others are told what it takes; status 2."""
    result = shell("bench", "--routes", text)

    assert (result.exit_code, "--routes takes numbers from 1 to 128" in result.stderr) == (2, True)


def test_a_prompt_is_tried(shell: Shell) -> None:
    """With an example's routes, said so; the probabilities are all there and sum to 1."""
    told = shell.json("try", "a bit of code")

    assert (told["route"], told["confidence"], told["outcome"]) == ("code", 0.8, "routed")
    assert len(told["routes"]) == 5
    assert sum(told["routes"].values()) + told["other"] == pytest.approx(1, abs=1e-5)
    assert told["margin"] == pytest.approx(0.76)
    assert told["ms"] > 0
    result = shell("try", "a bit of code")
    assert "an example's routes" in result.stderr
    assert result.stdout.startswith("code 0.80, then ")
    assert "margin 0.76" in result.stdout


def test_a_conversation_is_tried(shell: Shell) -> None:
    """Earlier turns are the user's, or the assistant's where they say so."""
    result = shell(
        "try", "more songs", "--turn", "hi", "--turn", "assistant: yes?",
        "--route", "songs: what is sung", "--route", "sums: 1 + 1: and so on",
    )  # fmt: skip

    assert (result.exit_code, result.stderr) == (0, "")
    asked = shell.model.asked[-1]
    assert [(turn.role, turn.text) for turn in asked.turns] == [
        ("user", "hi"), ("assistant", "yes?"), ("user", "more songs"),
    ]  # fmt: skip
    assert asked.routes[1] == RouteOption("sums", "1 + 1: and so on")


def test_a_configurations_routes_are_tried(shell: Shell, tmp_path: Path) -> None:
    """With its least confidence, too."""
    config = tmp_path / "gateway.yaml"
    config.write_text(GATEWAY)
    shell.model.confidence = 0.6

    told = shell.json("try", "some songs", "--config", config)

    assert (told["outcome"], told["route"], told["best"]) == ("unsure", None, "songs")
    assert list(told["routes"]) == ["sums", "songs"]


@pytest.mark.parametrize(
    "arguments", [("hi", "--route", "no description"), ("hi", *("--route", "a: b") * 2), (" ",)]
)
def test_a_wrong_trial_is_refused(shell: Shell, arguments: tuple[str, ...]) -> None:
    """Status 2, and nothing is asked."""
    assert shell("try", *arguments).exit_code == 2
    assert shell.model.asked == []


def test_routing_preferences_are_linted(shell: Shell, tmp_path: Path) -> None:
    """Warnings are printed with status 0; a wrong file has status 2."""
    config = tmp_path / "gateway.yaml"
    config.write_text(GATEWAY)

    result = shell("lint", config)
    assert result.exit_code == 0
    assert 'warning: "songs": the description is too short' in result.stdout
    assert "2 routes, 1 warning" in result.stdout
    assert "left out" in result.stderr  # there is no model in this test's place

    config.write_text(GATEWAY.replace("models: [mock/fast]", "modles: [mock/fast]"))
    result = shell("lint", config)
    assert (result.exit_code, "modles" in result.stderr) == (2, True)


def test_routers_are_listed_with_the_bundled_model(shell: Shell) -> None:
    """Licence, size and whether its files are what the manifest says."""
    model = made(shell.folder / "bundled")

    told = shell.json("list")
    assert set(told["routers"]) == {"embedded", "onnx", "remote"}
    bundled = told["bundled"]
    assert (bundled["name"], bundled["licence"], bundled["size"]) == ("a-model", "MIT", 7)
    assert bundled["verified"] is True
    assert "verified" in shell("list").stdout

    (model / "model.onnx").write_bytes(b"another")
    told = shell.json("list")
    assert (told["bundled"]["verified"], told["routers"]["embedded"]["runs"]) == (False, False)
    assert "cannot run here" in shell("list").stdout


def test_a_list_without_a_bundled_model_says_so(shell: Shell) -> None:
    """It is a fact, and no failure."""
    result = shell("list")

    assert result.exit_code == 0
    assert "bundled model: none" in result.stdout


def test_an_export_that_cannot_be_is_one_line(shell: Shell, tmp_path: Path) -> None:
    """A directory that is in use is status 1, a word that is none is status 2."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")

    used = shell("export", tmp_path, "--out", tmp_path / "full")
    assert (used.exit_code, used.stderr) == (
        1,
        f"error: {tmp_path / 'full'} exists and is not empty\n",
    )
    wrong = shell("export", tmp_path, "--out", tmp_path / "new", "--dtype", "int2")
    assert (wrong.exit_code, "--dtype must be one of" in wrong.stderr) == (2, True)


class Endpoint(BaseHTTPRequestHandler):
    """A router model that always names the route `code`."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        said = {"role": "assistant", "content": '{"route": "code"}'}
        body = json.dumps({"choices": [{"index": 0, "message": said}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's word
        pass


@pytest.fixture
def endpoint() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_remote_router_is_measured(
    file: Path, tmp_path: Path, endpoint: ThreadingHTTPServer
) -> None:
    """Over a real connection, as a configuration declares it; it tells no confidences."""
    config = tmp_path / "gateway.yaml"
    url = f"http://127.0.0.1:{endpoint.server_port}/v1"
    config.write_text(
        "version: v0.4.0\n"
        "model_providers:\n"
        f"  - {{model: vllm/arch-router, base_url: '{url}'}}\n"
        "overrides: {llm_routing_model: vllm/arch-router}\n"
    )

    result = CliRunner().invoke(app, ["eval", str(file), "--config", str(config), "--json"])

    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["router"], told["model"]) == ("remote", "vllm/arch-router")
    assert (told["turn_accuracy"], told["ece"]) == (pytest.approx(2 / 5), None)
    text = CliRunner().invoke(app, ["eval", str(file), "--config", str(config)]).stdout
    assert "tells no confidences" in text

    endpoint.shutdown()
    endpoint.server_close()  # nobody listens any more
    result = CliRunner().invoke(app, ["eval", str(file), "--config", str(config)])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "cannot be reached" in result.stderr


def test_a_model_is_exported_measured_and_calibrated(
    file: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The whole way of a causal model, with random weights: no command is told what it is."""
    tiny.exported(tmp_path_factory)
    source, out = tiny.shared(tmp_path_factory) / "tiny", tmp_path / "out"

    made_of = CliRunner().invoke(app, ["export", str(source), "--out", str(out)])
    assert made_of.exit_code == 0, made_of.stderr
    digest = manifest.digest(out / manifest.NAME)
    assert made_of.stdout.endswith(f"{out / manifest.NAME}  sha256 {digest}\n")
    assert "licence made-up" in made_of.stdout
    assert "comparing with torch" in made_of.stderr
    assert manifest.read(out).dtype == "int8"

    arguments = ["eval", str(file), "--model", str(out), "--json"]
    told = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert (told["router"], told["model"], told["decisions"]) == ("onnx", "tiny", 5)
    arguments = ["calibrate", str(file), "--model", str(out), "--json"]
    fitted = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert fitted["before"]["ece"] == pytest.approx(told["ece"], abs=1e-3)
    assert fitted["after"]["nll"] <= fitted["before"]["nll"]


REAL: list[tuple[str, Callable[[Path], list[str]]]] = [
    ("try", lambda file: ["try", "fix this bug"]),
    ("eval", lambda file: ["eval", str(file)]),
]


@pytest.mark.parametrize(("name", "arguments"), REAL)
def test_the_model_that_ships_is_asked(
    file: Path, name: str, arguments: Callable[[Path], list[str]]
) -> None:
    """Where its files are there it answers; in a checkout without them, one line says so."""
    result = CliRunner().invoke(app, [*arguments(file), "--json"])

    if (BUNDLED / manifest.NAME).is_file():
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["router"] == "embedded"
    else:
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1
