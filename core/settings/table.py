"""Generates the table of all settings for docs/reference/settings.md, in Markdown, from the model itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core.settings.model import Settings


def settings_table() -> str:
    """Write one row for each setting: its key in YAML, its default, and what it is."""
    rows = ["| key | default | what it is |", "|---|---|---|"]
    for key, field in _leaves(Settings, ()):
        rows.append(f"| `{key}` | {_default(field)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _leaves(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _leaves(annotation, (*path, name))
        else:
            yield ".".join((*path, name)), field


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    match value:
        case None:
            return "none"
        case Path():
            # It differs between machines, and the table must not.
            return "the user's data folder"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            return f"`{value}`"


if __name__ == "__main__":
    print(settings_table(), end="")  # noqa: T201 - for pasting into docs/reference/settings.md
