"""Figures to explore in a browser (bokeh): pan, zoom, values under the pointer, lines switched off in the legend.

Each takes what its static counterpart takes and belongs below it, through `run.interactive`: the static figure is what
a reader without scripts, a printer and a search engine see. Values are drawn in single precision; NaN stays a gap.
"""

import matplotlib
import numpy as np
import pandas as pd
from bokeh import models
from bokeh.layouts import column
from bokeh.plotting import figure
from matplotlib.ticker import MaxNLocator

from smlib.plots.conus_maps import BOX, _lines, known
from smlib.plots.conus_stations import LABELS
from smlib.plots.style import METRICS, MOISTURE, SIGNED_WET, WET, daily, level_looks, level_names, looks, once

RAIN = "precipitation (mm d⁻¹)"
TOOLS = "pan,wheel_zoom,box_zoom,reset,save"  # the wheel zooms only when chosen, or the page would not scroll
MOST_CELLS = 200_000  # of all maps of a figure together; about 1 MB of text where neighbours differ
DASHES = {"-": "solid", "--": "dashed", ":": "dotted"}


def site_series(ds, site):
    """Precipitation and soil moisture by depth at a site, day by day; arguments as of `smlib.plots.series`.

    The first day drawn is the first with a value of either, the last the last.
    """
    one = ds.sel(site=site)
    names, styles = level_names(ds, site), level_looks(ds, [site])
    moisture = one["soil_moisture"].transpose("time", "depth").to_pandas().set_axis(names, axis=1)
    panels = {MOISTURE: moisture.dropna(axis=1, how="all")}
    if "precipitation" in one:
        panels = {RAIN: one["precipitation"].to_pandas().to_frame("precipitation")} | panels
    some = np.logical_or.reduce([frame.notna().any(axis=1) for frame in panels.values()])
    if some.any():
        days = slice(*moisture.index[np.flatnonzero(some)[[0, -1]]])
        panels = {label: frame.loc[days] for label, frame in panels.items()}
    return _lines_by_day(panels, styles, f"{site}, {ds.attrs.get('kind', '')}".rstrip(", "))


def forecast_series(forecasts, observed, precipitation=None, title=""):
    """Forecasts beside what was `observed`, with `precipitation` above, under a `title`.

    `forecasts` and the others are those of `smlib.plots.forecast_series`.
    """
    if not isinstance(forecasts, pd.DataFrame):
        forecasts = forecasts.rename("forecast").to_dataframe().reset_index()
    once(forecasts, ["model", "time"], "select one site, level and lead")
    wide = forecasts.pivot(index="time", columns="model", values="forecast")
    styles = {"observed": {"color": "black", "linestyle": "-", "linewidth": 2}} | looks(wide.columns)
    frame = pd.concat([observed.to_pandas().rename("observed"), wide[[n for n in styles if n in wide]]], axis=1)
    panels = {MOISTURE: frame.sort_index()}
    if precipitation is not None:
        panels = {RAIN: precipitation.to_pandas().to_frame("precipitation")} | panels
    return _lines_by_day(panels, styles, title)


def daily_metrics(table, metrics=("RMSE", "bias", "R2", "r"), title=""):
    """These `metrics` over the cells of each day, from the `table` of `smlib.plots.daily_metrics`, under a `title`.

    The axis of R2 goes down to the lowest value; zoom in to see the days near 1.
    """
    once(table, ["model", "time", "metric"], "select one experiment")
    styles = looks(table["model"])
    panels = {METRICS.get(metric, metric): table[table["metric"] == metric].pivot(
        index="time", columns="model", values="value")[list(styles)] for metric in metrics}
    return _lines_by_day(panels, styles, title)


def network_series(points, title=""):
    """In-situ moisture and the four auxiliaries of one network: the median over its stations of each day.

    Parameters
    ----------
    points : smlib.correction.data.Points
        As of `smlib.plots.auxiliary_series`, which smooths precipitation; here it is each day's.
    title : str
    """
    labels = {MOISTURE: "#000000", "FVC (1)": "#117733", RAIN: "#0072B2",
              "LST (°C)": "#D55E00", "ET (mm d⁻¹)": "#882255"}
    panels, styles = {}, {}
    for (label, colour), values in zip(labels.items(), [points.in_situ, *np.moveaxis(points.auxiliaries, -1, 0)],
                                       strict=True):
        name = "precipitation" if label == RAIN else f"median {label.split(' (')[0]}"
        panels[label] = pd.DataFrame(values.T, index=pd.DatetimeIndex(points.time)).median(axis=1).to_frame(name)
        styles[name] = {"color": colour, "linestyle": "-"}
    return _lines_by_day(panels, styles, title)


