"""A form for the parameters of a notebook, in Jupyter: it writes the commands that run the notebook with them."""

import html

import ipywidgets as widgets

from smlib.run import command, params
from smlib.run.params import RunError

WIDE = {"layout": {"width": "60em"}, "style": {"description_width": "10em"}}


class Form:
    """Widgets made from a notebook's `parameters` cell, and the commands for what is typed in them.

    Attributes
    ----------
    notebook : ipywidgets.Dropdown
        The notebooks of the book; another choice makes other fields.
    fields : dict
        Parameter -> ipywidgets.Checkbox for a truth value, else ipywidgets.Text of what ``-p`` takes.
    commands, error : str
        The two commands, or why there are none, in the runner's words; the other is empty.
    box : ipywidgets.VBox
        All of it, to be displayed.

    Parameters
    ----------
    notebook : str
        The one to begin with.
    texts : dict, optional
        Name -> text, as for `command.values_of`: what is typed in its fields already.

    Raises
    ------
    RunError
        If there is no such notebook, or it does not take the `texts`. What is typed later is told in `error`.
    """

    def __init__(self, notebook, texts=None):
        self.notebook = widgets.Dropdown(options=params.notebooks(), value=params.find(notebook),
                                         description="notebook", **WIDE)
        self.said, self.below = widgets.HTML(), widgets.VBox()
        self.box = widgets.VBox([self.notebook, self.below, self.said])
        self.notebook.observe(lambda change: self._fill({}), "value")
        self._fill(texts or {})

    def _fill(self, texts):
        """Make the fields of the chosen notebook anew."""
        self.known = params.read(self.notebook.value)
        values = command.values_of(self.notebook.value, texts)
        self.fields = {key: _field(parameter, values[key], texts.get(key)) for key, parameter in self.known.items()}
        rows = []
        for key, field in self.fields.items():
            field.observe(lambda change: self._write(), "value")
            rows.append(widgets.HBox([field, widgets.HTML(html.escape(self.known[key].help))]))
        self.below.children = rows
        self._write()

    def _write(self):
        """Say the commands for what stands in the fields, or what is wrong there."""
        name, self.commands, self.error = self.notebook.value, "", ""
        texts = {key: str(field.value).lower() if isinstance(field, widgets.Checkbox) else field.value
                 for key, field in self.fields.items()}
        try:
            values = command.values_of(name, texts)
            self.commands = f"{command.run_command(name, values)}\n\n{command.papermill_command(name, values)}"
        except RunError as error:
            self.error = str(error)
        style = ' style="color: #B2182B"' if self.error else ""
        self.said.value = f"<pre{style}>{html.escape(self.commands or self.error)}</pre>"


def _field(parameter, value, text):
    """The widget of one parameter that has this value; `text` is how that was typed, None for a default."""
    if isinstance(parameter.default, bool):
        return widgets.Checkbox(value=value, description=parameter.name, indent=True, **WIDE)
    text = command.text_of(parameter, value) if text is None else text
    return widgets.Text(value=text, description=parameter.name, continuous_update=True, **WIDE)
