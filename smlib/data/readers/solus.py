"""SOLUS100 soil maps (Nauman et al. 2024): GeoTIFFs of 100 m, a property and a depth each, as scaled integers."""

import re

import dask.array
import numpy as np
import pandas as pd

from smlib.data.readers.rasters import cell_means, header, lazy, listed
from smlib.data.schema import DataError

FILE = re.compile(r"([a-z0-9]+)_(\d+)_cm_p\.tiff?", re.IGNORECASE)  # _p: prediction; _l, _h, _rpi: its uncertainty
TABLE = "Final_Layer_Table"  # the publisher's list of files, with the factor of each in its column `scalar`
# Canonical name, factor that stored integers were multiplied by, factor to canonical units. Organic matter is carbon
# over 0.58, the usual factor of van Bemmelen.
PROPERTIES = {"sandtotal": ("sand", 1, 1), "silttotal": ("silt", 1, 1), "claytotal": ("clay", 1, 1),
              "dbovendry": ("bulk_density", 100, 1), "soc": ("organic_matter", 1000, 1 / 0.58)}
LAYERS_M = ((0.0, 0.1), (0.1, 0.4), (0.4, 1.0))  # NLDAS-2's upper three


def read_solus(files, grid, layers_m=LAYERS_M):
    """Soil maps on `grid`, averaged over its cells and over layers, lazily: all depths of a property are read at once.

    Parameters
    ----------
    files : list of path, or a folder
        ``claytotal_0_cm_p.tif`` and so on, in any projection that the file names; with the publisher's
        ``Final_Layer_Table*.csv`` beside them the factors come from there. Other properties are left out.
    grid : `ease.EaseGrid`
    layers_m : sequence of (top, bottom), m
        Values stand for a depth, between which they are taken to be linear; below the deepest they stay.

    Returns
    -------
    xarray.Dataset
        ``sand``, ``silt``, ``clay`` (percent), ``bulk_density`` (g cm-3), ``organic_matter`` (percent), those that
        there are, (layer, y, x). A layer is missing where one of its depths is.

    Raises
    ------
    DataError
        For no known property, depths that do not reach into every layer, or a raster that is no good
        (`rasters.cell_means`).
    """
    found, scalars = {}, {}
    for file in listed(files, (".tif", ".tiff")):
        match = FILE.fullmatch(file.name)
        if match and match[1].lower() in PROPERTIES:
            found.setdefault(match[1].lower(), {})[int(match[2]) / 100] = file
            for table in file.parent.glob(f"{TABLE}*.csv"):
                listed_here = pd.read_csv(table)
                scalars |= dict(zip(listed_here["filename"], listed_here["scalar"], strict=True))
    if not found:
        raise DataError(f"there is no SOLUS100 map: their names are like claytotal_0_cm_p.tif, of "
                        f"{', '.join(PROPERTIES)}", file=str(files)[:100])
    variables = {}
    for key, maps in found.items():
        name, scalar, factor = PROPERTIES[key]
        depths = sorted(maps)
        weights = layer_weights(depths, layers_m, f"{key}: its depths are {depths} m")
        tile = tuple(maps[depth] for depth in depths)
        header(tile)
        by = [float(scalars.get(file.name, scalar)) / factor for file in tile]
        stack = lazy(lambda tile=tile, by=by: cell_means([tile], grid, lambda arrays, strip: (
            values / divisor for values, divisor in zip(arrays, by, strict=True)), len(tile)), len(tile), grid)
        # Depths that a layer does not need must not make it missing.
        layers = [sum(float(w) * stack[k] for k, w in enumerate(row) if w > 0) for row in weights]
        variables[name] = (("layer", "y", "x"), dask.array.stack(layers).astype(np.float32))
    tops, bottoms = zip(*layers_m, strict=True)
    coords = {"layer": np.arange(1, len(layers_m) + 1), "top_m": ("layer", np.array(tops, float)),
              "bottom_m": ("layer", np.array(bottoms, float))}
    return grid.dataset(variables, coords)


def layer_weights(depths, layers_m, file=""):
    """Weights (layer, depth) that make layer means of values at depths (m) with straight lines between."""
    depths = np.asarray(depths, float)
    weights = []
    for top, bottom in layers_m:
        if not depths[0] <= top < bottom or (depths[-1] <= top and len(depths) > 1):
            raise DataError(f"do not reach into the layer {top} to {bottom} m", file=file, variable="depth")
        at = np.unique(np.concatenate([[top, bottom], depths[(depths > top) & (depths < bottom)]]))
        at_depths = np.stack([np.interp(at, depths, unit) for unit in np.eye(len(depths))])
        weights.append(np.trapezoid(at_depths, at, axis=1) / (bottom - top))
    return np.array(weights)


