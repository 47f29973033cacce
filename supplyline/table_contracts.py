"""A table's contract: how its files are written, what its columns mean, what its cells must be.

At the level of `overview`: it joins the settings (versioned, audited, in the organization's own
database), the headers of landed files and the vocabulary. Promises: what is proposed decides
nothing; a version that was saved stays readable. Refuses (`InvalidContract`) what could not be
kept, and (`SettingsConflict`) to overwrite a version that was not read. A table without a contract
simply works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from supplyline.contracts import Json, Manifest, OrgId, ParseOptions, TableName, TableSettings
from supplyline.errors import SchemaDrift, TableNotLanded
from supplyline.ingest.preview import options_of
from supplyline.ingest.rules import InvalidContract, parse_rules
from supplyline.settings import Settings
from supplyline.spellings import FIELDS
from supplyline.stages import open_landing
from supplyline.tenancy.catalog import save_table_settings, table_settings, tables
from supplyline.tenancy.connections import Connection, session
from supplyline.tenancy.names import column_names
from supplyline.vocabulary import field_columns, key_aliases, key_candidates, recognise


def list_contracts(org: OrgId, *, settings: Settings) -> list[Json]:
    """Every table that is landed, loaded or agreed on, with the version of its contract."""
    with open_landing(settings) as landing:
        landed = {m.table for m in landing.manifests(org)}
    with session(org, settings=settings) as conn:
        loaded = set(tables(conn))
        versions = dict(
            conn.execute(
                "SELECT table_name, max(version) FROM supplyline.table_settings GROUP BY 1"
            ).fetchall()
        )
    return [
        {"table": name, "version": versions.get(name, 0), "loaded": name in loaded}
        for name in sorted({*landed, *loaded, *versions})
    ]


def contract_of(
    org: OrgId, *, table: TableName, settings: Settings, version: int | None = None
) -> Json:
    """What is agreed, the versions before, the newest file's columns, and what is proposed.

    Raises TableNotLanded for a version that there is not.
    """
    with open_landing(settings) as landing:
        newest = _newest(landing.manifests(org, table=table))
    with session(org, settings=settings) as conn:
        agreed = table_settings(conn, table, version=version)
        versions = _versions(conn, table)
    if version is not None and agreed.version != version:
        raise TableNotLanded(f"The contract of {table} has no version {version}.")
    return _answer(agreed, versions, newest)


def _answer(agreed: TableSettings, versions: list[Json], newest: Manifest | None) -> Json:
    columns = [dict(c) for c in newest.layout["columns"]] if newest else []
    return {
        "table": agreed.table,
        "version": agreed.version,
        **_parts(agreed),
        "key_source": agreed.key_source,
        "columns": columns,
        "proposed": _proposed(agreed, newest),
        "versions": versions,
    }


def _parts(agreed: TableSettings) -> Json:
    return {
        "options": agreed.options.as_json(),
        "mapping": dict(agreed.mapping),
        "rules": dict(agreed.rules),
        "aliases": dict(agreed.aliases),
        "key": None if agreed.key is None else list(agreed.key),
        "types": dict(agreed.types),
        "drift": agreed.drift,
    }


def _newest(manifests: Sequence[Manifest]) -> Manifest | None:
    own = [m for m in manifests if m.state == "closed" and not m.replay_of]
    return max(own, key=lambda m: (m.sequence, str(m.opened_at)), default=None)


def _versions(conn: Connection, table: TableName) -> list[Json]:
    rows = conn.execute(
        "SELECT version, saved_at, saved_by FROM supplyline.table_settings WHERE table_name = %s"
        " ORDER BY version DESC",
        (table,),
    ).fetchall()
    return [{"version": v, "saved_at": at.isoformat(), "saved_by": by} for v, at, by in rows]


def _proposed(agreed: TableSettings, newest: Manifest | None) -> Json | None:
    """From the newest file's header; None when nothing is landed."""
    if newest is None:
        return None
    names = newest.columns
    found = recognise(names, file_name=f"{agreed.table}.csv")
    keys = key_candidates(found.kind, field_columns(names))
    return {
        "kind": found.kind,
        "confidence": found.confidence,
        "reasons": list(found.reasons),
        "mapping": found.mapping,
        "key": list(keys[0]) if keys else None,
        "aliases": _spelled_otherwise(agreed, names),
    }


