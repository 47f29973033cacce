"""docs/api.md names every path of the API."""

from __future__ import annotations

import re
from pathlib import Path

from django.urls import URLPattern

from backend.config.urls import urlpatterns

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()


def test_every_path_is_documented() -> None:
    paths = ["/" + str(p.pattern) for p in urlpatterns if isinstance(p, URLPattern)]
    plain = [re.sub(r"<(?:str|path|int):(\w+)>", r"<\1>", p) for p in paths]
    shortened = {"/api/pipeline/certificates/<file_id>/": "…/<file_id>/"}
    assert [p for p in plain if shortened.get(p, p) not in TEXT] == []
