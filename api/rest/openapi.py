"""The OpenAPI document (3.1) of the endpoints: parameters and answers follow from their models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from api.rest.endpoint import Endpoint
from api.rest.json_schema import SCHEMAS, present, reachable, with_attributes
from api.rest.lines import LINES
from api.rest.parameters import takes_keys, takes_many
from api.rest.problem import MEDIA_TYPE, Problem
from core.settings.serving import ApiSettings

_PATH_TYPE = re.compile(r":\w+}")
_TAG_LETTERS = "adepqt"
"""Of the parameters `tag.…` that are listed; others are described in words."""
_DESCRIPTION = """\
Reads an archive of Nostr events and relays. Times are Unix seconds. Ids and public keys are hex in answers; in
questions they may be written as in NIP-19, too. Lists are separated by commas. Pages lead on by `next`, and by the
header Link. Answers have an ETag: send it as If-None-Match to be told by 304 that nothing has changed."""
_TAGS = {
    "events": "Events as their authors signed them, and what is known of them",
    "addresses": "Replaceable and addressable events: the current version, and all of them",
    "authors": "What an author's events say together",
    "relays": "Relays: their health, documents, probes and what was read from them",
}
_PROBLEMS = {
    HTTPStatus.BAD_REQUEST: "A parameter is wrong; `parameter` names it",
    HTTPStatus.NOT_FOUND: "The archive has none, or does not show it",
    HTTPStatus.NOT_ACCEPTABLE: "The Accept header takes none of the media types",
    HTTPStatus.REQUEST_TIMEOUT: "The body did not arrive in time",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too long",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not sent as JSON",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The question would take too much work",
    HTTPStatus.TOO_MANY_REQUESTS: "The client has made too many requests",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "There are too many headers",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An error of the archive's own",
    HTTPStatus.SERVICE_UNAVAILABLE: "The archive is busy, away, or could not answer in time",
}
_OF_BODIES = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
_RATE_HEADERS = {
    "RateLimit": "Requests left, and seconds until all may be made again",
    "RateLimit-Policy": "Requests that may be made in a time, in seconds",
}


def document(endpoints: Sequence[Endpoint[Any]], settings: ApiSettings) -> dict[str, Any]:
    """Describe endpoints."""
    models = {(each.question, "validation") for each in endpoints} | {
        (each.answer, "serialization") for each in endpoints
    }
    names, definitions = models_json_schema(
        [*sorted(models, key=str), (Problem, "serialization")],  # type: ignore[list-item]
        ref_template=SCHEMAS + "{model}",
    )
    schemas = {name: with_attributes(schema) for name, schema in definitions.get("$defs", {}).items()}
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        question = schemas[names[each.question, "validation"]["$ref"].removeprefix(SCHEMAS)]
        answer = names[each.answer, "serialization"]
        method = "post" if each.body else "get"
        paths.setdefault(_PATH_TYPE.sub("}", each.path), {})[method] = _operation(
            each, method, question, answer, settings
        )
    responses = {_name(status): _problem_response(status) for status in _PROBLEMS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": settings.name,
            "version": version("bigbrotr"),
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": settings.public_url or "/"}],
        "tags": [
            {"name": name, "description": text}
            for name, text in _TAGS.items()
            if name in {each.tag for each in endpoints}
        ],
        "paths": paths,
        "components": {
            "schemas": reachable(schemas, [paths, responses]),
            "responses": responses,
            "headers": {
                name: {"description": text, "schema": {"type": "string"}} for name, text in _RATE_HEADERS.items()
            },
        },
    }


def _operation(
    endpoint: Endpoint[Any],
    method: str,
    question: Mapping[str, Any],
    answer: Mapping[str, Any],
    settings: ApiSettings,
) -> dict[str, Any]:
    path = _PATH_TYPE.sub("}", endpoint.path)
    described: dict[str, Any] = {
        "operationId": method + "".join(word.capitalize() for word in re.findall(r"\w+", path.removeprefix("/v1"))),
        "summary": endpoint.summary,
        "description": endpoint.question.__doc__ or "",
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint, path, question, settings),
    }
    if endpoint.body:
        schema = question["properties"][_alias(endpoint, endpoint.body)]
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    content: dict[str, Any] = {"application/json": {"schema": answer}}
    if endpoint.lines:
        content[LINES] = {
            "schema": {"type": "string", "description": f"The entries of `{endpoint.lines}`, each a line"}
        }
    headers: dict[str, Any] = {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}
    headers["ETag"] = {"description": "Names this answer", "schema": {"type": "string"}}
    if "next" in endpoint.answer.model_fields and not endpoint.body:
        headers["Link"] = {"description": 'The next page, rel="next"', "schema": {"type": "string"}}
    described["responses"] = {
        "200": {"description": endpoint.answer.__doc__ or "", "headers": headers, "content": content}
    }
    if not endpoint.body:
        described["responses"]["304"] = {"description": "Nothing has changed since the answer with this ETag"}
    for status in _PROBLEMS:
        if (status in _OF_BODIES and not endpoint.body) or (status == HTTPStatus.NOT_FOUND and "{" not in path):
            continue
        described["responses"][str(status.value)] = {"$ref": f"#/components/responses/{_name(status)}"}
    return described


def _parameters(
    endpoint: Endpoint[Any], path: str, question: Mapping[str, Any], settings: ApiSettings
) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = []
    for name, field in endpoint.question.model_fields.items():
        if name == endpoint.body:
            continue
        alias = field.alias or name
        schema = present(question["properties"][alias])
        text = schema.pop("description", "")
        if alias == "limit":
            schema.setdefault("maximum", settings.page_events)
        if takes_keys(field):
            described += [
                _query(
                    f"{alias}.{letter}", text, {"type": "array", "items": {"type": "string"}, "minItems": 1}, many=True
                )
                for letter in _TAG_LETTERS
            ]
        elif f"{{{alias}}}" in path:
            described.append({"name": alias, "in": "path", "required": True, "description": text, "schema": schema})
        else:
            described.append(_query(alias, text, schema, many=takes_many(field), required=field.is_required()))
    if endpoint.counts:
        described.append(
            {
                "name": "Prefer",
                "in": "header",
                "description": "`count=estimated` adds how many there are on all pages",
                "schema": {"type": "string", "examples": ["count=estimated"]},
            }
        )
    return described


def _query(name: str, text: str, schema: Any, *, many: bool, required: bool = False) -> dict[str, Any]:
    described = {"name": name, "in": "query", "required": required, "description": text, "schema": schema}
    return {**described, "style": "form", "explode": False} if many else described


def _alias(endpoint: Endpoint[Any], name: str) -> str:
    return endpoint.question.model_fields[name].alias or name


def _name(status: HTTPStatus) -> str:
    return status.phrase.title().replace(" ", "").replace("-", "")


def _problem_response(status: HTTPStatus) -> dict[str, Any]:
    example = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": _PROBLEMS[status]}
    headers: dict[str, Any] = {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers["Retry-After"] = {"description": "Seconds to wait", "schema": {"type": "integer"}}
    return {
        "description": _PROBLEMS[status],
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
