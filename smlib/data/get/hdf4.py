"""MODIS tiles as they come (HDF4-EOS, sinusoidal grid) to the GeoTIFFs that the readers take."""

import re

import numpy as np

from smlib.data.schema import DataError

BANDS = ("Nadir_Reflectance_Band7", "BRDF_Albedo_Band_Mandatory_Quality_Band7")  # of MCD43A4
SINUSOIDAL = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs"
TILE_M, WEST_M, NORTH_M = 1111950.5196666666, -20015109.354, 10007554.677  # a tile's side; the corner of h00v00


def to_geotiff(file, bands=BANDS):
    """Write each of `bands` of a tile ``MCD43A4.A2018001.h10v05....hdf`` beside it as GeoTIFF; the paths."""
    try:
        from pyhdf.error import HDF4Error
        from pyhdf.SD import SD
    except ImportError as error:  # there are no wheels for every platform
        raise DataError(f"needs pyhdf to be read, which is not installed here ({error}): conda-forge has it, or "
                        "convert the tiles to GeoTIFF", file=file) from error
    from rasterio.transform import from_origin

    place = re.search(r"\.(A\d{7})\.h(\d\d)v(\d\d)\.", file.name)
    if not place:
        raise DataError("is not named as MODIS tiles are, PRODUCT.AYYYYDDD.hHHvVV...", file=file)
    written = []
    try:
        tile = SD(str(file))
        for band in bands:
            held = tile.select(band)
            values, fill = np.asarray(held.get()), held.attributes().get("_FillValue")
            step = TILE_M / values.shape[0]
            corner = from_origin(WEST_M + int(place[2]) * TILE_M, NORTH_M - int(place[3]) * TILE_M, step, step)
            name = f"{file.name.partition('.')[0]}_{place[1]}_h{place[2]}v{place[3]}_{band}.tif"
            written.append(_write(file.with_name(name), values, fill, corner))
        tile.end()
    except HDF4Error as error:
        raise DataError(f"cannot be read as HDF4 ({error}): truncated, or another product?", file=file) from None
    return written


def _write(path, values, fill, transform):
    import rasterio

    with rasterio.open(path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1,
                       dtype=values.dtype, crs=SINUSOIDAL, transform=transform, nodata=fill) as tif:
        tif.write(values, 1)
    return path
