"""What the pages show that no table holds: maps of a day, three stations, the words beside them."""

import numpy as np
import pandas as pd

from smlib.conus.scenarios import LAYERS, STATE
from smlib.conus.stations import share_below

MAP_LEADS = (1, 7, 30)


def map_panels(study, forecasts, day, leads=MAP_LEADS):
    """Forecast maps of one issue day and what came: ("7 d" -> map, reference -> "7 d" -> map).

    `forecasts` is (time, lead, y, x) of a layer with its number in the attribute ``layer``; `day` the number of the
    issue day among its times.
    """
    layer = forecasts.attrs["layer"]
    issue = forecasts["time"].values[day]
    targets = {lead: issue + np.timedelta64(lead, "D") for lead in leads}
    made = {f"{lead} d": forecasts.isel(time=day).sel(lead=lead) for lead in leads}
    came = {"NLDAS-2": study.cube[STATE]} | ({"truth": study.truth} if study.truth is not None else {})
    return made, {name: {f"{lead} d": field.isel(layer=layer - 1).sel(time=target).where(study.land).compute()
                         for lead, target in targets.items()} for name, field in came.items()}


def three_stations(scores, metric="r"):
    """The stations at the lower quartile, the median and the upper quartile of a score: mapping of site -> words."""
    ranked = scores[metric].dropna().sort_values()
    at = [int(round(q * (len(ranked) - 1))) for q in (0.25, 0.5, 0.75)]
    words = ("lower quartile", "median", "upper quartile")
    return {ranked.index[k]: f"{word} of {metric}, {ranked.iloc[k]:.2f}" for k, word in
            zip(at, words, strict=True)}


def below_table(scores_by_name, threshold=0.04):
    """Share of stations whose ubRMSE is below a threshold: DataFrame name, share, stations."""
    rows = [{"forecast": name, "share": share_below(one, threshold),
             "stations": int(one["ubrmse"].notna().sum())} for name, one in scores_by_name.items()]
    return pd.DataFrame(rows)


def representativeness(scores, truth_scores):
    """Medians over stations against what they report, and against the truth where they stand: DataFrame by name."""
    rows = [{"forecast": name, "against": against} | one[["r", "rmse", "bias", "ubrmse"]].median().to_dict()
            for against, found in (("report", scores), ("truth at station", truth_scores))
            for name, one in found.items()]
    return pd.DataFrame(rows)


def day_of(forecasts, date=""):
    """Number of a date among the issue days of forecasts; the middle one if none is given."""
    days = forecasts["time"].values.astype("M8[D]")
    if not date:
        return len(days) // 2
    if np.datetime64(date, "D") not in days:
        raise ValueError(f"no forecast is issued on {date}; issue days are {days[0]} to {days[-1]}")
    return int(np.searchsorted(days, np.datetime64(date, "D")))


def smoothness(study, forecasts):
    """How much maps vary, and how much of them is the mean map: DataFrame layer, lead_d, spread, of_nldas, with_mean.

    spread is the mean over issue days of the standard deviation over cells, m3 m-3; of_nldas that of NLDAS-2 on the
    same target days; with_mean the mean correlation of a forecast's map with the mean map of NLDAS-2's training days.
    """
    rows, land = [], study.land
    for layer, made in forecasts.items():
        field = study.cube[STATE].isel(layer=layer - 1)
        usual = field[study.periods["train"]].mean("time").values[land]
        for lead in made["lead"].values:
            maps = made.sel(lead=lead).values[:, land]
            came = field.sel(time=made["time"] + np.timedelta64(int(lead), "D")).values[:, land]
            both = np.isfinite(maps).all(0) & np.isfinite(usual)
            alike = [np.corrcoef(one[both], usual[both])[0, 1] for one in maps]
            rows.append({"layer": LAYERS[layer - 1], "lead_d": int(lead), "spread": float(np.nanstd(maps, 1).mean()),
                         "of_nldas": float(np.nanstd(came, 1).mean()), "with_mean": float(np.mean(alike))})
    return pd.DataFrame(rows)


def long(scores):
    """Scores by layer and name as one table: DataFrame layer, forecast, site and the scores."""
    return pd.concat([one.rename_axis("site").reset_index().assign(layer=LAYERS[layer - 1], forecast=name)
                      for layer, by_name in scores.items() for name, one in by_name.items()], ignore_index=True)


def all_leads(at_stations):
    """Scores by layer, name and lead as one table: as of `long`, and lead_d.

    `at_stations` is a mapping of layer -> DataFrame of `smlib.conus.skill.station_table`.
    """
    parts = [one.rename(columns={"method": "forecast"}).assign(layer=LAYERS[layer - 1])
             for layer, one in at_stations.items()]
    return pd.concat(parts, ignore_index=True)


def layer_name(layer):
    """Such as "0-10 cm" of 1."""
    return LAYERS[layer - 1]
