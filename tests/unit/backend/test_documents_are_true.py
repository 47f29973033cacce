"""What the documents tell to run, to set and to call is there: commands, variables, paths."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from supplyline.cli import COMMANDS, cli
from supplyline.settings import VARIABLES

ROOT = Path(__file__).resolve().parents[3]
PAGES = {p.name: p.read_text() for p in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))}
_BEFORE = re.compile(r"\$|sudo|exec|(\S*/)?python3?|[A-Z_]+=.*")
"""Words that may stand before a program's name."""
_PROGRAM = re.compile(r"(?:\S*/)?(supplyline|manage\.py)")
_OPTION = re.compile(r"(?:^|[\s\[])(--?[a-z][a-z-]*)")
_VARIABLE = re.compile(r"\b(?:SUPPLYLINE|AIRFLOW|MONGO|PG|APP_DB)_[A-Z0-9_]*[A-Z0-9]\b")
_PATH = re.compile(r"(?<![\w.…-])/api/[^\s`'\"|,)\\?]*")
_READ = re.compile(r"(?:environ(?:\.get\(|\[)|envvar=)\s*\"([A-Z0-9_]+)\"")


def code(text: str) -> Iterator[str]:
    """The code of a page: the lines of its blocks, and what stands between backticks."""
    fence = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for block in fence.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    for inline in re.findall(r"`([^`]+)`", fence.sub("", text)):
        yield inline.replace("\n", " ")


def commands(text: str) -> Iterator[tuple[str, str, str]]:
    """Program, command and the rest of each command line on a page that is one of ours."""
    for line in code(text):
        for part in re.split(r"\|\|?|&&|;|\$\(", line.partition(" #")[0]):
            words = part.split()
            while words and _BEFORE.fullmatch(words[0]):
                words = words[1:]
            program = _PROGRAM.fullmatch(words[0]) if len(words) > 1 else None
            if program and re.fullmatch(r"[a-z][a-z_-]*", words[1]):
                yield program[1], words[1], " ".join(words[2:])


def options(program: str, command: str) -> set[str] | None:
    """The options of one of our commands; None where there is no such command."""
    if program == "supplyline":
        found = cli.get_command(click.Context(cli), command)
        return found and {o for p in found.params for o in (*p.opts, *p.secondary_opts)}
    if command not in get_commands():
        return None
    parser = load_command_class(get_commands()[command], command).create_parser("", command)
    parsers = [parser, *(p for a in parser._actions if isinstance(a, argparse._SubParsersAction)
                         for p in a.choices.values())]  # fmt: skip
    return {option for each in parsers for option in each._option_string_actions}


def test_every_command_that_is_written_down_is_there_with_its_options() -> None:
    wrong = []
    for page, text in PAGES.items():
        for program, command, rest in commands(text):
            known = options(program, command)
            given = set(_OPTION.findall(rest)) - {"--help"}
            if known is None or given - known:
                wrong.append((page, program, command, known and given - known))
    assert wrong == []


def test_every_command_is_written_down() -> None:
    told = {name for text in PAGES.values() for _, name, _ in commands(text)}
    own = {name for name, app in get_commands().items() if app.startswith("backend.")}
    assert {*COMMANDS, *own} - told == set()


def test_every_variable_that_is_written_down_is_read_and_the_reverse() -> None:
    told = {name for text in PAGES.values() for name in _VARIABLE.findall(text)}
    folders = ("supplyline", "backend", "airflow/dags")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    source = "\n".join(path.read_text() for path in files)
    assert {name for name in told if name not in source} == set()
    read = {*VARIABLES, *_READ.findall(source)}
    assert {name for name in read if name.startswith("SUPPLYLINE_")} - told == set()


def test_every_path_that_is_written_down_is_there() -> None:
    wrong = []
    for page, text in PAGES.items():
        for path in {p.rstrip(".:;") for p in _PATH.findall(text)}:
            if path.startswith(("/api/v1", "/api/v2")):  # Airflow's own
                continue
            plain = re.sub(r"<[^>]*>|\{[^}]*\}|\$\w+|…", "1", path)
            try:
                resolve(plain)
            except Resolver404:
                wrong.append((page, path))
    assert wrong == []


def test_the_layers_that_are_written_down_are_those_that_are_held() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers")
    assert " > ".join(f"`{layer}`" for layer in layers) in " ".join(
        PAGES["architecture.md"].split()
    )
