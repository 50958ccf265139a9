"""Verdicts and the reasons behind them: one vocabulary for metrics, headers of rejections and the command line."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What becomes of an input: archived, kept without limit, or kept for some days with its reason."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    """Signed by its author, but not representable in the archive, or the rules failed on it: kept without limit, for a
    person or a later version."""
    REFUSED = "refused"


class Reason(StrEnum):
    """Why an input was not accepted. The values are labels of metrics and headers: never rename one."""

    # Refused by the validation of an event, in the order in which the rules are tried.
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    BAD_FIELD = "bad_field"
    ID_MISMATCH = "id_mismatch"
    KIND_NOT_ARCHIVED = "kind_not_archived"
    BAD_SIGNATURE = "bad_signature"
    # Quarantined: id and signature are right.
    CREATED_AT_OUT_OF_RANGE = "created_at_out_of_range"
    KIND_OUT_OF_RANGE = "kind_out_of_range"
    TAG_NOT_TEXT = "tag_not_text"
    LONE_SURROGATE = "lone_surrogate"
    # Quarantined, whatever it is: the rules failed on it, which is an error of ours.
    INTERNAL_ERROR = "internal_error"
    # Refused before validation, by the connector or the importer.
    BAD_FRAME = "bad_frame"
    NO_ID = "no_id"
    FILTER_MISMATCH = "filter_mismatch"
    # Refused by a later stage.
    BAD_BUNDLE = "bad_bundle"
    OUTPUT_TOO_LARGE = "output_too_large"
    BAD_ROW = "bad_row"


class EventError(ValueError):
    """An event that breaks a rule.

    Attributes:
        reason: the rule, as counted by metrics.
        field: the field that breaks it, with its place in tags (`tags[3][1]`), or None for the text as a whole.
        detail: what was found and what would be right. It describes the value by type and size and never repeats it:
            the value is untrusted input and may be a megabyte.
    """

    def __init__(self, reason: Reason, field: str | None, detail: str) -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.reason = reason
        self.field = field
        self.detail = detail

    def __reduce__(self) -> tuple[type[EventError], tuple[Reason, str | None, str]]:
        """Let the error travel between processes: the default would call the constructor with the sentence alone."""
        return type(self), (self.reason, self.field, self.detail)


def shape(value: object) -> str:
    """Describe a decoded JSON value for an error message without repeating it.

    Returns:
        For example `text of 63 characters`, `an array of 3`, `null`, `the number 1.5`.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"text of {len(value)} characters"
        case list() | tuple():
            return f"an array of {len(value)}"
        case dict():
            return f"an object of {len(value)} members"
        case int():
            # Below 64 bits a number is short enough to be shown; beyond, its size says more than its digits.
            return f"the number {value}" if value.bit_length() < 64 else f"a number of {value.bit_length()} bits"  # noqa: PLR2004
        case float():
            return f"the number {value!r}"
        case _:
            return f"a {type(value).__name__}"
