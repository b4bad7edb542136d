"""A notebook's parameters: read from its own `parameters` cell, overridden by profile and command line, and checked."""

import ast
import dataclasses
from pathlib import Path

import nbformat
import yaml

from smlib import paths

PROFILES = ("smoke", "quick", "full")
NAMED_SOURCES = ("embedded", "twin")
FOLDERS = ("source", "measured", "smap_conus")  # parameters that name data of the user's, or a named source
_SCALARS = (bool, int, float, str, type(None))


class RunError(ValueError):
    """Something that whoever runs a notebook can mend; the message says all that is needed."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook: its name, its default (a literal) and the comment beside it."""

    name: str
    default: object
    help: str = ""

    @property
    def type(self):
        """The type in words, such as ``int`` or ``list of str``."""
        if isinstance(self.default, list) and self.default:
            kinds = sorted({type(item).__name__ for item in self.default})
            return f"list of {' or '.join(kinds)}"
        return "anything or null" if self.default is None else type(self.default).__name__

    def __str__(self):
        return f"{self.name} ({self.type}, default {self.default!r})"


def notebooks():
    """Names of all notebooks of the book, such as ``stations/compare``, in alphabetical order."""
    return sorted(path.relative_to(paths.BOOK).with_suffix("").as_posix() for path in paths.BOOK.rglob("*.ipynb")
                  if not any(part.startswith((".", "_")) for part in path.relative_to(paths.BOOK).parts))


def find(notebook):
    """The name of a notebook given as a path or as its name; `RunError` names those there are."""
    known = notebooks()
    name = str(notebook).removesuffix(".ipynb")
    if name in known:
        return name
    path = Path(notebook).resolve()
    if path.suffix == ".ipynb" and path.is_relative_to(paths.BOOK):
        name = path.relative_to(paths.BOOK).with_suffix("").as_posix()
        if name in known:
            return name
    raise RunError(f"no notebook {notebook} in the book; there are: {', '.join(known) or 'none'}")


def load(name):
    """The notebook `name` as an nbformat node (version 4)."""
    path = paths.BOOK / f"{name}.ipynb"
    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise RunError(f"{path} is not a notebook: {str(error).splitlines()[0][:200]}") from None


