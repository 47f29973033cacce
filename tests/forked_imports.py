"""What programs of tests import before they are asked for anything; see tests/forked.py.

Not the programs themselves, which begin anew each time.
"""

# ruff: noqa: F401 - imported in order to be there

import click

import supplyline.erasure
import supplyline.intake
import supplyline.local.commands
import supplyline.operations
import supplyline.quarantine
import supplyline.rereading
import supplyline.retention
import supplyline.verification
from supplyline import ingest, landing, load
