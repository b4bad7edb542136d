"""Figures of many kinds at the size of a real run: names as long, panels as many. Each text can be read."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from legible import assert_legible, small

from smlib import plots
from smlib.plots import audit, conus_stations, frontier, synthesis
from smlib.plots.field_series import number

STATION_MODELS = ("ridge", "RF", "ELM", "SVR", "HistGB", "LSTM", "1D-CNN", "Transformer", "CNN-LSTM", "LSTM-CNN",
                  "CNN-with-LSTM", "FA-LSTM", "GAN-LSTM")
FIELD_MODELS = ("persistence", "climatology", "CNN", "LSTM", "ConvLSTM", "ConvLSTM-SE", "damped anomaly")
PLACES = {"CTP-SMTMN": (31, 32, 91.5, 93), "HOBE": (55.5, 56.5, 8.5, 9.5), "OZNET": (-35.5, -34, 145, 147),
          "SNOTEL": (39, 40.5, -107, -105)}
PRODUCTS = {"ASCAT": 0.1, "ESA-CCI": 0.25, "SMAP": 0.1}
DAYS = pd.date_range("2020-01-01", periods=366)


def draws(*shape):
    return np.random.default_rng(0).random(shape)


def fronts():
    """Seven tasks: models whose seconds and skill all but agree, long names of tasks, a model far below the axis."""
    tasks = {("stations", "7 days ahead, median of the sites", "embedded", "persistence"): dict(zip(
                 STATION_MODELS, zip(10 ** np.linspace(-3, 1, 13), np.linspace(-1.3, 0.5, 13), strict=True),
                 strict=True)),
             ("nudging", "1 day ahead", "twin", "persistence"): {
                 "CNN": (47, -0.03), "LSTM": (54, -5.6), "ConvLSTM": (308, 0.09), "ConvLSTM-SE": (311, 0.13)},
             ("nudging", "free run", "twin", "climatology"): {"CNN": (47, -247.0), "LSTM": (54, -0.0001)},
             ("fusion", "gaps filled", "simulated", "climatology + persistence"): {
                 "linear": (0.24, 0.19), "OI": (1.32, 0.26), "boosting": (11.4, 0.4), "CRU": (16.5, 0.45)},
             ("fusion", "surface, against the truth", "twin", "NLDAS-2"): {
                 "ConvLSTM S1": (66.3, 0.23), "ConvLSTM S2": (69.9, 0.33)},
             ("forecast", "surface, 1 day ahead, at stations", "twin", "persistence"): {
                 f"ConvLSTM S{k}": (19 + k, 0.04 * k) for k in (1, 2, 3, 4)},
             ("correction", "products against in-situ data", "twin", "climatology"): {"MLSTM": (0.1, 0.59)}}
    table = pd.DataFrame([(*task, model, *point) for task, models in tasks.items() for model, point in models.items()],
                         columns=["study", "task", "source", "reference", "model", "train_s", "skill"])
    return frontier.fronts(table.assign(device="cpu", front=True, low=table["skill"] - 0.05,
                                        high=table["skill"] + 0.05))


def implied_std():
    rows = [("fan2025_table2_short_term", m) for m in FIELD_MODELS[2:6]]
    rows += [("fan2025_table4_5_nudging", f"{m}, 0.01, {share}.0") for m in FIELD_MODELS[2:6] for share in (10, 20, 50)]
    std = pd.DataFrame(rows, columns=["file", "row"]).assign(low=0.0410, high=0.0418)
    return audit.implied_std(std, (0.0414, 0.0415), of_row={
        "fan2025_table4_5_nudging": ": model, noise (m³ m⁻³), share observed (%)"})


def field_scores(values):
    return pd.DataFrame([(m, metric, value * (1 + k)) for metric, value in values.items()
                         for k, m in enumerate(FIELD_MODELS)], columns=["model", "metric", "value"])


def radar():
    return plots.radar(field_scores({"MAE": 0.00839, "R2": 0.1, "RMSE": 0.0115, "r": 0.13, "bias": 3.04e-5}))


def metric_bars():
    table = field_scores({"MSE": 0.0002, "MAE": 0.004, "R2": 0.14, "RMSE": 0.005, "r": 0.14, "bias": 0.0007})
    table.loc[table["metric"].eq("bias") & table["model"].eq("LSTM"), "value"] = -0.0039
    return plots.metric_bars(table.assign(printed=table["value"] / 2, low=np.nan, high=np.nan), title="One day ahead")


def methods():
    names = [f"{m} + {how}" for m in ("damped anomaly", "ConvLSTM-SE", "CNN", "climatology", "persistence")
             for how in ("optimal interpolation", "ensemble Kalman filter")]
    patterns = ("random 10 %", "random 20 %", "random 50 %", "swaths", "stations 1 %", "gaps")
    table = pd.DataFrame([(p, name, "CNN" in name, 0.0121 * 1.45 ** k) for p in patterns for k, name in
                          enumerate(names)], columns=["pattern", "method", "network", "value"])
    return plots.methods(table.assign(low=np.nan, high=np.nan), title="RMSE where nothing was observed (simulated)")


def maps_of_days():
    lat, lon = np.arange(36.1, 40, 0.25), np.arange(93.6, 104, 0.25)
    truth = xr.DataArray(draws(3, len(lat), len(lon)), dims=("time", "y", "x"), coords={"time": DAYS[:3]})
    models = xr.DataArray(np.linspace(0.01, 0.2, 5), dims="model", coords={"model": list(FIELD_MODELS[1:6])})
    return plots.maps_of_days(truth, truth + models, lat, lon, title="Free run (simulated)")


def product_maps(network):
    south, north, west, east = PLACES[network]
    lat, lon = (np.arange(low + 0.05, high, 0.1) for low, high in ((south, north), (west, east)))
    one = draws(len(lat), len(lon)) * 0.2 + 0.15
    return plots.product_maps(one, one[::-1], one[::-1] - one, one, lat, lon,
                              title=f"ESA-CCI around {network}, 2018-07-06 (simulated)")


def network_maps():
    matched, points = {}, {}
    for network, (south, north, west, east) in PLACES.items():
        place = pd.DataFrame({"lat": np.linspace(south, north, 30), "lon": west + (east - west) * draws(30)})
        points[network] = SimpleNamespace(network=network, sites=place.assign(group=np.arange(30)))
        matched[network] = {}
        for product, step in PRODUCTS.items():
            lat, lon = (np.arange(low + step / 2, high, step) for low, high in ((south, north), (west, east)))
            cells = pd.DataFrame([(i, j, y, x) for i, y in enumerate(lat) for j, x in enumerate(lon)],
                                 columns=["row", "column", "lat", "lon"])
            matched[network][product] = SimpleNamespace(cells=cells.assign(
                stations=np.where(cells.index % 8, 0, 1), group=np.where(cells.index % 8, -1, cells.index // 8)))
    return plots.network_maps(matched, points)


def loss_curves():
    history = pd.DataFrame([(f"forecast {layer} S{k}", epoch, 0.4 / epoch, 0.5 / epoch) for k in (1, 2, 3, 4)
                            for layer in ("0-10 cm", "10-40 cm", "40-100 cm") for epoch in (1, 2, 3)],
                           columns=["model", "epoch", "train_loss", "validation_loss"])
    return plots.loss_curves(history, "Loss by epoch (simulated)", "loss (see above)")


def station_series():
    one = xr.DataArray(draws(3, DAYS.size) / 2, dims=("site", "time"),
                       coords={"site": ["SCAN-017", "SCAN-084", "USCRN-008"], "time": DAYS})
    return conus_stations.series({str(s): "lower quartile of r, 0.41" for s in one["site"].values},
                                 {"ConvLSTM S2": one / 2, "NLDAS-2": one / 3}, one, 50 * one)


def behaviour_by_depth():
    columns = {"persistence": "R² of persistence, 1 day", "std": "standard deviation (m³ m⁻³)",
               "drying_days": "drying time (days)", "rise_over_fall": "mean rise over mean fall"}
    table = pd.DataFrame({"site": "US-AR1", "level": 1, "depth_m": np.repeat([0.05, 0.1, 0.2, 0.5, 1.0], 9)})
    table = table.assign(**{name: draws(len(table)) for name in columns})
    measured = [table.iloc[:9].assign(depth_m=np.nan, site=site) for site in ("US-AR1", "US-CRT", "FR-Hes", "CH-DAV")]
    return plots.behaviour_by_depth(table, pd.concat(measured), columns)


def error_by_lead():
    errors = pd.DataFrame([(m, lead, e) for m in STATION_MODELS for lead in (1, 3, 7) for e in draws(50) - 0.5],
                          columns=["model", "lead_d", "error"])
    return plots.error_by_lead(errors)


def auxiliary_series():
    return plots.auxiliary_series({n: SimpleNamespace(
        network=n, time=DAYS, in_situ=draws(5, DAYS.size), auxiliaries=draws(5, DAYS.size, 4)) for n in PLACES})


def gains():
    table = pd.DataFrame([(m, f, noise) for m in FIELD_MODELS[2:6] for f in (0.1, 0.2, 0.5) for noise in (0, 0.01)],
                         columns=["model", "fraction", "noise"])
    return synthesis.gains(table.assign(all=80 * table["fraction"], unobserved=20 * table["fraction"]))


DRAWN = {draw.__name__: draw for draw in (
    fronts, implied_std, radar, metric_bars, methods, maps_of_days, network_maps, loss_curves, station_series,
    behaviour_by_depth, error_by_lead, auxiliary_series, gains)}
DRAWN |= {f"product_maps {network}": lambda network=network: product_maps(network) for network in PLACES}


@pytest.mark.parametrize("name", DRAWN)
def test_every_text_of_the_figure_can_be_read(name):
    fig = DRAWN[name]()
    fig.text(0.995, 0.995, "simulated", ha="right", va="top", fontsize=max(10, fig.get_figwidth()))  # as by Run.figure
    assert_legible(fig)


def test_small_numbers_have_a_power_of_ten_and_a_true_minus():
    assert [number(x) for x in (3.04e-5, -2e-7, 0.0115, -213.0, 1.5e6)] == [
        "3.04·10⁻⁵", "−2·10⁻⁷", "0.0115", "−213", "1.5·10⁶"]


def test_titles_of_many_loss_curves_are_as_large_as_the_text():
    fig = loss_curves()
    assert not [text for text in small(fig, 9) if "kept" in text and "forecast" in text]
