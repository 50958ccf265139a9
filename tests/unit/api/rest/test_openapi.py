"""The OpenAPI document as a whole; tests/broker/api/rest/test_document.py holds answers against it."""

from __future__ import annotations

import re
from typing import Any

import orjson

from api.rest.openapi import document
from api.rest.table import ENDPOINTS
from core.settings.serving import ApiSettings

SETTINGS = ApiSettings(page_events=321, public_url="https://archive.example")
DOCUMENT = document(ENDPOINTS, SETTINGS)


def operations() -> list[dict[str, Any]]:
    return [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]


def test_it_has_each_endpoint_once() -> None:
    assert len(operations()) == len(ENDPOINTS)
    assert len({each["operationId"] for each in operations()}) == len(ENDPOINTS)
    assert {each["tags"][0] for each in operations()} <= {each["name"] for each in DOCUMENT["tags"]}


def test_what_it_refers_to_is_there_and_nothing_else() -> None:
    text = orjson.dumps(DOCUMENT).decode()
    referred = set(re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', text))
    assert referred == set(DOCUMENT["components"]["schemas"])
    assert "$defs" not in text


def test_parameters_of_a_path_are_those_that_it_names() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path


def test_parameters_are_described_by_words_and_bounds_of_json_schema() -> None:
    text = orjson.dumps(DOCUMENT).decode()
    assert not re.search(r'"(?:ge|le|gt|lt)":', text)
    for operation in operations():
        for each in operation["parameters"]:
            assert each["description"], each
            assert "null" not in orjson.dumps(each["schema"]).decode()


def test_it_tells_the_bounds_of_this_archive() -> None:
    limits = [each for each in operations()[0]["parameters"] if each["name"] == "limit"]
    assert [each["schema"]["maximum"] for each in limits] == [321]
    assert DOCUMENT["servers"] == [{"url": "https://archive.example"}]


def test_events_are_described_once() -> None:
    assert DOCUMENT["components"]["schemas"]["EventsAnswer"]["properties"]["events"]["items"] == {
        "$ref": "#/components/schemas/NostrEvent"
    }


def test_what_docstrings_say_of_attributes_describes_properties() -> None:
    assert not [name for name, each in DOCUMENT["components"]["schemas"].items() if "\n" in each.get("description", "")]
    information = DOCUMENT["components"]["schemas"]["RelayInformation"]
    assert information["description"] == "What a relay says of itself."
    assert information["properties"]["self_pubkey"]["description"] == "the relay's own (`self`)."
    assert "description" not in information["properties"]["name"]


def test_answers_are_described() -> None:
    assert all(each["responses"]["200"]["description"] for each in operations())
