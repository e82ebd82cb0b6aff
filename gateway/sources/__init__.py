"""Understanding: which system a document comes from. One module a system, all of one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pkgutil import resolve_name

from gateway import schemas
from gateway.errors import Ambiguous, NotFound, SettingsError, Unrecognised
from gateway.model import Document, Problem
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.sources import declarations
from gateway.sources.declarations import Folder
from gateway.sources.source import Disguise, Pair, Source
from gateway.systems import BUILT_IN, installed


def build(
    settings: Settings, folder: Folder, disagreed: Callable[[], None] = lambda: None
) -> tuple[SchemaStore, Sources]:
    """Give the schemas and the systems that they are of. Raises SettingsError with the faults of both."""
    packages = installed_kinds(settings.systems)
    more = dict(folder.schema_texts())
    for kind in packages.values():
        more |= kind.schema_files()
    try:
        store = SchemaStore(schemas.folder(), disagreed, more)
    except SettingsError as error:
        faults = list(error.faults)
        try:
            declarations.load(folder, settings.systems, SchemaStore(schemas.folder()))
        except SettingsError as others:
            faults += others.faults
        raise SettingsError(faults) from None
    return store, load(settings, store, folder, packages)


def installed_kinds(names: Sequence[str]) -> Mapping[str, type[Source]]:
    """Load the classes that other packages bring, of these systems. Raises SettingsError with every fault."""
    found: dict[str, type[Source]] = {}
    faults: list[str] = []
    for name, point in installed().items():
        if name in names:
            try:
                found[name] = _kind(name, point.load())
            except Exception as error:  # whatever a stranger's module does when it is imported
                faults.append(f"the system {name} of {point.value}: {type(error).__name__}: {error}")
    if faults:
        raise SettingsError(faults)
    return found


def _kind(name: str, kind: object) -> type[Source]:
    if not (isinstance(kind, type) and issubclass(kind, Source)):
        raise TypeError("is no subclass of gateway.sources.source.Source")
    if kind.name != name:
        raise ValueError(f"calls itself {kind.name!r}")
    if strange := [file for file in kind.schema_files() if not file.startswith(f"{name}/")]:
        raise ValueError(f"its schema files have names that begin with {name}/, not {', '.join(strange)}")
    return kind


def load(
    settings: Settings, store: SchemaStore, folder: Folder, packages: Mapping[str, type[Source]]
) -> Sources:
    """Make the sources of the systems that are switched on: built in, declared, or another package's.

    Raises SettingsError for declarations that cannot be used.
    """
    declared = declarations.load(folder, settings.systems, store)

    def make(name: str) -> Source:
        if name in declared:
            return declared[name]
        kind: type[Source] = resolve_name(BUILT_IN[name]) if name in BUILT_IN else packages[name]
        return kind.make(settings, store)

    return Sources([make(name) for name in settings.systems])


class Sources:
    """The systems that are switched on, in order."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Take the sources; their names must differ."""
        self._by_name = {source.name: source for source in sources}
        self.plain = frozenset(source for source in sources if _is_plain(source))
        """Those of which every document is one event: they need not be asked what else it may be."""
        self._header_marks = {mark for source in sources for mark in source.header_marks}
        self._body_marks = {mark for source in sources for mark in source.body_marks or ()}
        self._unmarked = [source for source in sources if source.body_marks is None]

    def __iter__(self) -> Iterator[Source]:
        return iter(self._by_name.values())

    @property
    def lenient(self) -> frozenset[str]:
        """The systems whose CloudEvents may carry members with names CloudEvents does not allow."""
        return frozenset(name for name, source in self._by_name.items() if source.lenient_extensions)

    @property
    def headers_read(self) -> frozenset[str]:
        """The headers, in lower case, that it takes to read a request again."""
        return frozenset(
            header
            for source in self._by_name.values()
            for header in (*source.header_marks, *source.headers_read, *(d.header for d in source.disguises))
        )

    @property
    def disguises(self) -> tuple[tuple[str, Disguise], ...]:
        """What else than JSON is read as such, each with its system."""
        return tuple((name, how) for name, source in self._by_name.items() for how in source.disguises)

    def pairs(self) -> frozenset[Pair]:
        """Every (subject, predicate) that the switched-on systems can give from a closed list."""
        return frozenset(pair for source in self._by_name.values() for pair in source.pairs())

    def recognise(self, document: Document) -> Source:
        """Give the system of the path, else that of a header, else the only one that claims the document.

        Raises NotFound (the path's system is switched off), Unrecognised or Ambiguous.
        """
        pinned = document.message.system
        if pinned is not None:
            if pinned not in self._by_name:
                message = f"the system '{pinned[:40]}' is not switched on here"
                raise NotFound(message, [Problem(document.pointer, "system", message)])
            return self._by_name[pinned]
        claims = [] if self._header_marks.isdisjoint(document.message.headers) else self._marked(document)
        if not claims:
            claims = [source for source in self._possible(document) if source.recognise(document)]
        if len(claims) == 1:
            return claims[0]
        if claims:
            raise _ambiguous(document, claims)
        raise self._unrecognised(document)

    def _marked(self, document: Document) -> list[Source]:
        headers = document.message.headers
        return [s for s in self._by_name.values() if any(mark in headers for mark in s.header_marks)]

    def _possible(self, document: Document) -> Iterable[Source]:
        """Give those that may claim it, in order: to ask every one would take longer than to validate."""
        data = document.data
        if not isinstance(data, dict) or self._body_marks.isdisjoint(data):
            return self._unmarked
        return [
            source
            for source in self._by_name.values()
            if source.body_marks is None or not data.keys().isdisjoint(source.body_marks)
        ]

    def _unrecognised(self, document: Document) -> Unrecognised:
        marks = "; ".join(f"{source.name}: {source.marks}" for source in self._by_name.values())
        message = f"bears the marks of none of the systems ({marks})"
        return Unrecognised(
            "no system recognises this document; compare it with the marks below, or post it to "
            "/events/<system> to be told what that system misses",
            [Problem(document.pointer, "recognise", message)],
        )


def _is_plain(source: Source) -> bool:
    kind = type(source)
    own = (kind.control, kind.remark, kind.size, kind.split)
    return not source.group and own == (Source.control, Source.remark, Source.size, Source.split)


def _ambiguous(document: Document, claims: Sequence[Source]) -> Ambiguous:
    names = " and ".join(source.name for source in claims)
    problem = Problem(document.pointer, "recognise", f"bears the marks of {names}")
    return Ambiguous(f"{names} both recognise this document; post it to /events/<system>", [problem])