def maps(fields, lat, lon, label=MOISTURE, title="", country=False):
    """Maps of one quantity on one grid, one at a time behind tabs, with the values of all of them under the pointer.

    Parameters
    ----------
    fields : mapping of name -> array (y, x)
        NaN is not drawn. All share one scale of colours, which ends at percentiles 1 and 99.
    lat, lon : array (y,) and (x,), or (y, x) of both
        Degrees north and east. Of (y, x) the axes count columns and rows, and the pointer tells the place.
    label : str
        Quantity and unit.
    title : str
    country : bool
        Whether to draw the coast and states of the United States, for which `lat` and `lon` must be (y,) and (x,).

    Returns
    -------
    bokeh.models.UIElement
        Of more than `MOST_CELLS` cells in all, one cell of 2 by 2, 3 by 3 and so on; the title says so.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    stacked = np.stack([np.asarray(field, np.float32) for field in fields.values()])
    step = int(np.ceil(np.sqrt(stacked.size / MOST_CELLS)))
    stacked = stacked[:, ::step, ::step]
    lat, lon = (axis[::step, ::step] if axis.ndim == 2 else axis[::step] for axis in (lat, lon))
    if lat.ndim == 1:  # from the south-west corner
        up, across = (slice(None, None, -1 if axis[0] > axis[-1] else 1) for axis in (lat, lon))
        lat, lon, stacked = lat[up], lon[across], stacked[:, up, across]
    if step > 1:
        title = f"{title} (one cell of {step} by {step})"
    every_lat, every_lon = np.meshgrid(lat, lon, indexing="ij") if lat.ndim == 1 else (lat, lon)
    names = [f"field {k}" for k in range(len(fields))]
    source = models.ColumnDataSource({name: [one] for name, one in zip(names, stacked, strict=True)} | {
        "lat": [every_lat.astype(np.float32)], "lon": [every_lon.astype(np.float32)]})
    tips = [("place", "@lat{0.00}° N, @lon{0.00}° E"),
            *((said, f"@{{{name}}}{{0.000}}{_unit(label)}") for said, name in zip(fields, names, strict=True))]
    colours = _colours(stacked, WET)
    # An image has evenly spaced cells; where degrees are not, as in an equal-area grid, the labels follow.
    x, y = (np.linspace(axis[0], axis[-1], n) if axis.ndim == 1 else np.arange(n)
            for axis, n in zip((lon, lat), stacked.shape[:0:-1], strict=True))
    figures = {}
    for said, name in zip(fields, names, strict=True):
        fig = figures[said] = _map(f"{title}: {said}" if title else said, figures, every_lat if lat.ndim == 1 else None)
        (left, wide), (low, tall) = _extent(x), _extent(y)
        shown = fig.image(name, x=left, dw=wide, y=low, dh=tall, source=source, color_mapper=colours)
        fig.add_tools(models.HoverTool(renderers=[shown], tooltips=tips, attachment="vertical"))
        if lat.ndim == 1:
            _degrees(fig.xaxis, lon, x)
            _degrees(fig.yaxis, lat, y)
    if country:
        _outlines(figures.values(), lambda values: np.interp(values, lon, x, np.nan, np.nan),
                  lambda values: np.interp(values, lat, y, np.nan, np.nan))
    return _tabs(figures, colours, label)


def score_map(scores, stations, metric="r", kind="simulated", title=""):
    """Where a score is high, station by station; arguments as of `smlib.plots.conus_stations.score_map`.

    A map behind a tab for each of `scores`; under the pointer the station, its network and its number.
    """
    known(kind)
    many = scores if isinstance(scores, dict) else {LABELS[metric]: scores}
    every = np.concatenate([one[metric].to_numpy(float) for one in many.values()])
    colours = _colours(every, {"bias": SIGNED_WET, "r": "viridis"}.get(metric, "viridis_r"))
    places = stations[["lat", "lon"]].to_dataframe()[["lat", "lon"]]
    figures = {}
    for name, one in many.items():
        values = one[metric].dropna()
        at = places.loc[values.index]
        source = models.ColumnDataSource({
            "site": list(map(str, values.index)), "lat": at["lat"].to_numpy(np.float32),
            "lon": at["lon"].to_numpy(np.float32), "score": values.to_numpy(np.float32),
            "network": list(map(str, stations["network"].sel(site=values.index).values))})
        fig = figures[name] = _map(f"{title}: {name} ({kind})" if title else f"{name} ({kind})", figures,
                                   np.array(BOX[2:]))
        shown = fig.scatter("lon", "lat", source=source, size=9, line_color="black", line_width=0.5,
                            fill_color={"field": "score", "transform": colours}, level="overlay")
        fig.add_tools(models.HoverTool(renderers=[shown], attachment="vertical", tooltips=[
            ("station", "@site (@network)"), ("place", "@lat{0.00}° N, @lon{0.00}° E"),
            (LABELS[metric], "@score{0.000}")]))
    _outlines(figures.values())
    return _tabs(figures, colours, LABELS[metric])


def _figure(title, **kwargs):
    fig = figure(title=title, tools=TOOLS, active_drag="pan", sizing_mode="stretch_width", toolbar_location="above",
                 **kwargs)
    fig.toolbar.logo = None
    fig.title.text_font_size = "13px"
    fig.axis.axis_label_text_font_style = "normal"
    fig.axis.axis_label_text_font_size = fig.axis.major_label_text_font_size = "12px"
    for axis in fig.axis:
        axis.ticker.desired_num_ticks = 5
    return fig


def _map(title, others, lat):
    """A map that moves with those before it, true to scale at its middle; of `lat` None, one of columns and rows."""
    ranges = next(({"x_range": fig.x_range, "y_range": fig.y_range} for fig in others.values()),
                  {name: models.DataRange1d(range_padding=0.02) for name in ("x_range", "y_range")})
    across, up = ("column of the grid", "row of the grid") if lat is None else ("longitude (°)", "latitude (°)")
    return _figure(title, height=460, match_aspect=True, x_axis_label=across, y_axis_label=up, **ranges,
                   aspect_scale=1.0 if lat is None else float(np.cos(np.radians(np.mean(lat)))))


def _tabs(figures, colours, label):
    look = {"color_mapper": colours, "title": label, "height": 12, "title_text_font_style": "normal"}
    for fig in figures.values():
        fig.add_layout(models.ColorBar(**look), "below")
    return models.Tabs(tabs=[models.TabPanel(child=fig, title=name) for name, fig in figures.items()],
                       sizing_mode="stretch_width", stylesheets=[".bk-headers-wrapper { flex-wrap: wrap; }"])


def _lines_by_day(panels, styles, title):
    """Panels one above the other with one time axis: label of the axis with its unit -> frame (day, line).

    Rain hangs from no top here: bars from 0, and grey where it is missing, for a day without a value is not dry.
    """
    start, end = (np.datetime64(pick(frame.index[at] for frame in panels.values()), "D")
                  for pick, at in ((min, 0), (max, -1)))
    time = models.Range1d(start, end + np.timedelta64(1, "D"))
    figures = []
    for number, (label, frame) in enumerate(panels.items()):
        frame = daily(frame.rename(columns=str)).astype(np.float32)
        rain = label == RAIN
        fig = _figure(title if number == 0 else "", x_axis_type="datetime", x_range=time, min_border_left=75,
                      y_axis_label=label, height=190 if rain else 320 if len(panels) < 3 else 220)
        names = {f"line {k}": name for k, name in enumerate(frame)}
        source = models.ColumnDataSource({"time": frame.index.to_numpy()} | dict(
            zip(names, frame.to_numpy().T, strict=True)))
        drawn = (_bars if rain else _lines_of)(fig, source, frame, names, styles)
        fig.add_tools(models.HoverTool(
            renderers=drawn[:1], mode="vline", formatters={"@time": "datetime"}, line_policy="none",
            tooltips=[("day", "@time{%F}"), *((said, f"@{{{key}}}{{0.000}}{_unit(label)}")
                                              for key, said in names.items())]))
        if not rain:
            entries = [models.LegendItem(label=said, renderers=[one])
                       for said, one in zip(names.values(), drawn, strict=True)]
            fig.add_layout(models.Legend(items=entries, click_policy="hide", ncols=min(2, len(entries)),
                                         label_text_font_size="12px", border_line_color=None, margin=0), "below")
        figures.append(fig)
    figures[-1].xaxis.axis_label = "day"
    return column(figures, sizing_mode="stretch_width")


def _lines_of(fig, source, frame, names, styles):
    """A line a column; a day alone between two gaps, which a line cannot show, is a dot."""
    drawn = []
    for key, said in names.items():
        look = styles[said]
        dash, colour = look["linestyle"], matplotlib.colors.to_hex(look["color"])
        drawn.append(fig.line("time", key, source=source, line_width=1.5 * look.get("linewidth", 1.0), color=colour,
                              line_dash=DASHES[dash] if isinstance(dash, str) else [2 * int(d) for d in dash[1]]))
        known_day = np.concatenate([[False], frame[said].notna(), [False]])
        alone = known_day[1:-1] & ~known_day[:-2] & ~known_day[2:]
        if alone.any():
            fig.scatter(frame.index[alone].to_numpy(), frame[said].to_numpy()[alone], size=4, color=colour)
    return drawn


def _bars(fig, source, frame, names, styles):
    (key,), values = names, frame.to_numpy()[:, 0]
    fig.y_range = models.Range1d(0, float(max(1.0, 1.08 * np.nanmax(values))) if np.isfinite(values).any() else 1.0)
    missing = np.flatnonzero(np.diff(np.concatenate([[0], np.isnan(values), [0]])))
    half, days = np.timedelta64(12, "h"), frame.index.to_numpy()
    fig.quad(days[missing[::2]] - half, days[missing[1::2] - 1] + half, fig.y_range.end, 0, color="#dddddd",
             hatch_pattern="/", hatch_color="#aaaaaa", level="underlay")
    return [fig.vbar("time", width=86_400_000, top=key, source=source, color="#3B6FA0", line_width=1)]


def _colours(values, cmap):
    """A scale of colours that ends at percentiles 1 and 99, or evenly about 0 where the colours have two signs."""
    finite = values[np.isfinite(values)]
    low, high = map(float, np.percentile(finite, [1, 99])) if len(finite) else (0.0, 1.0)
    if cmap is SIGNED_WET:
        low, high = -max(-low, high, 1e-3), max(-low, high, 1e-3)
    shades = matplotlib.colormaps.get_cmap(cmap)(np.linspace(0, 1, 128))
    palette = [matplotlib.colors.to_hex(shade) for shade in shades]
    return models.LinearColorMapper(palette=palette, low=low, high=max(high, low + 1e-6), nan_color="#00000000")


def _extent(places):
    """Outer edge of the first cell, and the width of all."""
    cell = places[1] - places[0] if len(places) > 1 else 1.0
    return float(places[0] - cell / 2), float(cell * len(places))


def _degrees(axis, degrees, places):
    """Label an axis in degrees that are not quite evenly spaced, as in an equal-area grid."""
    if not np.allclose(degrees, places, atol=0.01 * abs(places[-1] - places[0])):
        ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(degrees[0], degrees[-1])
        ticks = ticks[(ticks >= degrees[0]) & (ticks <= degrees[-1])]
        at = list(map(float, np.interp(ticks, degrees, places)))
        axis.ticker = models.FixedTicker(ticks=at)
        axis.major_label_overrides = {place: f"{tick:g}" for place, tick in zip(at, ticks, strict=True)}


def _outlines(figures, across=np.asarray, up=np.asarray):
    """Coast, lakes and states of the United States on maps that share them; degrees go through `across` and `up`."""
    for lines, look in _lines():
        apart = np.vstack([part for line in lines for part in (line, [[np.nan, np.nan]])])
        source = models.ColumnDataSource({"lon": across(apart[:, 0]).astype(np.float32),
                                          "lat": up(apart[:, 1]).astype(np.float32)})
        for fig in figures:
            fig.line("lon", "lat", source=source, color=matplotlib.colors.to_hex(look["color"]), line_width=1)


def _unit(label):
    """The unit at the end of a label, behind a space: "soil moisture (m³ m⁻³)" -> " m³ m⁻³"; none of (1)."""
    unit = label[label.rfind("(") + 1:-1] if label.endswith(")") else ""
    return f" {unit}" if unit not in ("", "1") else ""
