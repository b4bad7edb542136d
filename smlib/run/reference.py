"""The API reference: pages whose lists of modules are filled in at staging, and rendered from the docstrings."""

import ast
import re
from pathlib import Path

from smlib import paths

MARK = re.compile(r"^% modules of (smlib[\w.]*)$", re.MULTILINE)  # a comment in Markdown


def fill(folder):
    """Replace each line ``% modules of smlib.data`` by what has Sphinx document that package, a section a module.

    Parameters
    ----------
    folder : path
        The staged ``reference/``; nothing happens if it is not there.
    """
    for page in sorted(Path(folder).glob("*.md")):
        page.write_text(MARK.sub(lambda found: "\n".join(map(_section, modules(found[1]))), page.read_text()))


def modules(package):
    """Names of a package and of the modules in it, sorted; those left out that start with ``_``."""
    folder = paths.ROOT.joinpath(*package.split("."))
    if not folder.is_dir():
        return [package]
    found = (path.relative_to(paths.ROOT).with_suffix("") for path in folder.rglob("*.py"))
    return sorted(".".join(path.parent.parts if path.name == "__init__" else path.parts) for path in found
                  if path.name == "__init__" or not path.name.startswith("_"))


def public(module):
    """Names of the public functions and classes that the module of this name defines itself, in the file's order."""
    path = paths.ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return [node.name for node in ast.parse(path.read_text()).body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")]


def _section(name):
    members = public(name)
    # Named one by one: what a package passes on from its modules is documented there, once.
    listed = f"   :members: {', '.join(members)}\n" if members else ""
    return f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n{listed}```\n"
