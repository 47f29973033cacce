"""What is known of a stored file, kept beside its bytes."""

from __future__ import annotations

from supplyline.contracts import Json, ParseOptions, StoredFile

NAME = ".supplyline.json"


def about(file: StoredFile) -> Json:
    """What is written of a file; `known_of` reads it back."""
    said: Json = {"name": file.name, "size": file.size, "sha256": file.sha256}
    if file.options is not None:
        said["options"] = file.options.as_json()
    for name in ("origin", "replay_of"):
        if value := getattr(file, name):
            said[name] = value
    return said


def known_of(said: Json) -> Json:
    """The fields of a StoredFile that a sidecar holds; those of later versions are passed over."""
    known = {k: v for k, v in said.items() if k in StoredFile.__dataclass_fields__}
    if "options" in known:
        known["options"] = ParseOptions(**known["options"])
    return known
