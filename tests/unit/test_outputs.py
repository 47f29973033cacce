"""What commands write is whole or not there, and never destroys what they read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from supplyline.cli import cli
from supplyline.errors import UnwritableOutput
from supplyline.outputs import written
from tests.users import ordinary_user


def test_parse_may_write_over_the_file_that_it_reads(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    rows = [f"A{n};{n}" for n in range(50_000)]
    file.write_text("sku;qty\n" + "\n".join(rows) + "\n")
    done = CliRunner().invoke(cli, ["parse", str(file), "--output", str(file)])
    assert done.exit_code == 0, done.output
    assert file.read_text().splitlines() == ["sku,qty", *(r.replace(";", ",") for r in rows)]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("before")
    target.chmod(0o600)
    with written(target) as out:
        out.write("before")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(ZeroDivisionError), written(target) as out:
        out.write("half" * (1 // 0))
    assert (target.read_text(), list(tmp_path.iterdir())) == ("before", [target])
    with pytest.raises(UnwritableOutput, match="No such file"), written(tmp_path / "no" / "x"):
        pass


def test_an_error_of_the_callers_own_is_not_said_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"), written(tmp_path / "out.csv"):
        (tmp_path / "elsewhere").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_be_written_is_in_a_folder_that_may_not() -> None:
    with TemporaryDirectory() as folder:
        target = Path(folder) / "out.csv"
        target.write_text("before, and longer")
        with ordinary_user(Path(folder), target):
            Path(folder).chmod(0o555)
            with written(target) as out:
                out.write("rows")
                assert target.read_text() == "before, and longer"
            with pytest.raises(UnwritableOutput, match="denied"), written(target.with_name("new")):
                pass
            Path(folder).chmod(0o755)
        assert (target.read_text(), list(Path(folder).iterdir())) == ("rows", [target])


def test_a_device_or_a_pipe_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput, match="No space left"), written(Path("/dev/full")) as out:
        out.write("x")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with written(pipe) as out:
        out.write("rows")
    assert os.read(reader, 10) == b"rows"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
