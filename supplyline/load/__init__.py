"""PostgreSQL: landed files → the organization's tables, typed, upserted, certified.

Promises: staging, publishing, history, receipt, certificate and audit event of a file share one
transaction (P5, P9); a file is loaded once (P4); a stale attempt cannot commit (P6); a type is
taken only if every value's text comes back exactly (P7). Refuses (`SchemaDrift`) what the table's
policy forbids.
"""

from supplyline.load.anew import compare_anew
from supplyline.load.exclusive import hold_shape
from supplyline.load.form import damage
from supplyline.load.order import OutOfOrder, current, late, outdated, pending
from supplyline.load.pipeline import load_files
from supplyline.load.preview import preview
from supplyline.load.rebuild import Rebuilt, rebuild
from supplyline.load.records import certificates, claim_attempt
from supplyline.load.trail import against_trail
from supplyline.load.undo import Landed, undo
from supplyline.load.verify import verify
from supplyline.load.whole import whole_table

__all__ = [
    "Landed",
    "OutOfOrder",
    "Rebuilt",
    "against_trail",
    "certificates",
    "claim_attempt",
    "compare_anew",
    "current",
    "damage",
    "hold_shape",
    "late",
    "load_files",
    "outdated",
    "pending",
    "preview",
    "rebuild",
    "undo",
    "verify",
    "whole_table",
]
