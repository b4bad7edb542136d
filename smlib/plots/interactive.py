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

from smlib.plots.conus_maps import BOX, _lines, known
from smlib.plots.conus_stations import LABELS
from smlib.plots.style import METRICS, MOISTURE, SIGNED_WET, WET, daily, level_looks, level_names, looks, once

RAIN = "precipitation (mm d⁻¹)"
TOOLS = "pan,xwheel_zoom,box_zoom,reset,save"
MOST_CELLS = 240_000  # of all maps of a figure together; about 1 MB of text where neighbours differ
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
    days = moisture.index[some]
    panels = {label: frame.loc[days[0]:days[-1]] for label, frame in panels.items()} if len(days) else panels
    return _lines_by_day(panels, styles, f"{site}, {ds.attrs.get('kind', '')}".rstrip(", "))


def forecast_series(forecasts, observed, precipitation=None, title=""):
    """Forecasts beside what was observed; arguments as of `smlib.plots.forecast_series`."""
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
    """Metrics over the cells of each day; arguments as of `smlib.plots.daily_metrics`.

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
    labels = {MOISTURE: "#000000", "vegetation cover FVC (1)": "#117733", RAIN: "#0072B2",
              "surface temperature LST (°C)": "#D55E00", "evapotranspiration ET (mm d⁻¹)": "#882255"}
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
        Degrees north and east. Where they are not evenly spaced the axes count columns and rows.
    label : str
        Quantity and unit.
    title : str
    country : bool
        Whether to draw the coast and states of the United States.

    Returns
    -------
    bokeh.models.UIElement
        Of more than `MOST_CELLS` cells in all, every second (third, ...) row and column; the title says so.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    stacked = np.stack([np.asarray(field, np.float32) for field in fields.values()])
    step = int(np.ceil(np.sqrt(stacked.size / MOST_CELLS)))
    stacked = stacked[:, ::step, ::step]
    lat, lon = (axis[::step, ::step] if axis.ndim == 2 else axis[::step] for axis in (lat, lon))
    if lat.ndim == 1 and lat[0] > lat[-1]:
        lat, stacked = lat[::-1], stacked[:, ::-1]
    even = all(axis.ndim == 1 and len(axis) > 1 and np.allclose(np.diff(axis), np.diff(axis)[0], rtol=1e-2)
               for axis in (lat, lon))
    x, y = (lon, lat) if even else (np.arange(stacked.shape[2]), np.arange(stacked.shape[1]))
    lat, lon = np.meshgrid(lat, lon, indexing="ij") if lat.ndim == 1 else (lat, lon)
    names = [f"field {k}" for k in range(len(fields))]
    source = models.ColumnDataSource({name: [one] for name, one in zip(names, stacked, strict=True)} | {
        "lat": [lat.astype(np.float32)], "lon": [lon.astype(np.float32)]})
    colours = _colours(stacked, WET)
    squeeze = np.cos(np.radians(lat.mean()))
    wide, tall = (np.ptp(lon) * squeeze, np.ptp(lat)) if even else stacked.shape[:0:-1]
    sides = {"x_range": _range(x), "y_range": _range(y)}
    if step > 1:
        title = f"{title} (every {_ordinal(step)} row and column)"
    tips = [("place", "@lat{0.00}° N, @lon{0.00}° E"),
            *((said, f"@{{{name}}}{{0.000}}{_unit(label)}") for said, name in zip(fields, names, strict=True))]
    across, up = ("longitude (°)", "latitude (°)") if even else ("column of the grid", "row of the grid")
    tabs = []
    for said, name in zip(fields, names, strict=True):
        fig = _figure(f"{title}: {said}" if title else said, x_axis_label=across, y_axis_label=up, **sides,
                      aspect_ratio=float(np.clip(wide / tall, 0.7, 2.2)), min_height=300)
        shown = fig.image(name, x=sides["x_range"].start, y=sides["y_range"].start, source=source,
                          dw=sides["x_range"].end - sides["x_range"].start,
                          dh=sides["y_range"].end - sides["y_range"].start, color_mapper=colours)
        fig.add_tools(models.HoverTool(renderers=[shown], tooltips=tips))
        fig.add_layout(models.ColorBar(color_mapper=colours, title=label, height=12), "below")
        tabs.append(models.TabPanel(child=fig, title=said))
    if country:
        _outlines([tab.child for tab in tabs])
    return models.Tabs(tabs=tabs, sizing_mode="stretch_width")


def score_map(scores, stations, metric="r", kind="simulated", title=""):
    """Where a score is high, station by station; arguments as of `smlib.plots.conus_stations.score_map`.

    Returns
    -------
    bokeh.models.UIElement
        A map behind a tab for each of `scores`; under the pointer the station, its network and its number.
    """
    known(kind)
    many = scores if isinstance(scores, dict) else {LABELS[metric]: scores}
    every = np.concatenate([one[metric].to_numpy(float) for one in many.values()])
    colours = _colours(every, {"bias": SIGNED_WET, "r": "viridis"}.get(metric, "viridis_r"))
    places = stations[["lat", "lon"]].to_dataframe()[["lat", "lon"]]
    sides = {"x_range": models.Range1d(*BOX[:2]), "y_range": models.Range1d(*BOX[2:])}
    tabs = []
    for name, one in many.items():
        values = one[metric].dropna()
        at = places.loc[values.index]
        source = models.ColumnDataSource({
            "site": list(map(str, values.index)), "lat": at["lat"].to_numpy(np.float32),
            "lon": at["lon"].to_numpy(np.float32), "score": values.to_numpy(np.float32),
            "network": list(map(str, stations["network"].sel(site=values.index).values))})
        fig = _figure(f"{title}: {name} ({kind})" if title else f"{name} ({kind})", x_axis_label="longitude (°)",
                      y_axis_label="latitude (°)", aspect_ratio=1.8, min_height=300, **sides)
        shown = fig.scatter("lon", "lat", source=source, size=9, line_color="black", line_width=0.5,
                            fill_color={"field": "score", "transform": colours}, level="overlay")
        fig.add_tools(models.HoverTool(renderers=[shown], tooltips=[
            ("station", "@site (@network)"), ("place", "@lat{0.00}° N, @lon{0.00}° E"),
            (LABELS[metric], "@score{0.000}")]))
        fig.add_layout(models.ColorBar(color_mapper=colours, title=LABELS[metric], height=12), "below")
        tabs.append(models.TabPanel(child=fig, title=name))
    _outlines([tab.child for tab in tabs])
    return models.Tabs(tabs=tabs, sizing_mode="stretch_width")


def _figure(title, **kwargs):
    fig = figure(title=title, tools=TOOLS.replace("xwheel", "wheel") if "aspect_ratio" in kwargs else TOOLS,
                 active_drag="pan", sizing_mode="stretch_width", toolbar_location="above", **kwargs)
    fig.toolbar.logo = None
    fig.toolbar.autohide = False
    fig.title.text_font_size = "13px"
    for axis in fig.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px"
    return fig


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
                      y_axis_label=label, height=170 if rain else 320 if len(panels) < 3 else 220)
        names = {f"line {k}": name for k, name in enumerate(frame)}
        source = models.ColumnDataSource({"time": frame.index.to_numpy()} | dict(
            zip(names, frame.to_numpy().T, strict=True)))
        draw = _bars if rain else _lines_of
        drawn = draw(fig, source, frame, names, styles)
        fig.add_tools(models.HoverTool(
            renderers=drawn[:1], mode="vline", formatters={"@time": "datetime"}, line_policy="none",
            tooltips=[("day", "@time{%F}"), *((said, f"@{{{key}}}{{0.000}}{_unit(label)}")
                                              for key, said in names.items())]))
        if len(names) > 1 or not rain:
            entries = [models.LegendItem(label=said, renderers=[one])
                       for said, one in zip(names.values(), drawn, strict=True)]
            fig.add_layout(models.Legend(items=entries, click_policy="hide", ncols=2 if len(names) > 1 else 1,
                                         label_text_font_size="12px", border_line_color=None, margin=0), "below")
        figures.append(fig)
    figures[-1].xaxis.axis_label = "day"
    return column(figures, sizing_mode="stretch_width")


def _lines_of(fig, source, frame, names, styles):
    """A line a column; a day alone between two gaps, which a line cannot show, is a dot."""
    drawn = []
    for key, said in names.items():
        look = styles[said]
        dash = look["linestyle"]
        drawn.append(fig.line("time", key, source=source, line_width=1.5 * look.get("linewidth", 1.0),
                              line_color=matplotlib.colors.to_hex(look["color"]),
                              line_dash=DASHES[dash] if isinstance(dash, str) else [2 * int(d) for d in dash[1]]))
        known_day = np.concatenate([[False], frame[said].notna(), [False]])
        alone = known_day[1:-1] & ~known_day[:-2] & ~known_day[2:]
        if alone.any():
            fig.scatter(frame.index[alone].to_numpy(), frame[said].to_numpy()[alone], size=4,
                        color=matplotlib.colors.to_hex(look["color"]))
    return drawn


def _bars(fig, source, frame, names, styles):
    (key,) = names
    values = frame.to_numpy()[:, 0]
    fig.y_range = models.Range1d(0, float(max(1.0, 1.08 * np.nanmax(values))) if np.isfinite(values).any() else 1.0)
    missing = np.flatnonzero(np.diff(np.concatenate([[0], np.isnan(values), [0]])))
    half, day = np.timedelta64(12, "h"), np.timedelta64(1, "D")
    days = frame.index.to_numpy()
    fig.quad(left=days[missing[::2]] - half, right=days[missing[1::2] - 1] + day - half, bottom=0, top=fig.y_range.end,
             color="#dddddd", hatch_pattern="/", hatch_color="#aaaaaa", level="underlay")
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


def _range(axis):
    """From the outer edge of the first cell to that of the last."""
    half = (axis[1] - axis[0]) / 2 if len(axis) > 1 else 0.5
    return models.Range1d(float(axis[0] - half), float(axis[-1] + half))


def _outlines(figures):
    """Coast, lakes and states on maps of the United States, which share them."""
    for lines, look in _lines():
        apart = np.vstack([part for line in lines for part in (line, [[np.nan, np.nan]])]).astype(np.float32)
        source = models.ColumnDataSource({"lon": apart[:, 0], "lat": apart[:, 1]})
        for fig in figures:
            fig.line("lon", "lat", source=source, color=matplotlib.colors.to_hex(look["color"]), line_width=1)


def _unit(label):
    """The unit at the end of a label, behind a space: "soil moisture (m³ m⁻³)" -> " m³ m⁻³"; none of (1)."""
    unit = label[label.rfind("(") + 1:-1] if label.endswith(")") else ""
    return f" {unit}" if unit not in ("", "1") else ""


def _ordinal(number):
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")
