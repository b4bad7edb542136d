"""Sphinx extension: a figure of a notebook keeps the alternative text that its run gave it.

MyST-NB takes one text a cell, whatever the number of its figures, and none from the figures themselves. It names an
image file by the SHA-256 of its bytes, by which this extension finds the output that it came from.
"""

import base64
import hashlib
from pathlib import Path

import nbformat
from docutils import nodes


def texts(notebook):
    """SHA-256 of each image that the outputs of a notebook hold -> its alternative text."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for mime, data in output.get("data", {}).items():
                if mime in ("image/png", "image/jpeg", "image/gif"):
                    alt = output.metadata.get(mime, {}).get("alt", "")
                    found[hashlib.sha256(base64.b64decode(data)).hexdigest()] = alt
    return found


def describe(app, doctree):
    """Give every image of a notebook page its text."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    found = texts(nbformat.read(path, as_version=4))
    for image in doctree.findall(nodes.image):
        alt = found.get(Path(image["uri"]).stem)
        if alt:
            image["alt"] = alt


def setup(app):
    app.connect("doctree-read", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