def read(name):
    """The parameters of the notebook `name`, a dict of name -> `Parameter` in the cell's order.

    Every statement of the cell tagged ``parameters`` must assign a literal (numbers, text, booleans, None, lists and
    dicts of them): a value derived there from another parameter would not follow an override, so it is an error.
    """
    cells = [cell for cell in load(name).cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise RunError(f"{name}: {len(cells)} cells are tagged `parameters`; there must be one")
    lines = cells[0].source.splitlines()
    found = {}
    for node in ast.parse(cells[0].source).body:
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        try:
            default = ast.literal_eval(node.value)
            if not isinstance(target, ast.Name) or not isinstance(default, (*_SCALARS, list, dict)):
                raise ValueError
        except (ValueError, AttributeError):
            raise RunError(f"{name}: the `parameters` cell may only assign literals (numbers, text, booleans, None, "
                           f"lists, dicts), not: {lines[node.lineno - 1].strip()}") from None
        comment = lines[node.end_lineno - 1].encode()[node.end_col_offset:].decode().strip()
        found[target.id] = Parameter(target.id, default, comment.lstrip("# "))
    return found


def reads_runs(name):
    """Whether the notebook `name` reads finished runs of others: those of the profile that its `profile` names."""
    return "profile" in read(name)


def check(name, values, known=None):
    """`values` (name -> value) as the notebook `name` takes them, or `RunError` naming its parameters.

    A whole number is taken for a float and a path for text; None only where the default is None.
    """
    known = read(name) if known is None else known
    unknown = [key for key in values if key not in known]
    if unknown:
        raise RunError(f"{name} has no parameter {', '.join(map(str, unknown))}; it has:{_listing(known)}")
    return {key: _checked(name, known[key], value, known) for key, value in values.items()}


def parse(assignments):
    """`key=value` texts of the command line as a dict of key -> `Text`, to be read as the parameter's type asks."""
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise RunError(f"-p takes key=value, not {assignment!r}")
        values[key.strip()] = Text(text)
    return values


class Text(str):
    """A value as typed on the command line: YAML, unless the parameter is text."""


def profile_values(profile):
    """What `book/params/<profile>.yml` sets: notebook name -> parameter -> checked value. Nothing for ``smoke``."""
    if profile not in PROFILES:
        raise RunError(f"no profile {profile}; there are {', '.join(PROFILES)}")
    if profile == "smoke":
        return {}
    path = paths.BOOK / "params" / f"{profile}.yml"
    sections, known = _mapping(path), notebooks()
    values = {}
    for name, section in sections.items():
        if name not in known:
            raise RunError(f"{path}: there is no notebook {name}; there are: {', '.join(known)}")
        if not isinstance(section or {}, dict):
            raise RunError(f"{path}: section {name} must hold parameter: value lines")
        try:
            values[name] = check(name, section or {})
        except RunError as error:
            raise RunError(f"{path}: {error}") from None
    return values


def resolve(name, profile="smoke", overrides=None, file=None):
    """All parameters of a run: the notebook's defaults, then the profile's, then `file`'s (YAML), then `overrides`.

    A relative `source`, or another of `FOLDERS`, is taken from the repository's root in a profile, from the working
    directory otherwise. A notebook that reads finished runs reads those of the profile it is run in, unless told.
    """
    known = read(name)
    defaults = {key: parameter.default for key, parameter in known.items()}
    if reads_runs(name):
        defaults["profile"] = profile
    layers = [(profile_values(profile).get(name, {}), paths.ROOT),
              (_mapping(file) if file else {}, Path.cwd()), (overrides or {}, Path.cwd())]
    for values, folder in layers:
        values = check(name, values, known)
        for key in [key for key in FOLDERS if key in values]:
            values[key] = _source(key, values[key], folder)
        defaults |= values
    return defaults


def changed(values, defaults):
    """Those of `values` that differ from their default, in value or in type."""
    return {key: value for key, value in values.items()
            if value != defaults[key] or type(value) is not type(defaults[key])}


def is_path(key, value):
    """Whether a parameter's value is a path to data of the user's."""
    return key in FOLDERS and bool(value) and value not in NAMED_SOURCES


def _source(key, value, folder):
    if not is_path(key, value):
        return value
    path = (folder / Path(value).expanduser()).resolve()
    if not path.exists():
        raise RunError(f"{key}: no file or folder {path}; give one, or {' or '.join(NAMED_SOURCES)}")
    return str(path)


def _mapping(path):
    try:
        content = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise RunError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content or {}, dict):
        raise RunError(f"{path} must hold `name: value` lines")
    return content or {}


def _listing(known):
    return "".join(f"\n  {parameter}" for parameter in known.values()) or " none"


def _checked(name, parameter, value, known):
    default = parameter.default
    if isinstance(value, Text) and not isinstance(default, str):
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            raise _ill_typed(name, parameter, str(value), known) from None
    try:
        return _like(default, value)
    except TypeError:
        raise _ill_typed(name, parameter, value, known) from None


def _ill_typed(name, parameter, value, known):
    return RunError(f"{name}: {parameter.name} must be {parameter.type}, not {value!r}; the parameters are:"
                    f"{_listing(known)}")


def _like(default, value):
    """`value` as the type of `default`, or TypeError."""
    if default is None:
        if isinstance(value, (*_SCALARS, list, dict)):
            return value
        raise TypeError
    if isinstance(default, str) and isinstance(value, (str, Path)):
        return str(value)
    if isinstance(default, float) and not isinstance(value, bool) and isinstance(value, (int, float, str)):
        try:
            return float(value)  # text too: YAML reads 1e-3, without a point, as text
        except ValueError:
            raise TypeError from None
    if type(value) is not type(default):
        raise TypeError
    if isinstance(default, list) and default:
        return [_like_any(default, item) for item in value]
    return value


def _like_any(defaults, item):
    for default in sorted(defaults, key=lambda d: isinstance(d, float)):
        try:
            return _like(default, item)
        except TypeError:
            continue
    raise TypeError
