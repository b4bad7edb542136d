"""MODIS as GeoTIFF (from AppEEARS, or converted tiles): short-wave infrared reflectance and land cover."""

import dask.array
import numpy as np

from smlib.data.readers.rasters import by_day, cell_means, days_index, header, lazy
from smlib.data.schema import DataError

# Band 7 (2.1 um) by product: what is in its files' names, valid stored values, and the same of its quality.
BANDS = {"MCD43A4": ("Nadir_Reflectance_Band7", (1, 10000), "BRDF_Albedo_Band_Mandatory_Quality_Band7"),
         "MOD09": ("sur_refl_b07", (1, 10000), "QC_500m")}
SCALE = 1e-4
MAGNITUDE_INVERSION = 1  # quality of MCD43A4: 0 full inversion, 1 magnitude inversion (lower quality), 255 none


def read_swir_transform(files, grid, product="MCD43A4", quality=0, share=0.0):
    """Transformed reflectance (1 - R)^2 / (2 R) of the short-wave infrared, daily, averaged over cells, lazily.

    Sadeghi et al. (2017), Eq. 3: linear in soil moisture, which reflectance is not; so it is taken of every pixel, and
    then averaged.

    Parameters
    ----------
    files : list of path, or a folder
        GeoTIFFs with the band and the date in their names, one or several tiles a day, stored as integers of 0.0001.
    grid : `ease.EaseGrid`
    product : "MCD43A4" or "MOD09"
    quality : int or None
        Of MCD43A4: the worst of the mandatory quality that counts, 0 or 1, from the files of
        ``BRDF_Albedo_Band_Mandatory_Quality_Band7``; None: any, and those files are not needed. MOD09 has bits in its
        quality, which are not read: mask it before, and say None.
    share : float
        As for `rasters.cell_means`.

    Returns
    -------
    xarray.Dataset
        ``swir_transform`` (time, y, x). Stored values that are not 1 to 10000 (fill, cloud) are missing.
    """
    if product not in BANDS:
        raise ValueError(f"no product {product!r}; there are {', '.join(BANDS)}")
    band, (low, high), flags = BANDS[product]
    if quality is not None and product != "MCD43A4":
        raise ValueError("quality: only that of MCD43A4 is understood; None reads any")
    days = by_day(files, band, f"{product}'s band 7")
    if quality is not None:
        worst = by_day(files, flags, "its quality (quality=None does without)")
        for day, held in days.items():
            if len(worst.get(day, [])) != len(held):
                raise DataError(f"has no file of quality, {flags}, of its day", file=held[0])
        days = {day: list(zip(held, worst[day], strict=True)) for day, held in days.items()}
    else:
        days = {day: [(file,) for file in held] for day, held in days.items()}
    for tiles in days.values():
        for tile in tiles:
            header(tile)

    def pixels(arrays, strip):
        stored = arrays[0]
        ok = (stored >= low) & (stored <= high)
        if quality is not None:
            ok &= arrays[1] <= quality
        r = np.where(ok, stored * SCALE, np.nan)
        return [(1 - r) ** 2 / (2 * r)]

    maps = [lazy(lambda tiles=tiles: cell_means(tiles, grid, pixels, share=share, scaled=False), 1, grid)
            for tiles in days.values()]
    return grid.dataset({"swir_transform": (("time", "y", "x"), dask.array.concatenate(maps))},
                        {"time": days_index(days)})


def read_land_cover(files, grid):
    """Land cover (y, x), lazily: the IGBP class, 1 to 17, that most pixels of a cell have (the lowest of several).

    Parameters
    ----------
    files : list of path, or a folder
        GeoTIFFs of MCD12Q1's ``LC_Type1``, one year, one or several tiles.
    grid : `ease.EaseGrid`

    Returns
    -------
    xarray.Dataset
        ``land_cover``, NaN where no pixel has a class (255 is unclassified).
    """
    days = by_day(files, "LC_Type1", "MCD12Q1's LC_Type1")
    if len(days) > 1:
        raise DataError(f"holds {len(days)} years of land cover: choose one", file=next(iter(days.values()))[0])
    tiles = [(file,) for held in days.values() for file in held]
    for tile in tiles:
        header(tile)

    def work():
        def pixels(arrays, strip):
            known = (arrays[0] >= 1) & (arrays[0] <= 17)
            return (np.where(known, arrays[0] == k, np.nan) for k in range(1, 18))

        shares = cell_means(tiles, grid, pixels, count=17)
        return np.where(np.isnan(shares[0]), np.nan, 1.0 + shares.argmax(0))[None].astype(np.float32)

    return grid.dataset({"land_cover": (("y", "x"), lazy(work, 1, grid)[0])})
