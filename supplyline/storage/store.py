"""The storage of one place: drafts become files, files are found, described, read and removed."""

from __future__ import annotations

import hashlib
import json
import posixpath
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import fsspec

from supplyline.contracts import Json, OrgId, ParseOptions, StoredFile
from supplyline.errors import (
    ConfigurationError,
    FileNotStored,
    StorageUnavailable,
    StoredFileDamaged,
    Terminal,
)
from supplyline.storage import sidecar
from supplyline.storage.files import (
    claim,
    last_written,
    names_to_disk,
    remove,
    storage_mapped,
    write_json,
)
from supplyline.storage.writer import StorageWriter
from supplyline.tenancy.names import parse_file_id

_INCOMING = ".incoming"
DRAFT_KEPT = timedelta(days=2)
"""From its last byte; longer than a resumable upload waits. Then nobody writes it any more."""


_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A file's folder as it lies there. `name`, `size`: of its bytes, '' and 0 for a reading of
    another file's; `written_at`: when anything of it was written last."""

    file_id: str
    name: str
    size: int
    written_at: datetime


def _kept(file_id: str, files: list[tuple[str, int, datetime]]) -> Kept:
    bytes_ = [(name, size) for name, size, _ in files if name != sidecar.NAME]
    return Kept(
        file_id=file_id,
        name=next((name for name, _ in bytes_), ""),
        size=sum(size for _, size in bytes_),
        written_at=max(at for _, _, at in files),
    )


class FileIdTaken(Terminal):
    code = "file_id_taken"
    next_step = "Leave `file_id` out, or give an id that was not used before."


def _opened(url: str) -> tuple[Any, str]:
    """The file system of SUPPLYLINE_STORAGE_URL and the folder in it. No address is none: it would
    be whatever folder a process was started in."""
    if not url.strip():
        raise ConfigurationError(
            "SUPPLYLINE_STORAGE_URL is not set.",
            next_step="Set it to where uploaded files are kept, such as file:///srv/files; the "
            "backend and Airflow's workers need the same place.",
        )
    try:
        fs, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"SUPPLYLINE_STORAGE_URL cannot be used: {error}.") from error
    except OSError as error:
        raise StorageUnavailable(f"The storage does not answer: {error}.") from error
    return fs, root


