"""What staging adds to a notebook's page: where its numbers come from, under the title and, in full, at its end."""

import datetime
import json

import nbformat

from smlib.run import params

ANCHOR = "run"  # the HTML id of the last section of every notebook page
_KINDS = {"embedded": "measured", "twin": "simulated"}


def frame(notebook, record):
    """Give an executed notebook its first lines and its last section, both out of the manifest of its run.

    What the run says at the top (`Run.opening`) moves out of the output of its cell to where a reader looks for it:
    the answer behind the question, the data behind the paper's answer.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Changed in place.
    record : dict
        The run's manifest.
    """
    title = next((cell for cell in notebook.cells if cell.cell_type == "markdown" and _heading(cell) is not None), None)
    opening = _take_opening(notebook)
    if title is not None:
        title.source = _front(title.source.splitlines(), first_line(record, opening.get("kind")), opening)
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip() != "Markdown(run.reproduce())"]
    last = nbformat.v4.new_markdown_cell(ending(record, opening.get("kind")))
    if "id" in last:
        last["id"] = "this-run"
    notebook.cells.append(last)


def first_line(record, kind=None):
    """One line of HTML: profile, measured or simulated data, day of the run, and a link to the section on the run."""
    said = [f"profile {record['profile']}", f"{kind_of(record, kind)} data" if kind_of(record, kind) else "",
            f"run of {_day(record)}", f'<a href="#{ANCHOR}">command, parameters and versions</a>']
    return f'<p class="about-run">{" · ".join(filter(None, said))}</p>'


def ending(record, kind=None):
    """The section on the run as Markdown: the one command that repeats it, and its manifest.

    Parameters
    ----------
    record : dict
        The run's manifest, as `manifest.record` makes it.
    kind : str, optional
        measured or simulated, as the page itself says; by default what its source tells, if it has one.
    """
    device, git = record["device"], record["git"]
    gpu = device["gpu"] or "no GPU"
    state = "no repository" if git is None else f"`{git['commit']}`" + (
        ", with changes that were not committed" if git["dirty"] else "")
    rows = [("profile", record["profile"]), ("data", _data(record, kind)),
            ("seeds", ", ".join(f"`{key}` {value}" for key, value in record["seeds"].items()) or "none"),
            ("date", f"{_day(record)}, {record['started'][11:16]} UTC"), ("time", f"{record['seconds']:,.0f} s"),
            ("device", f"{device['cpu']}, {device['cores']} cores, {gpu}"),
            ("threads", f"{record['threads']}"), ("system", record["platform"]), ("Python", record["python"]),
            ("commit", state), ("hash of the run", f"`{record['hash']}`"),
            ("SHA-256 of the notebook", f"`{record['notebook_sha256']}`"),
            ("SHA-256 of the code", f"`{record['code_sha256']}`")]
    known = params.read(record["notebook"])
    settings = [(f"`{key}`", _literal(value), _cell(known[key].help)) for key, value in record["parameters"].items()]
    parts = [f'<div id="{ANCHOR}"></div>', "## This run",
             f"From the repository's root, this command makes the numbers of this page:\n\n"
             f"```bash\n{command(record)}\n```",
             "It prints the folder of the finished run; `--force` runs it again, `-p name=value` changes a parameter. "
             "The hash covers all that decides the numbers: notebook, parameters, data, code, packages, Python, "
             "threads.",
             _table(("what", "of this run"), rows),
             _fold(f"Parameters ({len(settings)})", ("parameter", "value", "meaning"), settings),
             _fold(f"Data files ({len(record['data'])}), SHA-256", ("file", "SHA-256"), _codes(record["data"])),
             _fold(f"Packages ({len(record['packages'])})", ("package", "version"), record["packages"].items())]
    if record.get("runs"):
        parts.append(_fold(f"Runs that it reads ({len(record['runs'])})", ("page", "hash"), _codes(record["runs"])))
    return "\n\n".join(parts) + "\n"


def command(record):
    """The command that makes the run of a profile: the profile's parameters are part of the repository."""
    profile = "" if record["profile"] == "smoke" else f" --profile {record['profile']}"
    return f"python -m smlib run book/{record['notebook']}.ipynb{profile}"


def kind_of(record, kind=None):
    """Measured or simulated: what the page says, else what a named source is; None if neither tells."""
    return kind or _KINDS.get(record["source"])


def _heading(cell):
    return next((i for i, line in enumerate(cell.source.splitlines()) if line.startswith("# ")), None)


def _take_opening(notebook):
    """What `Run.opening` left in the notebook, taken out of the outputs; empty if there is none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found = output.get("metadata", {}).get("text/markdown", {}).get("opening")
            if found:
                cell.outputs.remove(output)
                return found
    return {}


def _front(lines, line, opening):
    """The first cell: title, `line`, the question, our answer, its numbers, the rest (the paper's answer), the data."""
    at = next(i for i, text in enumerate(lines) if text.startswith("# ")) + 1
    rest = "\n".join(lines[at:]).strip("\n").split("\n\n")
    question = next((i for i, text in enumerate(rest) if text.startswith("**Question.**")), -1) + 1
    detail = opening.get("detail") and f":::{{dropdown}} Our runs in numbers\n{opening['detail']}\n:::"
    text = [*rest[:question], opening.get("answer"), detail, opening.get("paper"), *rest[question:],
            opening.get("data")]
    return "\n\n".join(filter(None, ["\n".join(lines[:at]), line, *text])) + "\n"


def _day(record):
    day = datetime.datetime.fromisoformat(record["started"])
    return f"{day.day} {day:%B %Y}"


def _data(record, kind):
    source = f"`{record['source']}`" if record["source"] else ""
    return " ".join(filter(None, [kind_of(record, kind), f"({source})" if source else ""])) or "see the page"


def _codes(mapping):
    return [(f"`{key}`", f"`{value}`") for key, value in sorted(mapping.items())]


def _literal(value):
    return f"`{_cell(json.dumps(value, ensure_ascii=False))}`"


def _cell(text):
    return text.replace("|", "\\|")


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines)


def _fold(title, head, rows):
    return f":::{{dropdown}} {title}\n{_table(head, rows)}\n:::"
