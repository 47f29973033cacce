"""One JSON object a line on stderr: time, level, logger, message and the fields of `extra`.

Never cell values and never secrets: who logs passes ids in `extra`, nothing else is added.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from backend.api.correlation import SAID, current_correlation_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if correlation := current_correlation_id():
            line["correlation_id"] = correlation
        line.update({k: v for k, v in vars(record).items() if k not in _STANDARD})
        # Requests cannot be written as JSON and Django attaches them to its records.
        line.update(getattr(line.pop("request", None), SAID, {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
