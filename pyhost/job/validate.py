"""From tables of values to a frozen model, or to every problem in the words of a job file."""

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pyhost.errors import JobError
from pyhost.job.fields import nearest

__all__ = ["CrossFieldError", "Tables", "merge", "validate"]

Tables = dict[str, Any]
ModelType = TypeVar("ModelType", bound=BaseModel)

_RULES = {
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "string_type": "must be a string, in quotes",
    "tuple_type": "must be a list, in brackets",
}


class CrossFieldError(ValueError):
    """Fields that are valid alone and not together: (dotted name of the field to blame, message) of each."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in problems))
        self.problems = problems


def validate(model: type[ModelType], tables: Tables, subject: Callable[[str], str]) -> ModelType:
    """`tables` as a `model`; JobError with every problem, each a line that begins with `subject(dotted name)`."""
    try:
        return model.model_validate(tables)
    except ValidationError as error:
        problems = [subject(name) + text for detail in error.errors() for name, text in _explain(model, detail)]
        raise JobError("\n".join(problems)) from error


def merge(tables: Tables, changes: Mapping[str, object]) -> Tables:
    """A copy of `tables` in which {'table.key': value} of `changes` win."""
    merged = deepcopy(tables)
    for name, value in changes.items():
        table, _, key = name.partition(".")
        section = merged.setdefault(table, {})
        if isinstance(section, dict):
            section[key] = value
    return merged


def _explain(model: type[BaseModel], detail: ErrorDetails) -> Iterator[tuple[str, str]]:
    """(dotted name, message) of each problem in one of pydantic's errors."""
    # Positions inside a list add nothing to the name of its key.
    path = [part for part in detail["loc"] if isinstance(part, str)]
    name = ".".join(path)
    context = detail.get("ctx", {})
    given = f" = {_toml(detail['input'])}"
    match detail["type"]:
        case "value_error" if isinstance(cause := context["error"], CrossFieldError):
            yield from ((field, f": {message}") for field, message in cause.problems)
        case "value_error":
            yield name, f"{given}: {context['error']}"
        case "extra_forbidden":
            what = "unknown key" if path[1:] else "unknown table"
            yield name, f": {what}; {nearest(path[-1], _keys(model, path[:-1]))}"
        case "missing":
            yield name, ": missing"
        case "too_short" if detail["input"]:
            pass  # elements were refused, each in a line of its own
        case "too_short" | "too_long":
            limit = (
                f"at least {context['min_length']}" if "min_length" in context else f"at most {context['max_length']}"
            )
            yield name, f"{given}: must have {limit}"
        case "literal_error":
            allowed = re.findall(r"'([^']*)'", context["expected"])
            yield name, f"{given}: {nearest(detail['input'], allowed)}"
        case "model_type" | "model_attributes_type":
            yield name, f"{given}: must be a table, [{name}]"
        case kind:
            rule = _RULES.get(kind, detail["msg"].replace("Input should be", "must be"))
            yield name, f"{given}: {rule}"


def _keys(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)


def _toml(value: object) -> str:
    """A value as it would be written in the file."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return str(value)
