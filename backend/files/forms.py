"""What may be sent about how a file is written; one list for uploads, previews and readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from backend.api.requests import checked
from supplyline.contracts import ParseOptions
from supplyline.ingest.preview import options_of
from supplyline.ingest.source import FORMATS


def _characters(text: str) -> serializers.CharField:
    return serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, max_length=10, help_text=text
    )


class OptionsForm(serializers.Serializer[None]):
    """Each one overrules what would be found out."""

    encoding = serializers.CharField(required=False, max_length=40, help_text="such as cp1252")
    delimiter = _characters("one or more characters; \\t for a tab")
    quote = _characters("the quote character; empty for none")
    escape = _characters("the escape character; empty for none")
    header_row = serializers.IntegerField(
        required=False, min_value=0, help_text="the header's line, from 1; 0: there is none"
    )
    skip_footer = serializers.IntegerField(
        required=False, min_value=0, help_text="lines at the end that are no rows"
    )
    sheet = serializers.CharField(required=False, max_length=200, help_text="a workbook's sheet")
    format = serializers.ChoiceField(FORMATS, required=False)


OPTION_NAMES = tuple(OptionsForm().fields)


def options_in(given: Mapping[str, Any]) -> ParseOptions:
    """The options among checked fields."""
    return options_of({name: given[name] for name in OPTION_NAMES if name in given})


def options_among(form: Mapping[str, Any]) -> ParseOptions:
    """The options among the fields of a form, of which others are somebody else's.

    Raises InvalidPayload, UnreadableFile.
    """
    said = {name: form[name] for name in OPTION_NAMES if name in form}
    return options_in(checked(OptionsForm, said))
