"""Reads the parameters of a request into the model of its question; an error names the parameter and the remedy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar, get_args, get_origin
from urllib.parse import unquote_plus

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from api.rest.endpoint import Question
from api.rest.problem import ProblemError
from schemas.reasons import shape

Q = TypeVar("Q", bound=Question)


def read_question(model: type[Q], path: Mapping[str, str], query: str, body: Mapping[str, object]) -> Q:
    """Validate the parameters of a request.

    Args:
        model: of the question.
        path: parameters of the path.
        query: the query string as it was sent.
        body: the field of the body and what was read from it; empty where the question has none.

    Raises:
        ProblemError: a parameter is unknown, missing, repeated or wrong.
    """
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    asked = {name: field for name, field in fields.items() if name not in path and name not in body}
    try:
        return model.model_validate({**_from_query(asked, query), **path, **body})
    except ValidationError as error:
        raise _problem(error.errors(include_url=False)[0], fields, body) from None


def takes_many(field: FieldInfo) -> bool:
    """Whether a parameter is a list."""
    return _container(field) is list


def takes_keys(field: FieldInfo) -> bool:
    """Whether a field takes the parameters `name.key`."""
    return _container(field) is dict


def _container(field: FieldInfo) -> object:
    for each in (field.annotation, *get_args(field.annotation)):
        if get_origin(each) in {list, dict}:
            return get_origin(each)
    return None


def _from_query(fields: Mapping[str, FieldInfo], query: str) -> dict[str, object]:
    texts: dict[str, list[str]] = defaultdict(list)
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            texts[_decoded(name, name)].append(value)
    found: dict[str, Any] = {}
    for name, values in texts.items():
        base, dot, key = name.partition(".")
        if dot and base in fields and takes_keys(fields[base]):
            # A comma of a value is written %2C: values of tags have commas, those of other parameters do not.
            found.setdefault(base, {})[key] = [_decoded(name, one) for each in values for one in each.split(",")]
        elif name not in fields or takes_keys(fields[name]):
            raise _unknown(name, fields)
        elif takes_many(fields[name]):
            found[name] = [one.strip() for each in values for one in _decoded(name, each).split(",")]
            if found[name] == [""]:
                raise _bad(name, f"{name}: is empty; leave it out, or give values that commas separate")
        elif len(values) > 1:
            raise _bad(name, f"{name}: is given {len(values)} times; give it once")
        else:
            found[name] = _decoded(name, values[0])
    return found


def _decoded(name: str, text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        # The name itself may be what cannot be decoded.
        name = name.encode("ascii", "backslashreplace").decode()
        raise _bad(name, f"{name}: is not UTF-8; encode each byte of UTF-8 text by % and two hex digits") from None


def _bad(name: str, detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, detail, parameter=name)


def _unknown(name: str, fields: Mapping[str, FieldInfo]) -> ProblemError:
    shown = name if len(name) <= 50 and name.isprintable() else f"a name of {len(name)} characters"  # noqa: PLR2004
    known = ", ".join(f"{each}.LETTER" if takes_keys(field) else each for each, field in fields.items())
    return _bad(shown, f"{shown}: is no parameter here; {f'these are: {known}' if known else 'there are none'}")


def _problem(error: ErrorDetails, fields: Mapping[str, FieldInfo], body: Mapping[str, object]) -> ProblemError:
    """Say what pydantic found, by the name of the parameter; the value itself is not repeated."""
    name, *place = error["loc"] or ("",)
    field = fields.get(str(name))
    if field is not None and takes_keys(field) and place:
        name = f"{name}.{place.pop(0)}"
    where = f"{name}{''.join(f'[{each}]' for each in place if isinstance(each, int))}"
    if error["type"] == "missing":
        about = field.description if field is not None else None
        return _bad(str(name), f"{name}: is missing{f'; give it: {about}' if about else ''}")
    if name in body:
        # The body is read by a function of its own, whose message names the place.
        detail = str(error.get("ctx", {}).get("error", error["msg"]))
        return _bad(detail.partition(":")[0], detail)
    given = "empty" if error["input"] == "" else shape(error["input"])
    cause = error.get("ctx", {}).get("error")
    what = (
        str(cause) if cause is not None else error["msg"].replace("Input should", "it must").replace("should", "must")
    )
    return _bad(str(name), f"{where}: is {given}; {what[:1].lower()}{what[1:]}")
