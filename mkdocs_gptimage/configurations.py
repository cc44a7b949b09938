"""Configuration files of sites that use the plugin: found by their names, and read as YAML without running anything.

`INHERIT` and `!ENV` are followed as MkDocs does; every other tag reads as null.
"""

from __future__ import annotations

import codecs
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mkdocs_gptimage.fs import existing_spelling, read_regular_file
from mkdocs_gptimage.git import GitUnavailableError, listed_files, repository_root
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PLUGIN = "gptimage"
_PATTERNS = ("*.yml", "*.yaml")
_HOST_DEFAULTS = tuple(f"{host}.{ending}" for host in ("mkdocs", "properdocs") for ending in ("yml", "yaml"))
"""What a site generator reads when it is given no file."""
_INHERIT = "INHERIT"
_LONGEST_CHAIN = 16
_MAX_BYTES = 1024 * 1024
_MAX_SEARCHED = 64 * 1024 * 1024
"""Bytes of a file that are searched for the plugin's name."""
_MAX_MERGED = 100_000
_MAX_FOLDERS = 20_000
_FOREIGN = frozenset((".git", "node_modules", "site-packages", "__pycache__"))
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be installed without libyaml


class UnreadableError(ValueError):
    """A file that may be a configuration, and cannot be read; the message says why."""


@dataclass(frozen=True)
class SiteConfiguration:
    """What a configuration file sets of the folders that sites share; all paths are absolute, links resolved."""

    path: Path
    docs: Path
    store: Path
    cache: Path
    parents: tuple[Path, ...] = ()
    """The files that it inherits from."""


@dataclass
class FoundConfigurations:
    """The result of a search for configurations that use the plugin."""

    sites: list[SiteConfiguration] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    """Files that may be configurations, and why they cannot be read."""
    unsearched: Path | None = None
    """A folder that is too large to be searched."""


def find_configurations(project: Path, store: Path, known: Iterable[Path] = ()) -> FoundConfigurations:
    """Search for the configurations that may share a folder with a project.

    They are looked for in the git repositories of the project and its store, else below the project, and beside a
    store that lies elsewhere. `known` are further files; `project` and `store` are absolute, links resolved.
    """
    found = FoundConfigurations()
    read: dict[Path, SiteConfiguration] = {}
    for path in {each.resolve(): None for each in (*known, *_files(project, store, found))}:
        try:
            site = read_configuration(path)
        except UnreadableError as error:
            found.unreadable[path] = str(error)
        else:
            read.update({path: site} if site else {})
    found.sites = [site for site in read.values() if not _is_base(site, read.values())]
    return found


def _is_base(site: SiteConfiguration, others: Iterable[SiteConfiguration]) -> bool:
    """Whether a file is only there to be inherited from: the pages that it names are those of a file that does."""
    children = [other for other in others if site.path in other.parents]
    return site.path.name not in _HOST_DEFAULTS and any(child.docs == site.docs for child in children)


def _files(project: Path, store: Path, found: FoundConfigurations) -> Iterator[Path]:
    for pattern in _PATTERNS:
        yield from sorted(project.glob(pattern))
    home = repository_root(project)
    around_store = repository_root(_existing(store))
    for root in {root: None for root in (home, around_store) if root is not None}:
        try:
            yield from listed_files(root, *_PATTERNS)
        except GitUnavailableError:
            home = None
    if home is None:
        yield from _walk(project, FoundConfigurations())
    if not store.is_relative_to(home or project):
        yield from _walk(_existing(store.parent), found)


def _existing(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.is_dir()), folder)


def _walk(top: Path, found: FoundConfigurations) -> Iterator[Path]:
    """Yield files named like configurations below a folder; note the folder when there are too many to look into."""
    for number, (folder, _, files) in enumerate(_folders(top), 1):
        yield from (Path(folder, name) for name in files if name.endswith((".yml", ".yaml")))
        if number == _MAX_FOLDERS:
            found.unsearched = top


