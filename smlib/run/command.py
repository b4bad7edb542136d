"""Parameters as commands: the one that repeats a run, papermill's, and the texts that either takes."""

import os
import shlex

import yaml

from smlib import paths
from smlib.run import params


def run_command(name, values):
    """The command that runs the notebook `name` with `values`, from the repository's root.

    Parameters
    ----------
    name : str
        A notebook of the book.
    values : dict
        All its parameters, as `params.resolve` gives them; those that are the notebook's defaults are not written.

    Returns
    -------
    str
        One line (more where a text holds a line break) for a POSIX shell; read by the runner it gives `values` again.
    """
    known, words = params.read(name), ["python", "-m", "smlib", "run", f"book/{name}.ipynb"]
    for key, value in _given(known, values).items():
        words += ["-p", f"{key}={text_of(known[key], value)}"]
    return shlex.join(words)


def papermill_command(name, values, output="out.ipynb"):
    """The papermill command that does the same; the executed notebook goes to `output`, its results to `runs/adhoc`."""
    words = ["papermill", f"book/{name}.ipynb", output]
    for key, value in _given(params.read(name), values).items():
        words += ["-y", f"{key}: {_yaml(value)}"]
    return shlex.join(words)


def text_of(parameter, value):
    """What ``-p`` takes after ``key=`` for this value: the text itself where the parameter is text, else YAML."""
    return value if isinstance(parameter.default, str) else _yaml(value)


def values_of(name, texts):
    """All parameters of the notebook `name`, some of them given as the texts that ``-p`` takes.

    Parameters
    ----------
    texts : dict
        Name -> text; the others have the notebook's defaults. Relative paths to data are from the repository's root.

    Raises
    ------
    RunError
        In the runner's own words, for it is the runner that reads them.
    """
    overrides = params.parse([f"{key}={text}" for key, text in texts.items()])
    return params.resolve(name, overrides=overrides, folder=paths.ROOT)


def _given(known, values):
    """Those of `values` that are not the defaults, paths to data relative to the repository's root."""
    changed = params.changed(values, {key: parameter.default for key, parameter in known.items()})
    return {key: os.path.relpath(value, paths.ROOT) if params.is_path(key, value) else value
            for key, value in changed.items()}


def _yaml(value):
    # Not JSON: YAML reads JSON's 1e-05 and NaN as text. Not broken into lines: a shell's history is one line a command.
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")
