"""Asking for the properties of a schema one by one (cli.md 5.11)."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["InteractiveForm"]

Schema = Mapping[str, Any]

_YES, _NO = ("1", "y", "yes", "true"), ("0", "n", "no", "nope", "nah", "false")
_SHOWN_CHOICES = 3
_SCALAR_ITEMS: dict[str, Callable[[str], Any]] = {"string": str, "integer": int, "number": float}


class DialogInterrupted(Exception):
    """The user pressed Ctrl-C."""


class InteractiveForm:
    """Asks for every property in the order of the schema.

    Args:
        schema: properties by name.
        prefix: put before the names (nested objects).
        reraise: pass Ctrl-C on instead of ending the form with what was collected.
        ask: reads a line (replaced in tests).
        ask_secret: reads a line without showing it.
    """

    def __init__(
        self,
        schema: Mapping[str, Schema],
        prefix: str | None = None,
        reraise: bool = False,
        ask: Callable[[str], str] = input,
        ask_secret: Callable[[str], str] = getpass.getpass,
    ) -> None:
        self.schema = schema
        self.prefix = prefix
        self.reraise = reraise
        self._ask = ask
        self._ask_secret = ask_secret

    def initiate_dialog(self) -> dict[str, Any]:
        """Ask everything and return the answers by name. After Ctrl-C: what there is so far."""
        result: dict[str, Any] = {}
        try:
            for name, schema in self.schema.items():
                answer = self._property(name, schema)
                if answer is not _SKIPPED:
                    result[name] = answer
        except (KeyboardInterrupt, EOFError, DialogInterrupted) as error:
            if self.reraise:
                raise DialogInterrupted from error
            print("Dialog interrupted.")
        return result

    def _property(self, name: str, schema: Schema) -> Any:
        title = f"{self.prefix}.{name}" if self.prefix else name
        if schema.get("description"):
            print(f"# {schema['description']}")
        kind = schema.get("type")
        items = schema.get("items") or {}
        if schema.get("enum"):
            return self._choice(title, schema, schema["enum"])
        if kind == "boolean":
            return self._boolean(title, schema)
        if kind in ("number", "integer"):
            return self._line(title, schema, float if kind == "number" else int, " (float)" if kind == "number" else " (integer)")
        if kind == "object":
            return self._nested(schema.get("properties") or {}, title)
        if kind == "array" and items.get("enum"):
            return self._choice(title, schema, items["enum"], several=True)
        if kind == "array" and items.get("type") == "object":
            return self._objects(title, items)
        if kind == "array":
            return self._list(title, schema, items)
        if schema.get("secret"):
            return self._line(title, schema, str, " (secret)", ask=self._ask_secret)
        return self._line(title, schema, str, "")

    def _nested(self, properties: Mapping[str, Schema], title: str) -> dict[str, Any]:
        return InteractiveForm(properties, title, True, self._ask, self._ask_secret).initiate_dialog()

    def _line(self, title: str, schema: Schema, convert: Callable[[str], Any], kind: str, ask: Callable[[str], str] | None = None) -> Any:
        """Ask until the text converts and fits the schema; empty input gives the default, or None."""
        default = schema.get("default")
        shown = ",".join(str(item) for item in default) if isinstance(default, list) else default
        prompt = f"{title}{kind}" + (f" [{shown}]: " if default is not None else ": ")
        while True:
            text = (ask or self._ask)(prompt)
            if not text:
                return default
            try:
                answer = convert(text)
                check(answer, schema)
                return answer
            except ValueError as error:
                print(f"{error}")

    def _boolean(self, title: str, schema: Schema) -> Any:
        default = schema.get("default")

        def convert(text: str) -> bool:
            word = text.strip().lower()
            if word not in _YES and word not in _NO:
                raise ValueError("Please answer y or n.")
            return word in _YES

        shown = f" [{'y' if default else 'n'}]" if default is not None else ""
        while True:
            text = self._ask(f"{title} (boolean){shown}: ")
            if not text:
                if default is None and schema.get("required"):
                    continue
                return default
            try:
                return convert(text)
            except ValueError as error:
                print(f"{error}")

    def _choice(self, title: str, schema: Schema, choices: list[Any], several: bool = False) -> Any:
        default = schema.get("default")
        listed = "".join(f"\n {index} - {item}" for index, item in enumerate(choices))
        numbers = ", ".join(str(index) for index in range(min(len(choices), _SHOWN_CHOICES)))
        more = "..." if len(choices) > _SHOWN_CHOICES else ""
        prompt = f"{title}: {listed}\nChoose from {numbers}{more}{self._shown_index(default, choices)}: "
        while True:
            text = self._ask(prompt)
            if not text:
                if default is None and schema.get("required"):
                    continue
                return default
            try:
                chosen = [_indexed(choices, word.strip()) for word in (text.split(",") if several else [text])]
            except ValueError as error:
                print(f"{error}")
            else:
                return chosen if several else chosen[0]

    @staticmethod
    def _shown_index(default: Any, choices: list[Any]) -> str:
        values = default if isinstance(default, list) else [default]
        indexes = [str(choices.index(item)) for item in values if item in choices]
        return f" [{','.join(indexes)}]" if indexes else ""

    def _objects(self, title: str, items: Schema) -> list[Any]:
        answers: list[Any] = []
        while True:
            answers.append(self._nested(items.get("properties") or {}, f"{title}[{len(answers)}]"))
            if self._ask("~~~ Would you like to add another item to  array / list? [y]: ").strip().lower() in _NO:
                return answers

    def _list(self, title: str, schema: Schema, items: Schema) -> Any:
        kind = items.get("type", "string")
        if kind == "boolean":
            return self._line(title, schema, lambda text: [word.strip().lower() in _YES for word in text.split(",")], " (comma-separated list)")
        if kind not in _SCALAR_ITEMS:
            print(f"Property {title} is skipped: lists of {kind} cannot be asked for.")
            return _SKIPPED
        convert = _SCALAR_ITEMS[kind]
        return self._line(title, schema, lambda text: [convert(word.strip()) for word in text.split(",")], " (comma-separated list)")


_SKIPPED = object()


def _indexed(choices: list[Any], text: str) -> Any:
    if not text.isdigit() or int(text) >= len(choices):
        raise ValueError(f"Please choose a number from 0 to {len(choices) - 1}.")
    return choices[int(text)]


def check(answer: Any, schema: Schema) -> None:
    """Raise `ValueError` when an answer breaks a limit of its schema. What is not checked here is checked by the server."""
    if isinstance(answer, str):
        if len(answer) < schema.get("minLength", 0):
            raise ValueError(f"Please enter at least {schema['minLength']} characters.")
        if len(answer) > schema.get("maxLength", len(answer)):
            raise ValueError(f"Please enter at most {schema['maxLength']} characters.")
        if schema.get("pattern") and not re.search(schema["pattern"], answer):
            raise ValueError(f"Please enter something that matches {schema['pattern']}.")
    elif isinstance(answer, int | float):
        if answer < schema.get("minimum", answer):
            raise ValueError(f"Please enter a number of at least {schema['minimum']}.")
        if answer > schema.get("maximum", answer):
            raise ValueError(f"Please enter a number of at most {schema['maximum']}.")
    elif isinstance(answer, list):
        if len(answer) < schema.get("minItems", 0):
            raise ValueError(f"Please enter at least {schema['minItems']} items.")
        if len(answer) > schema.get("maxItems", len(answer)):
            raise ValueError(f"Please enter at most {schema['maxItems']} items.")