def walk_folders(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folders below one, hidden ones last, and the names of all folders in each; no foreign ones."""
    hidden: list[Path] = []
    for folder, names, _ in _folders(top):
        yield Path(folder), names
        hidden += [Path(folder, name) for name in names if name.startswith(".") and name not in _FOREIGN]
    for path, names in itertools.islice(itertools.chain.from_iterable(map(_walk_hidden, hidden)), _MAX_FOLDERS):
        yield path, names


def _walk_hidden(top: Path) -> Iterator[tuple[Path, list[str]]]:
    for folder, names, _ in os.walk(top):
        names[:] = [name for name in names if name not in _FOREIGN]
        yield Path(folder), names


def _folders(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk at most so many folders: path, names of folders, names of files."""
    for folder, names, files in itertools.islice(os.walk(top), _MAX_FOLDERS):
        all_names = list(names)
        names[:] = [name for name in names if not name.startswith(".") and name not in _FOREIGN]
        yield folder, all_names, files


def read_configuration(path: Path) -> SiteConfiguration | None:
    """Read a file; None for one that is no configuration of a site with the plugin. Raises `UnreadableError`."""
    chain = _chain(path)
    options = _plugin_options([values for _, values in chain])
    if options is None or not any("site_name" in values for _, values in chain):
        return None
    docs = next((values["docs_dir"] for _, values in chain if "docs_dir" in values), "docs")

    def folder(value: Any, default: str) -> Path:
        return existing_spelling(path.parent / (value if isinstance(value, str) else default)).resolve()

    return SiteConfiguration(
        path,
        docs=folder(docs, "docs"),
        store=folder(options.get("store"), "gptimage"),
        cache=folder(options.get("cache"), ".cache/gptimage"),
        parents=tuple(each for each, _ in chain[1:]),
    )


def _plugin_options(chain: Sequence[dict[Any, Any]]) -> dict[Any, Any] | None:
    """Return the options of the plugin, merged as MkDocs merges: mappings by key, of lists the child's.

    None where the plugin is not listed. The child comes first.
    """
    merged: Any = None
    for values in reversed(chain):
        plugins = values.get("plugins", merged)
        are_mappings = isinstance(plugins, dict) and isinstance(merged, dict)
        merged = {**merged, **plugins, **_merged_options(merged, plugins)} if are_mappings else plugins
    if isinstance(merged, list):
        named = [each for each in merged if isinstance(each, dict) and PLUGIN in each]
        merged = {PLUGIN: named[0][PLUGIN]} if named else dict.fromkeys(each for each in merged if each == PLUGIN)
    if not isinstance(merged, dict) or PLUGIN not in merged:
        return None
    return merged[PLUGIN] if isinstance(merged[PLUGIN], dict) else {}


def _merged_options(parent: dict[Any, Any], child: dict[Any, Any]) -> dict[Any, Any]:
    mine, theirs = child.get(PLUGIN), parent.get(PLUGIN)
    return {PLUGIN: {**theirs, **mine}} if isinstance(mine, dict) and isinstance(theirs, dict) else {}


def _chain(path: Path) -> list[tuple[Path, dict[Any, Any]]]:
    """Return the values of a file and of those that it inherits from."""
    chain: list[tuple[Path, dict[Any, Any]]] = []
    while len(chain) < _LONGEST_CHAIN and path not in [each for each, _ in chain]:
        values = _values(path, is_parent=bool(chain))
        chain.append((path, values))
        parent = values.get(_INHERIT)
        if not isinstance(parent, str):
            break
        path = (path.parent / parent).resolve()
    return chain


def _values(path: Path, *, is_parent: bool) -> dict[Any, Any]:
    """Return the top-level values of a file; none for one that neither names the plugin nor inherits."""
    try:
        data = read_regular_file(path, _MAX_SEARCHED)
    except OSError as error:
        raise_if_lacking(error, f"{quote(path.name)} cannot be read")
        if not is_parent and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return {}
        raise UnreadableError(f"{quote(path.name)} cannot be read: {error.strerror or error}") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # which YAML may be in
        data = data.decode("utf-16", "replace").encode()
    has_plugins = b"plugins" in data and PLUGIN.encode() in data
    if len(data) > _MAX_BYTES and (has_plugins or is_parent):
        raise UnreadableError(f"{quote(path.name)} has more than {_MAX_BYTES // 1024 // 1024} MiB")
    if not (is_parent or has_plugins or (_INHERIT.encode() in data and len(data) <= _MAX_BYTES)):
        return {}
    try:
        values = yaml.load(data, _ConfigurationLoader)  # noqa: S506 - a safe loader that knows no further types
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if not (has_plugins or is_parent):
            return {}
        raise UnreadableError(f"{quote(path.name)} is not YAML: {str(error).partition(chr(10))[0]}") from None
    return values if isinstance(values, dict) else {}


class _ConfigurationLoader(_Loader):  # type: ignore[misc] # chosen at run time
    """Plain values, and `!ENV`; any other tag reads as null."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > _MAX_MERGED:
            raise yaml.constructor.ConstructorError(None, None, "its aliases expand to too much", node.start_mark)

    def environment(self, node: yaml.Node) -> Any:
        """The first variable that is set; of a list, the last entry is the default."""
        if isinstance(node, yaml.ScalarNode):
            return _variable([self.construct_scalar(node)], None)
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            return None
        *names, default = self.construct_sequence(node, deep=True)
        return _variable(names or [default], default if names else None)


def _variable(names: Sequence[Any], default: Any) -> Any:
    return next((os.environ[name] for name in names if isinstance(name, str) and name in os.environ), default)


_ConfigurationLoader.add_constructor("!ENV", _ConfigurationLoader.environment)
_ConfigurationLoader.add_constructor(None, lambda _loader, _node: None)
