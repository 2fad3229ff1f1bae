"""`/api/v1/openapi.json` is a valid document, and names every kind of problem that exists."""

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from preference_center.web.api.blueprint import OPERATIONS
from preference_center.web.api.problems import ProblemKind
from tests.support.site import Site


@pytest.fixture
def document(site: Site) -> Any:
    answer = site.get("/api/v1/openapi.json")
    assert answer.content_type == "application/json"
    return answer.json


def described(document: Any) -> list[Any]:
    return [each for path in document["paths"].values() for each in path.values()]


def test_the_document_is_valid(document: Any) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert len(described(document)) == len(OPERATIONS)


def test_every_reference_has_a_schema(document: Any) -> None:
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    named = {each.partition('"')[0] for each in text.split("#/components/schemas/")[1:]}
    assert named
    assert named <= set(schemas)


def test_every_operation_says_its_scope_and_what_it_does(document: Any) -> None:
    for each in described(document):
        (security,) = each["security"]
        assert len(security["key"]) == 1
        assert each["summary"].endswith((".", ".`"))


def test_the_operations_that_honour_a_version_say_so(document: Any) -> None:
    found = {
        each["operationId"]: each["responses"]["412"]["description"]
        for each in described(document)
        if "If-Match" in {parameter["name"] for parameter in each["parameters"]}
    }
    assert found == {"set_topic": ProblemKind.PRECONDITION_FAILED.title}


def test_every_problem_is_that_of_an_operation_or_of_no_route(document: Any) -> None:
    types = {
        each.partition("#")[2]
        for operation in described(document)
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for each in content["schema"].get("properties", {}).get("type", {}).get("enum", ())
    }
    assert {kind.code for kind in ProblemKind} - types == {"method-not-allowed"}


@pytest.mark.parametrize("kind", ProblemKind, ids=str)
def test_a_kind_of_problem_says_what_to_do(kind: ProblemKind) -> None:
    assert kind.title.endswith(".")
    assert kind.advice.endswith(".")
