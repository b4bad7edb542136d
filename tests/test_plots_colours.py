"""One style: colour maps that are perceptually uniform, and ink that can be read on them."""

import ast

import numpy as np
import pytest
from matplotlib.colors import Colormap, to_rgb

from smlib import paths
from smlib.plots import style

# Perceptually uniform and told apart by colour-blind readers: matplotlib's own, beside those of style.py.
UNIFORM = {"viridis", "cividis", "magma", "inferno", "plasma"}
OTHERS = {"WET", "SIGNED", "SIGNED_WET", "SAND", "HEIGHT", "PLANTS"}


def named_maps(source):
    """Every literal in a module that matplotlib would take for a colour map, whatever it is used for."""
    import matplotlib

    return {node.value for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in matplotlib.colormaps}


@pytest.mark.parametrize("path", sorted((paths.ROOT / "smlib" / "plots").glob("*.py")), ids=lambda path: path.stem)
def test_no_plot_names_a_map_that_is_not_uniform(path):
    # "gray" and the like are colours of lines as well: a colour map goes by cmap= or colormaps[...].
    assert {name.removesuffix("_r") for name in named_maps(path.read_text())} - UNIFORM - {"gray", "grey"} == set()


def test_the_check_would_find_a_rainbow():
    assert named_maps("ax.imshow(x, cmap='jet_r')") == {"jet_r"}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_our_maps_change_in_lightness_one_way_or_about_their_middle(name):
    cmap = getattr(style, name)
    assert isinstance(cmap, Colormap)
    luminance = np.array([np.dot(to_rgb(cmap(x)), (0.2126, 0.7152, 0.0722)) for x in np.linspace(0, 1, 33)])
    steps = np.diff(luminance)
    halves = (steps[:16], -steps[16:]) if name.startswith("SIGNED") else (-steps,)
    assert all((half > -0.005).all() for half in halves) and np.ptp(luminance) > 0.5


def test_ink_has_a_contrast_of_4_5_on_every_shade():
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return np.dot(linear, (0.2126, 0.7152, 0.0722))

    for name in OTHERS:
        for x in np.linspace(0, 1, 65):
            shade = getattr(style, name)(x)
            light, dark = sorted((luminance(shade), luminance(style.ink(shade))), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 4.5
