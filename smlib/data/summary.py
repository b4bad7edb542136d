"""What a station dataset holds, as tables for a page."""

import numpy as np
import pandas as pd

from smlib.data.schema import DRIVERS, VARIABLES


def sites_table(ds):
    """One row a site: where it is, its network, and the first and last day with soil moisture at any level."""
    rows = []
    for site in ds["site"].values:
        here = ds.sel(site=site)
        days = here["time"].values[here["soil_moisture"].notnull().any("depth").values]
        rows.append({"site": str(site), "lat": float(here["lat"]), "lon": float(here["lon"])}
                    | {key: str(here[key].values) for key in ("network", "land_cover") if key in here.coords}
                    | {"first": str(days[0])[:10], "last": str(days[-1])[:10], "days": len(days)})
    return pd.DataFrame(rows)


def variables_table(ds):
    """One row a site, level and variable: days measured, days missing in between, mean, standard deviation, range.

    Units are those of the schema. A driver that a site lacks has a row with 0 days.
    """
    rows = []
    for site in ds["site"].values:
        for name in ("soil_moisture", *DRIVERS):
            levels = ds["depth"].values if VARIABLES[name].soil and name in ds else [None]
            held = [_row(ds, str(site), name, level) for level in levels]
            rows += [row for row in held if row["days"]] or [held[0] | {"level": None, "depth_m": np.nan}]
    return pd.DataFrame(rows)


def _row(ds, site, name, level):
    row = {"site": site, "variable": name, "level": level, "depth_m": np.nan, "units": VARIABLES[name].units, "days": 0}
    if name not in ds:
        return row
    series = ds[name].sel(site=site)
    if level is not None:
        row["depth_m"] = float(ds["depth_m"].sel(site=site, depth=level))
        series = series.sel(depth=level)
    values = series.to_series().dropna()
    if values.empty:
        return row
    span = (values.index[-1] - values.index[0]).days + 1
    return row | {"days": len(values), "missing_within": span - len(values),
                  **values.agg(["mean", "std", "min", "max"])}


def notes_table(ds):
    """What the readers noted of each variable: its columns, whether values were filled, how it was made."""
    skip = {"units", "standard_name", "long_name", "_FillValue"}
    rows = [{"variable": name, "note": key, "text": str(text)} for name, da in ds.data_vars.items()
            for key, text in da.attrs.items() if key not in skip]
    return pd.DataFrame(rows, columns=["variable", "note", "text"])
