"""Measure what a gap in a day does to its daily value: the table in book/foundations/data.md.

    python scripts/measure_daily_rule.py FOLDER

FOLDER holds the packages that scripts/make_stations.py names. From each complete day of the three half-hourly sites a
gap of k contiguous half hours is cut, at every position in turn; the daily value of what is left is compared with that
of the whole day. Printed is the root mean square error in percent of the standard deviation of the daily values, for
each site and the largest of them, as a Markdown table. Then: the days that each number of half hours would keep, and
what it costs to compute relative humidity from daily means in place of half hours.
"""

import sys

import numpy as np
import pandas as pd
from make_stations import read_table

from smlib.data.catalog import read_catalog
from smlib.data.daily import HALF_HOURS, day_of, gap_error
from smlib.data.readers.fluxnet import humidity

HALF_HOUR = pd.Timedelta("30min")
GAPS = (1, 2, 4, 6, 8, 10)
STAMPS = {"US-CRT": ("TIMESTAMP_START", "start"), "FR-Hes": ("TIMESTAMP_END", "end"),
          "CH-DAV": ("TIMESTAMP_MIDDLE", "middle")}
COLUMNS = {
    "soil_moisture": ("SWC", "SWC_1_1_1", "SWC_FF0_0.15_1"),
    "soil_temperature": ("TS_1_1_1", "TS_1_1_1", None),
    "air_temperature": ("TA", "TA_1_1_1", "Tair_orig"),
    "relative_humidity": ("RH", "RH_1_1_1", "RH"),
    "longwave_down": ("LW_IN", "LW_IN_1_1_1", "LW_IN"),
    "wind_speed": ("WS", "WS_1_1_1", None),
    "shortwave_down": ("SW_IN", "SW_IN_1_1_1", "Rg_orig"),
    "precipitation": ("P", "P_1_1_1", "PREC_TOT_T1_25+20_1"),
}


def load(folder):
    """The half-hourly tables by site, on their time stamps."""
    tables = {}
    for site, (key, _) in STAMPS.items():
        table = read_table(folder, read_catalog()[site]["made_from"])
        stamps = table[key]
        if not pd.api.types.is_datetime64_any_dtype(stamps):
            stamps = pd.to_datetime(stamps.astype(str), format="%Y%m%d%H%M")
        tables[site] = table.set_index(pd.DatetimeIndex(stamps))
    return tables


def main(folder):
    """Print the three tables."""
    tables = load(folder)
    print("| variable | " + " | ".join(f"{k} missing" for k in GAPS) + " | needed |")
    print("|---" * (len(GAPS) + 2) + "|")
    for name, columns in COLUMNS.items():
        series = {site: tables[site][c] for site, c in zip(STAMPS, columns, strict=True) if c}
        cells = []
        for gap in GAPS:
            errors = [100 * gap_error(s, gap, HALF_HOUR, STAMPS[site][1], total=name == "precipitation")["rmse"]
                      for site, s in series.items()]
            cells.append(f"{max(errors):.1f} ({', '.join(f'{e:.1f}' for e in errors)})")
        print(f"| `{name}` | " + " | ".join(cells) + f" | {HALF_HOURS[name]} of 48 |")
    print("\nDays kept with at least 48, 47, 44, 42, 40, 38, 24 half hours:")
    for name, columns in COLUMNS.items():
        for site, column in zip(STAMPS, columns, strict=True):
            if column:
                count = tables[site][column].groupby(day_of(tables[site].index, HALF_HOUR, STAMPS[site][1])).count()
                print(f"  {name} {site}: {[int((count >= n).sum()) for n in (48, 47, 44, 42, 40, 38, 24)]}")
    table = tables["CH-DAV"]
    both = table[["VPD_orig", "Tair_orig"]].dropna()
    days = day_of(both.index, HALF_HOUR, "middle")
    fine = humidity(both["VPD_orig"], both["Tair_orig"]).groupby(days).mean()
    means = both.groupby(days).mean()
    off = humidity(means["VPD_orig"], means["Tair_orig"]) - fine
    print(f"\nRelative humidity from daily means less that from half hours, CH-DAV: mean {off.mean():.2f}, "
          f"RMS {np.sqrt((off**2).mean()):.2f} percent")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
