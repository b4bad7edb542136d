"""Interactive figures of bokeh as text: JSON that equal runs write alike, and the HTML that a page of the book holds.

`book/_static/interactive.js` draws them in the reader's browser when asked to, with the BokehJS that staging copies
into the book. Without scripts a page shows nothing of them; the static figure beside them stands.
"""

import html
import json
import re
import shutil
from importlib.resources import as_file, files

MOST = 1_500_000  # characters of one figure's JSON: a page is also read on a phone
MARK = "data-interactive"  # the attribute by which staging and the script find such a figure


def item(name, layout):
    """JSON text of a bokeh figure or layout, for `Bokeh.embed.embed_item`.

    Parameters
    ----------
    name : str
        Of the figure; the models' identities are made of it, so that two figures of one page never share one.
    layout : bokeh.models.UIElement

    Returns
    -------
    str
        Equal figures give equal text, whatever was drawn before in the same process.

    Raises
    ------
    ValueError
        If the text is longer than `MOST` characters.
    """
    from bokeh.embed import json_item  # here, for bokeh takes a second and most runs have no interactive figure

    found = json_item(layout)
    # Bokeh numbers models through the life of a process: numbered anew here, in the order in which they are met.
    order = list(dict.fromkeys(_identities(found)))
    names = {old: f"{re.sub(r'[^A-Za-z0-9]+', '-', name)}-{number}" for number, old in enumerate(order)}
    # Keys stay in their order: a model must stand before the first reference to it.
    text = json.dumps(_renamed(found, names), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    if len(text) > MOST:
        raise ValueError(f"the interactive figure {name!r} has {len(text):,} characters of JSON, {MOST:,} at most: "
                         "draw fewer days, cells or lines")
    return text


class Shown:
    """What a notebook shows of an interactive figure: HTML that is hidden until the book's script finds it."""

    def __init__(self, name, text, alt):
        self.name, self.text, self.alt = name, text, alt

    def _repr_html_(self):
        says, key = html.escape(self.alt), html.escape(self.name)
        data = self.text.replace("<", "\\u003c")  # no tag inside a script may end it
        return (f'<figure class="interactive" {MARK}="{key}" aria-label="Interactive figure: {says}" hidden>\n'
                f'<button type="button" aria-expanded="false">Explore</button>\n<figcaption>{says}</figcaption>\n'
                f'<div></div>\n<script type="application/json">{data}</script>\n</figure>')

    def __repr__(self):
        return f"interactive figure {self.name}, to be explored in the rendered book"


def shown_in(notebook):
    """Whether an executed notebook holds an interactive figure."""
    return any(MARK in "".join(output.get("data", {}).get("text/html", ""))
               for cell in notebook.cells for output in cell.get("outputs", []))


def copy_script(folder):
    """Copy the BokehJS of the installed bokeh, whose licence stands at its top, into a folder of the book."""
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("bokeh") / "server" / "static" / "js" / "bokeh.min.js") as script:
        shutil.copyfile(script, folder / script.name)


def _identities(value):
    """Identities of all models in a JSON value, in the order in which they stand."""
    if isinstance(value, dict):
        if value.get("type") == "object" and "id" in value:
            yield value["id"]
        value = value.values()
    if not isinstance(value, str | int | float | bool | None):
        for one in value:
            yield from _identities(one)


def _renamed(value, names):
    """The JSON value with every identity replaced, where a model stands and where one is referred to."""
    if isinstance(value, dict):
        refers = value.get("type") == "object" or set(value) == {"id"}
        return {key: names.get(one, one) if (refers and key == "id") or key == "root_id" else _renamed(one, names)
                for key, one in value.items()}
    return [_renamed(one, names) for one in value] if isinstance(value, list | tuple) else value
