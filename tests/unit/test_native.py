"""The inner loops are compiled where the tests run, so that both ways are tested."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supplyline import native
from supplyline.native import build


def test_the_library_of_these_sources_is_built_here() -> None:
    assert native.path().exists(), "run `python -m supplyline.native.build`"


def test_it_is_used_unless_switched_off() -> None:
    assert in_another_process("from supplyline import native; print(native.library())") != "None"


def test_off_is_off() -> None:
    code = "from supplyline import native; print(native.library(), native.function('x'))"
    assert in_another_process(code, SUPPLYLINE_NATIVE="off") == "None None"


def in_another_process(code: str, **settings: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != native.OFF} | settings
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to build into."""
    monkeypatch.setattr(native, "BUILT", tmp_path / "built")
    return tmp_path / "built"


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["build", *arguments])
    return build.main()


def test_without_a_compiler_it_says_so(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(built))
    assert command(monkeypatch) == build.NO_COMPILER
    assert "No C compiler was found" in capsys.readouterr().err


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler-here"])
def test_a_compiler_that_fails_leaves_nothing(
    built: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    assert command(monkeypatch, "--compiler", compiler) == 1
    assert not list(built.iterdir())


def test_what_was_built_of_older_sources_is_removed(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler here is a copier: what matters is which file is left."""
    built.mkdir()
    (built / "linux-of-older-sources.so").write_bytes(b"")
    script = 'import sys; open(sys.argv[sys.argv.index("-o") + 1], "w").close()'
    assert command(monkeypatch, "--compiler", f"{sys.executable} -c '{script}'") == 0
    assert [p.name for p in built.iterdir()] == [native.path().name]
    assert command(monkeypatch, "--compiler", "false") == 0  # there already
