"""Schema files put into one document, so that tools resolve every reference without a network.

A component has no ``$id``, since many tools do not follow references into a schema that has one: references
lead to components by their place, and ``x-schema-id`` tells where each comes from.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urljoin

from gateway.schemas import SUFFIX, SchemaStore

PLACE = "#/components/schemas/"
Json = dict[str, Any]


class Bundle:
    """The schema files that a document refers to, and those they refer to in their turn."""

    def __init__(self, store: SchemaStore) -> None:
        self._store = store
        self._names = {id: name for name, id in store.ids.items()}
        self.components: dict[str, Json] = {}

    def ref(self, name: str, inner: str = "") -> Json:
        """Refer to a schema file, or to what a JSON Pointer in it names. Raises KeyError for none such."""
        key = component(name)
        if key not in self.components:
            schema = json.loads(self._store.texts[name])
            self.components[key] = {}  # it may refer to itself by way of others
            about = {"x-schema-id": schema.pop("$id")}
            schema.pop("$schema", None)
            self.components[key] = about | self._moved(schema, about["x-schema-id"])
        return {"$ref": f"{PLACE}{key}{inner}"}

    def _moved(self, node: Any, base: str) -> Any:
        if isinstance(node, list):
            return [self._moved(item, base) for item in node]
        if not isinstance(node, dict):
            return node
        moved = {name: self._moved(value, base) for name, value in node.items()}
        if isinstance(target := node.get("$ref"), str):
            id, _, inner = urljoin(base, target).partition("#")
            moved |= self.ref(self._names[id], inner)
        return moved


def component(name: str) -> str:
    """Give a schema file's name as a component's: ``ctoai/event.schema.json`` -> ``ctoai.event``."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name.removesuffix(SUFFIX).replace("/", "."))
