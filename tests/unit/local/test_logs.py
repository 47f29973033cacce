"""Logs stay bounded and their end is found."""

from __future__ import annotations

from supplyline.local import home as homes
from supplyline.local import logs
from supplyline.local.home import Home


def test_a_long_log_is_set_aside_and_its_writer_goes_on(tmp_path):
    home = Home(path=tmp_path / "run")
    homes.make(home)
    log = logs.path(home, "backend")
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        assert logs.trim(home, limit=100) == ["backend"]
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert log.with_suffix(".log.1").read_bytes() == b"old\n" * 100


def test_tail_gives_the_last_lines(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {n}\n" for n in range(20_000)))
    assert logs.tail(log, 2) == ["line 19998", "line 19999"]
    assert logs.tail(log, 0) == []
