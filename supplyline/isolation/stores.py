"""Crossings by name: stored files, MongoDB collections, PostgreSQL identifiers."""

from __future__ import annotations

import itertools
import secrets
import tempfile
from collections.abc import Callable, Iterator

from supplyline.contracts import OrgId, TableName
from supplyline.errors import FileNotStored, InvalidName
from supplyline.isolation.probe import Attempt, Outcome, Subject
from supplyline.storage import Storage
from supplyline.tenancy import names


def storage_probes(subject: Subject) -> Iterator[Attempt]:
    """The attacker asks storage for the victim's file, by its id and by paths that lead to it.

    Writes one small file of each and removes them again.
    """
    with tempfile.TemporaryDirectory(prefix="isolation-") as folder:
        storage = Storage(url=subject.settings.storage_url or f"file://{folder}")
        file_id = f"isolation-probe-{secrets.token_hex(6)}"
        # The attacker has a file too: without its folder, `..` would lead nowhere in any storage.
        own_id = f"isolation-probe-{secrets.token_hex(6)}"
        storage.put(subject.attacker, file_id=own_id, name="probe.csv", chunks=[b"a\n1\n"])
        victim = storage.put(subject.victim, file_id=file_id, name="probe.csv", chunks=[b"a\n1\n"])
        try:
            storage.find(subject.victim, file_id)
            yield _attempt("files", "the victim finds its own file", "control", "it can")
            for text in _hostile_ids(subject, file_id, own_id=own_id, url=victim.url):
                yield _find(storage, subject, text)
            for org in (
                f"../{subject.victim}",
                f"{subject.attacker}/../{subject.victim}",
                "..",
                "",
            ):
                yield _refused("files", f"organization id {org!r}", names.parse_org_id, org)
            yield from _hostile_names(storage, subject)
        finally:
            storage.delete(subject.victim, file_id)
            storage.delete(subject.attacker, own_id)


def _hostile_ids(subject: Subject, file_id: str, *, own_id: str, url: str) -> Iterator[str]:
    other = subject.victim
    yield file_id
    yield f"../{other}/{file_id}"
    yield f"{own_id}/../../{other}/{file_id}"
    yield f"..\\{other}\\{file_id}"
    yield f"..%2f{other}%2f{file_id}"
    yield f"\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}/{other}/{file_id}"
    yield f"{file_id}\x00"
    yield f"{file_id}/."
    yield url
    yield ".."
    yield "*"
    yield ""


def _find(storage: Storage, subject: Subject, text: str) -> Attempt:
    what = f"{subject.attacker} asks for the file {text!r}"
    try:
        storage.find(subject.attacker, text)
    except (FileNotStored, InvalidName) as error:
        return _attempt("files", what, "refused", f"{error.code}: {error.detail}")
    return _attempt("files", what, "crossed", "a file was found")


def _hostile_names(storage: Storage, subject: Subject) -> Iterator[Attempt]:
    """File names that would leave the attacker's folder, or replace the record beside the file."""
    for name in (f"../../{subject.victim}/x/probe.csv", "/etc/passwd", "..", ".supplyline.json"):
        file_id = f"isolation-probe-{secrets.token_hex(6)}"
        stored = storage.put(subject.attacker, file_id=file_id, name=name, chunks=[b"x"])
        inside = f"/{subject.attacker}/{file_id}/" in stored.url and ".." not in stored.url
        intact = storage.find(subject.attacker, file_id) == stored
        storage.delete(subject.attacker, file_id)
        yield _attempt(
            "files",
            f"an upload is called {name!r}",
            "refused" if inside and intact else "crossed",
            f"kept as {stored.name!r} in its own folder" if inside else "it left its folder",
        )


def collection_probes(subject: Subject) -> Iterator[Attempt]:
    """Do any two different (organization, table) pairs share a collection in MongoDB?"""
    seen: dict[str, tuple[str, ...]] = {}
    shared: list[str] = []
    orgs = _ids("a1_", 4) | {subject.attacker, subject.victim, "1", "10", "a", "a_b"}
    tables = _tables() | {"c", "b_c", "manifests", "quarantine"}
    for org in sorted(orgs):
        owner = OrgId(org)
        for table in sorted(tables):
            _note(seen, shared, names.rows_collection(owner, TableName(table)), (org, table))
        _note(seen, shared, names.manifests_collection(owner), (org,))
        _note(seen, shared, names.quarantine_collection(owner), (org,))
    yield _attempt(
        "mongodb",
        f"{len(seen)} names of {len(orgs)} organizations and {len(tables)} tables are compared",
        "crossed" if shared else "refused",
        f"shared: {shared[:3]}" if shared else "no name is made twice (such as a.b_c and a_b.c)",
    )
    for text in ("a.b", "a:b", "a$b", "a\x00b", "A", "a b", "-a"):
        yield _refused(
            "mongodb",
            f"an organization called {text!r}",
            names.parse_org_id,
            text,
        )
        yield _refused("mongodb", f"a table called {text!r}", names.parse_table_name, text)


def identifier_probes(subject: Subject) -> Iterator[Attempt]:
    """Names that would be equal once PostgreSQL has cut them to 63 bytes."""
    prefix = subject.settings.pg_db_prefix
    longest = "o" * 39
    first, second = OrgId(longest + "1"), OrgId(longest + "2")
    made = [names.database_name(org, prefix=prefix) for org in (first, second)]
    apart = len({name.encode()[: names.MAX_IDENTIFIER] for name in made}) == 2
    yield _attempt(
        "names",
        "two ids of 40 characters that differ in the last",
        "refused" if apart else "crossed",
        f"two names, also in the first {names.MAX_IDENTIFIER} bytes",
    )
    yield _refused(
        "names",
        "a prefix so long that the difference would be cut off",
        lambda prefix: names.database_name(first, prefix=prefix),
        "p" * 24,
    )
    for text in (
        'a"; DROP DATABASE x; --',
        "a'b",
        "org_1",
        "1 ",
        "1\n",
        "pg/1",
        "\N{KELVIN SIGN}1",
    ):
        yield _refused("names", f"an organization called {text!r}", names.parse_org_id, text)


def _refused(area: str, what: str, call: Callable[[str], object], text: str) -> Attempt:
    try:
        call(text)
    except InvalidName as error:
        return _attempt(area, what, "refused", f"{error.code}: {error.detail}")
    return _attempt(area, what, "crossed", "the name was taken")


def _ids(alphabet: str, longest: int) -> set[str]:
    found = set()
    for length in range(1, longest + 1):
        for letters in itertools.product(alphabet, repeat=length):
            text = "".join(letters)
            try:
                found.add(str(names.parse_org_id(text)))
            except InvalidName:
                continue  # no id, so it has no collection
    return found


def _tables() -> set[str]:
    found = set()
    for length in range(1, 4):
        for letters in itertools.product("a1_", repeat=length):
            try:
                found.add(str(names.parse_table_name("".join(letters))))
            except InvalidName:
                continue  # no table name, so it has no collection
    return found


def _note(
    seen: dict[str, tuple[str, ...]], shared: list[str], name: str, owner: tuple[str, ...]
) -> None:
    if seen.setdefault(name, owner) != owner:
        shared.append(name)


def _attempt(area: str, what: str, outcome: Outcome, evidence: str) -> Attempt:
    return Attempt(area=area, what=what, outcome=outcome, evidence=evidence)
