"""A unit of a running instance and how it is doing, as the state file tells it."""

from __future__ import annotations

import subprocess
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from supplyline.local.process import Identity
from supplyline.local.units import Unit

Phase = Literal["waiting", "starting", "ready", "pausing", "done", "failed", "stopped"]


@dataclass(kw_only=True)
class Entry:
    """A unit and how it is doing."""

    unit: Unit
    phase: Phase = "waiting"
    process: subprocess.Popen[bytes] | None = None
    identity: Identity | None = None
    since: float = 0.0
    """Unix time of the last start."""
    restarts: int = 0
    deaths: int = 0
    retry_at: float = 0.0
    error: str = ""
    task: Future[None] | None = None
    was_ready: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "pid": self.identity.pid if self.identity else None,
            "started": self.identity.started if self.identity else None,
            "since": self.since,
            "port": self.unit.port,
            "restarts": self.restarts,
            "error": self.error,
            "step": self.unit.action is not None,
            "stop_signal": int(self.unit.stop_signal),
            "patience": self.unit.patience,
        }