@dataclass(frozen=True)
class Storage:
    """One place for files, of all organizations, each in a folder of its own. Raises
    ConfigurationError, StorageUnavailable."""

    url: str
    _fs: Any = field(init=False, repr=False)
    _root: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fs, root = _opened(self.url)
        object.__setattr__(self, "_fs", fs)
        object.__setattr__(self, "_root", root.rstrip("/"))

    @property
    def fs(self) -> Any:
        """fsspec's file system."""
        return self._fs

    @property
    def root(self) -> str:
        return self._root

    def folder(self, org: OrgId, file_id: str) -> str:
        """Where a file's bytes lie, and nobody else's."""
        return posixpath.join(self._root, org, parse_file_id(file_id))

    def put(self, org: OrgId, *, file_id: str, name: str, chunks: Iterable[bytes]) -> StoredFile:
        """Streams `chunks` to their place. See `StorageWriter`, `keep`."""
        writer = self.begin(org, file_id=file_id, name=name)
        try:
            for chunk in chunks:
                writer.write(chunk)
        except BaseException:
            writer.abort()
            raise
        return self.keep(writer.finish())

    def begin(self, org: OrgId, *, file_id: str, name: str) -> StorageWriter:
        """Opens a writer for a draft; nothing is found before `keep`."""
        return StorageWriter(self._fs, org, incoming=self.incoming(org), file_id=file_id, name=name)

    def find(self, org: OrgId, file_id: str) -> StoredFile:
        """The file behind an id. Raises FileNotStored when this organization has none such, and
        StoredFileDamaged when what is known of it cannot be read."""
        path = posixpath.join(self.folder(org, file_id), sidecar.NAME)
        try:
            with self._fs.open(path, "rb") as source:
                return self._stored(org, file_id, json.load(source))
        except FileNotFoundError:
            raise FileNotStored(
                f"Organization {org} has no stored file {file_id}.", org=org, file_id=file_id
            ) from None
        except OSError as error:
            raise StorageUnavailable(f"The file could not be read: {error}.") from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise StoredFileDamaged(
                f"What is kept beside the file {file_id} in storage cannot be read."
            ) from error

    def _stored(self, org: OrgId, file_id: str, said: Json) -> StoredFile:
        known = sidecar.known_of(said)
        folder = self.folder(org, known.get("origin") or file_id)
        url = posixpath.join(folder, known["name"])
        return StoredFile(org=org, file_id=file_id, url=url, **known)

    def adopt(self, org: OrgId, *, file_id: str, name: str, size: int, sha256: str) -> StoredFile:
        """Declares bytes that were moved to their place complete."""
        about = {"name": name, "size": size, "sha256": sha256}
        stored = self._stored(org, file_id, about)
        self._write_sidecar(stored)
        return stored

    def keep(self, draft: StoredFile) -> StoredFile:
        """Gives a draft the place of its id, whole and for good.

        Bytes that lie there already stay: they are the answer when they are the same, and otherwise
        it raises FileIdTaken and the draft is still there to be discarded.
        """
        kept = self._stored(draft.org, draft.file_id, sidecar.about(draft))
        if draft.url == kept.url:
            self._write_sidecar(draft)
            return kept
        folder, part = posixpath.dirname(kept.url), posixpath.dirname(draft.url)
        with storage_mapped():
            write_json(self._fs, posixpath.join(part, sidecar.NAME), sidecar.about(draft))
            self._fs.makedirs(posixpath.dirname(folder), exist_ok=True)
            claimed = claim(self._fs, part, folder, names=(draft.name, sidecar.NAME))
        if claimed:
            return kept
        try:
            known = self.find(draft.org, draft.file_id)
        except FileNotStored:
            known = None
        if known != kept:
            raise FileIdTaken(f"There is a file {draft.file_id} already.")
        self.discard(draft)
        return kept

    def discard(self, draft: StoredFile) -> None:
        """Gives a draft up. What was kept meanwhile, under the same id too, stays."""
        if f"/{_INCOMING}/" in draft.url.removeprefix(self._root):
            remove(self._fs, posixpath.dirname(draft.url))

    def sweep(self, *, now: datetime, older_than: timedelta = DRAFT_KEPT) -> int:
        """Removes drafts whose process died while it wrote them; returns how many."""
        place = posixpath.join(self._root, _INCOMING)
        touched: dict[str, datetime] = {}
        with storage_mapped():
            self._fs.invalidate_cache(place)
            if not self._fs.exists(place):
                return 0
            for path, about in self._fs.find(place, detail=True).items():
                draft = posixpath.join(place, *path[len(place) + 1 :].split("/")[:2])
                touched[draft] = max(last_written(about), touched.get(draft, _NEVER))
        old = [draft for draft, at in touched.items() if now - at > older_than]
        for draft in old:
            remove(self._fs, draft)
        return len(old)

    def describe(
        self,
        file: StoredFile,
        *,
        options: ParseOptions | None = None,
        replay_of: str = "",
    ) -> StoredFile:
        """Keeps what was said about a file beside its bytes, before anybody has read it."""
        told = replace(file, options=options, replay_of=replay_of)
        self._write_sidecar(told)
        return told

    def again(self, file: StoredFile, *, file_id: str, options: ParseOptions | None) -> StoredFile:
        """The same bytes under a further file id, to be understood otherwise; nothing is copied."""
        origin = file.origin or file.file_id
        told = replace(
            file,
            file_id=parse_file_id(file_id),
            origin=origin,
            options=options,
            replay_of="",
        )
        self._write_sidecar(told)
        return told

    def _write_sidecar(self, file: StoredFile) -> None:
        folder = self.folder(file.org, file.file_id)
        part = posixpath.join(self.incoming(file.org), uuid.uuid4().hex)
        with storage_mapped():
            for needed in (posixpath.dirname(part), folder):
                self._fs.makedirs(needed, exist_ok=True)
            write_json(self._fs, part, sidecar.about(file))
            self._fs.mv(part, posixpath.join(folder, sidecar.NAME))
            owner = posixpath.dirname(folder)
            names_to_disk(self._fs, folder, owner, posixpath.dirname(owner))

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[BinaryIO]:
        """The bytes, seekable, from the beginning. Raises FileNotStored when they are gone."""
        try:
            handle = self._fs.open(file.url, "rb")
        except FileNotFoundError:
            raise FileNotStored(
                f"The bytes of the file {file.file_id} are not where they were stored.",
                org=file.org, file_id=file.file_id,
            ) from None  # fmt: skip
        except OSError as error:
            raise StorageUnavailable(f"The file could not be read: {error}.") from error
        with handle:
            yield handle

    def digest(self, file: StoredFile) -> tuple[int, str]:
        """Size and SHA-256 of the bytes as they lie there now."""
        digest, size = hashlib.sha256(), 0
        with self.open(file) as source:
            try:
                while chunk := source.read(1 << 20):
                    digest.update(chunk)
                    size += len(chunk)
            except OSError as error:
                raise StorageUnavailable(f"The file could not be read: {error}.") from error
        return size, digest.hexdigest()

    def require_whole(self, file: StoredFile) -> None:
        """Raises StoredFileDamaged when the bytes are not those that were uploaded."""
        size, sha256 = self.digest(file)
        if sha256 != file.sha256:
            raise StoredFileDamaged(
                f"The stored bytes of {file.file_id} ({file.name}) are not those that were"
                f" uploaded: {size:,} bytes of {file.size:,}, with another SHA-256."
            )

    def delete(self, org: OrgId, file_id: str) -> None:
        """Removes a kept file, when its organization is erased or no record knows it. Never for a
        refused upload: its id may be another's."""
        remove(self._fs, self.folder(org, file_id))

    def incoming(self, org: OrgId) -> str:
        """Where an organization's files are while they are being written."""
        return posixpath.join(self._root, _INCOMING, org)

    def kept(self, org: OrgId) -> list[Kept]:
        """The organization's files as they lie there, whether or not anybody knows of them."""
        place = posixpath.join(self._root, org)
        found: dict[str, list[tuple[str, int, datetime]]] = {}
        with storage_mapped():
            self._fs.invalidate_cache()
            if not self._fs.exists(place):
                return []
            for path, about in self._fs.find(place, detail=True).items():
                file_id, _, name = path[len(place) + 1 :].partition("/")
                one = (name, int(about["size"] or 0), last_written(about))
                found.setdefault(file_id, []).append(one)
        return [_kept(file_id, files) for file_id, files in sorted(found.items())]

    def everything(self, org: OrgId) -> list[tuple[str, int]]:
        """Path and size of all that is stored of an organization, also what is half written."""
        out = []
        with storage_mapped():
            for folder in self._folders(org):
                self._fs.invalidate_cache()
                if self._fs.exists(folder):
                    found = self._fs.find(folder, detail=True)
                    out += [(path[len(self._root) + 1 :], int(f["size"] or 0))
                            for path, f in found.items()]  # fmt: skip
        return sorted(out)

    def erase(self, org: OrgId) -> None:
        """Removes everything of an organization."""
        for folder in self._folders(org):
            remove(self._fs, folder)

    def _folders(self, org: OrgId) -> tuple[str, str]:
        return posixpath.join(self._root, org), self.incoming(org)