def _spelled_otherwise(agreed: TableSettings, names: Sequence[str]) -> dict[str, str]:
    """Columns of the file that mean what the contract maps to a column that the file lacks."""
    meant = field_columns(names)
    key = agreed.key or ()
    return key_aliases(names, key=key, known=[*key, *agreed.mapping.values()]) | {
        meant[field]: column
        for field, column in agreed.mapping.items()
        if column not in names and field in meant and meant[field] not in agreed.mapping.values()
    }


def save_contract(
    org: OrgId,
    *,
    table: TableName,
    given: Mapping[str, Any],
    version: int,
    actor: str,
    settings: Settings,
    now: Callable[[], datetime],
) -> Json:
    """Saves the next version with the parts that are given; the others stay. Answers it whole.

    `version`: the one that was read (0: none). Raises InvalidContract, InvalidColumnType,
    SettingsConflict, SchemaDrift for a key that the table, which is loaded, does not have.
    """
    with session(org, settings=settings) as conn:
        agreed = replace(table_settings(conn, table), version=version)
        wanted = _with(agreed, given)
        _check_key(conn, wanted, given)
        save_table_settings(conn, wanted, actor=actor, now=now)
    return contract_of(org, table=table, settings=settings)


def remember_options(
    org: OrgId,
    *,
    table: TableName,
    options: ParseOptions,
    actor: str,
    settings: Settings,
    now: Callable[[], datetime],
) -> None:
    """The next files of the table are read like this; a next version of its contract."""
    with session(org, settings=settings) as conn:
        agreed = table_settings(conn, table)
        save_table_settings(conn, replace(agreed, options=options), actor=actor, now=now)


def _with(agreed: TableSettings, given: Mapping[str, Any]) -> TableSettings:
    from supplyline.load.kinds import kind_of, normal

    parts: dict[str, Any] = {}
    if "options" in given:
        parts["options"] = options_of(given["options"])
    if "mapping" in given:
        parts["mapping"] = _columns("mapping", given["mapping"], keys=FIELDS)
    if "aliases" in given:
        parts["aliases"] = _columns("aliases", given["aliases"])
    if "rules" in given:
        rules = parse_rules(given["rules"])
        _columns("rules", {name: name for name in rules})
        parts["rules"] = {name: rule.as_json() for name, rule in rules.items()}
    if "types" in given:
        _columns("types", {name: name for name in given["types"]})
        parts["types"] = {c: kind_of(normal(kind)).spec for c, kind in given["types"].items()}
    if "drift" in given:
        parts["drift"] = given["drift"]
    if "key" in given:
        key = given["key"]
        parts["key"] = None if key is None else tuple(_columns("key", {k: k for k in key}))
        parts["key_source"] = "" if key is None else "configured" if key else "none"
    return replace(agreed, **parts)


def _columns(
    part: str, given: Mapping[str, str], *, keys: Mapping[str, Any] | None = None
) -> dict[str, str]:
    for name, column in given.items():
        if keys is not None and name not in keys:
            raise InvalidContract(
                f"`{part}` names {name[:60]!r}, which is no standard field.",
                next_step=f"Known are {', '.join(sorted(keys))}.",
            )
        for text in (column,) if keys is not None else (name, column):
            if column_names([text]) != (text,):
                raise InvalidContract(
                    f"`{part}` names {text[:60]!r}, which is no column's name.",
                    next_step="Columns are named as GET .../contract/ lists them.",
                )
    return dict(given)


def _check_key(conn: Connection, wanted: TableSettings, given: Mapping[str, Any]) -> None:
    from supplyline.load.keys import actual_key, is_open

    if "key" not in given or wanted.table not in tables(conn):
        return
    actual = actual_key(conn, wanted.table)
    if wanted.key != actual and not is_open(conn, wanted, actual):
        raise SchemaDrift(
            f"{wanted.table} is keyed by {', '.join(actual) or 'file and row'} and is loaded.",
            next_step="Make the table again with the other key: `supplyline rebuild --key`.",
            table=wanted.table,
        )
