"""The API reference holds every public module once, and docstrings say what the project asks of them."""

import ast
import re
from collections import Counter

import pytest

from smlib import paths
from smlib.run import reference, stage

PAGES = sorted((paths.BOOK / "reference").glob("*.md"))
SHARED = ("data", "nature", "models", "train", "assimilate", "evaluate", "explain", "plots", "run")
SECTIONS = {"Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """The reference as it is staged: page -> text."""
    folder = tmp_path_factory.mktemp("reference")
    for page in PAGES:
        (folder / page.name).write_text(page.read_text())
    reference.fill(folder)
    return {page.stem: (folder / page.name).read_text() for page in PAGES}


def source(module):
    path = paths.ROOT.joinpath(*module.split("."))
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text())


def documented():
    """(module, name, node with the docstring, function with the arguments or None) of all that is public."""
    for module in reference.modules("smlib"):
        for node in source(module).body:
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
                continue
            if isinstance(node, ast.FunctionDef):
                yield module, node.name, node, node
                continue
            methods = {method.name: method for method in node.body if isinstance(method, ast.FunctionDef)}
            yield module, node.name, node, methods.get("__init__")
            for name, method in methods.items():
                if not name.startswith("_"):
                    yield module, f"{node.name}.{name}", method, method


def sections(doc):
    """Section -> its lines, of a docstring in numpydoc's style."""
    found, lines, here = {}, doc.splitlines(), None
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch("-{3,}", below) and re.fullmatch(r"\w+", line):
            here = found.setdefault(line, [])
        elif here is not None and not re.fullmatch("-{3,}", line):
            here.append(line)
    return found


def arguments(function):
    given = function.args
    names = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [one.arg for one in names if one.arg not in ("self", "cls")]


def exported(package):
    """The names in a package's `__all__`."""
    for node in source(package).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return []


def test_every_page_of_the_reference_is_in_the_book():
    assert [f"reference/{page.stem}" for page in PAGES] == sorted(
        name for name in stage.pages() if name.startswith("reference/"))


def test_every_public_module_is_in_the_reference_once(filled):
    counted = Counter(re.findall(r"^\.\. automodule:: (\S+)$", "\n".join(filled.values()), re.MULTILINE))
    # The package itself holds its version alone, and what `python -m smlib` runs is in smlib.run.cli.
    assert counted == Counter(name for name in reference.modules("smlib") if name != "smlib")


def test_a_module_is_documented_with_what_it_defines_itself(filled):
    assert "% modules" not in "".join(filled.values())
    section = filled["evaluate"].split("## smlib.evaluate.metrics\n")[1].split("\n## ")[0]
    listed = re.search(r":members: (.*)", section)[1].split(", ")
    assert {"rmse", "ubrmse", "kge"} <= set(listed) and not any(name.startswith("_") for name in listed)
    assert ":members:" not in filled["evaluate"].split("## smlib.evaluate\n")[1].split("\n## ")[0]  # passed on only


def test_every_public_thing_has_a_docstring():
    bare = [module for module in reference.modules("smlib") if not ast.get_docstring(source(module))]
    bare += [f"{module}.{name}" for module, name, node, _ in documented() if not ast.get_docstring(node)]
    assert bare == []


def test_docstrings_have_known_sections_and_parameters_that_exist():
    wrong = []
    for module, name, node, function in documented():
        found = sections(ast.get_docstring(node))
        wrong += [f"{module}.{name}: section {one}" for one in set(found) - SECTIONS]
        heads = [line.split(" :")[0] for line in found.get("Parameters", []) if line and not line.startswith(" ")]
        said = [one.strip().lstrip("*") for head in heads for one in head.split(",")]
        wrong += [f"{module}.{name}: no parameter {one}" for one in said
                  if function is not None and one not in arguments(function)]
    assert wrong == []


def test_returns_and_raises_begin_with_a_type():
    """Prose there would be taken apart, line by line, into types."""
    wrong = []
    for module, name, node, _ in documented():
        found = sections(ast.get_docstring(node))
        for section in ("Returns", "Raises"):
            heads = [line for line in found.get(section, []) if line and not line.startswith(" ")]
            prose = len(heads) > 1 and section == "Returns" and not all(" : " in head for head in heads)
            prose |= section == "Raises" and not all(re.fullmatch(r"[\w.]+(, [\w.]+)*", head) for head in heads)
            wrong += [f"{module}.{name}: {heads}"] if prose else []
    assert wrong == []


def test_what_a_package_exports_says_which_errors_it_raises():
    names = {package: exported(package) for package in reference.modules("smlib")}
    silent = [f"{module}.{name}" for module, name, node, function in documented()
              if function is not None and name in names.get(module.rsplit(".", 1)[0], []) + names[module]
              and any(isinstance(part, ast.Raise) and part.exc for part in ast.walk(function))
              and not re.search("[Rr]aise|[Ee]rror", ast.get_docstring(node))]
    assert silent == []


def test_what_the_shared_packages_export_names_its_parameters():
    silent = []
    for module, name, node, function in documented():
        package = ".".join(module.split(".")[:2])
        if function is None or package.split(".")[1] not in SHARED or name not in exported(package):
            continue
        doc, given = ast.get_docstring(node), arguments(function)
        missing = [one for one in given if not re.search(rf"\b{one}\b", doc)] if len(given) > 2 else []
        silent += [f"{module}.{name}: {', '.join(missing)}"] if missing and name != "Run" else []  # `begin` makes it
    assert silent == []


def test_every_link_into_the_reference_has_an_end():
    """Sphinx checks all but `py:class`, whose targets it cannot tell from the types in docstrings."""
    known = set(reference.modules("smlib"))
    known |= {f"{module}.{name}" for module in known for name in reference.public(module)}
    pages = [path for path in paths.BOOK.rglob("*") if path.suffix in (".md", ".ipynb")]
    links = {target for page in pages for target in re.findall(r"\{(?:py:)?(?:mod|func|class)\}`~?([^`]+)`",
                                                              page.read_text())}
    assert len(links) > 50 and links - known == set()
