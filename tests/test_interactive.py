"""Interactive figures: equal input gives equal JSON that holds the data given; the script comes only when needed."""

import base64
import gzip
import json

import nbformat
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.plots import interactive
from smlib.run import interactive as embedding
from smlib.run import stage

DAYS = pd.date_range("2020-02-27", periods=400)
RNG = np.random.default_rng(3)


def stations(sites=("A",), depths=(0.05, 0.2)):
    shape = (len(sites), len(depths), len(DAYS))
    moisture = RNG.uniform(0.1, 0.4, shape)
    moisture[..., 50:60] = np.nan
    moisture[..., 55] = 0.3  # one day alone in the gap
    rain = RNG.gamma(0.3, 8.0, (len(sites), len(DAYS)))
    rain[:, 200:210] = np.nan
    return xr.Dataset({"soil_moisture": (("site", "depth", "time"), moisture),
                       "precipitation": (("site", "time"), rain)},
                      coords={"site": list(sites), "depth": range(1, len(depths) + 1), "time": DAYS,
                              "depth_m": (("site", "depth"), np.tile(depths, (len(sites), 1)))},
                      attrs={"kind": "measured"})


def objects(text, name):
    """Attributes of all models of a kind in the JSON of a figure."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            if value.get("type") == "object" and value["name"] == name:
                found.append(value.get("attributes", {}))
            value = value.values()
        if not isinstance(value, str | int | float | None):
            for one in value:
                walk(one)
    walk(json.loads(text))
    return found


def columns(text):
    """All columns of numbers that the JSON of a figure holds, by name, those of one name one after the other."""
    found = {}
    for source in objects(text, "ColumnDataSource"):
        for key, value in source["data"]["entries"]:
            found.setdefault(key, []).extend(_arrays(value))
    return found


def _arrays(value):
    if isinstance(value, list):
        return [array for one in value if isinstance(one, dict) for array in _arrays(one)]
    data = base64.b64decode(value["array"]["data"])
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return [np.frombuffer(data, value["dtype"]).reshape(value["shape"])]


def text(layout, name="a"):
    return embedding.item(name, layout)


# the JSON -----------------------------------------------------------------------------------------------------------

def test_the_same_input_gives_the_same_text_whatever_was_drawn_before():
    ds = stations()
    first = text(interactive.site_series(ds, "A"))
    interactive.maps({"a": np.ones((3, 4))}, np.arange(3.0), np.arange(4.0))
    assert text(interactive.site_series(ds, "A")) == first
    assert text(interactive.site_series(ds.assign(soil_moisture=ds["soil_moisture"] + 0.01), "A")) != first


def test_two_figures_of_a_page_share_no_identity_and_refer_only_to_their_own():
    ds = stations()
    found = [json.loads(text(interactive.site_series(ds, "A"), name)) for name in ("one", "two")]
    identities = [set(embedding._identities(one)) for one in found]
    assert not identities[0] & identities[1] and found[0]["root_id"] in identities[0]

    def read(value):  # as BokehJS does: what is referred to must have stood before
        if isinstance(value, dict):
            assert set(value) != {"id"} or value["id"] in met
            met.update([value["id"]] if value.get("type") == "object" else [])
            value = value.values()
        if not isinstance(value, str | int | float | None):
            for one in value:
                read(one)
    met = set()
    read(found[0])
    assert met == identities[0]


def test_a_figure_too_large_for_a_page_is_refused(monkeypatch):
    monkeypatch.setattr(embedding, "MOST", 1000)
    with pytest.raises(ValueError, match="'big' has .* characters of JSON, 1,000 at most"):
        text(interactive.site_series(stations(), "A"), "big")


def test_ten_years_of_five_depths_stay_small():
    days = pd.date_range("2010-01-01", periods=3653)
    ds = xr.Dataset({"soil_moisture": (("site", "depth", "time"), RNG.uniform(0, 0.5, (1, 5, len(days))))},
                    coords={"site": ["A"], "depth": range(1, 6), "time": days})
    assert len(text(interactive.site_series(ds, "A"))) < 300_000


def test_the_largest_maps_stay_below_what_a_page_may_hold():
    layout = interactive.maps({str(k): RNG.uniform(0, 0.5, (250, 600)) for k in range(9)}, np.linspace(25, 50, 250),
                              np.linspace(-125, -66, 600), country=True)
    assert 300_000 < len(text(layout)) < embedding.MOST


# what it holds ------------------------------------------------------------------------------------------------------

def test_a_site_shows_every_value_and_its_gaps_stay_gaps():
    ds = stations()
    layout = text(interactive.site_series(ds, "A"))
    found = columns(layout)
    time = found["time"][-1].astype("M8[ms]")
    assert (time == DAYS.to_numpy()).all()
    for k in range(2):
        np.testing.assert_array_equal(found[f"line {k}"][-1], ds["soil_moisture"].values[0, k].astype(np.float32))
    np.testing.assert_array_equal(found["line 0"][0], ds["precipitation"].values[0].astype(np.float32))
    assert {axis["axis_label"] for axis in objects(layout, "LinearAxis")} == {
        "precipitation (mm d⁻¹)", "soil moisture (m³ m⁻³)"}
    assert any("m³ m⁻³" in tip for hover in objects(layout, "HoverTool") for _, tip in hover["tooltips"])
    (missing,) = [np.concatenate(found[side]) for side in ("left",)]
    assert missing.astype("M8[ms]") == DAYS[200].to_numpy() - np.timedelta64(12, "h")
    assert found["right"][0].astype("M8[ms]") == DAYS[209].to_numpy() + np.timedelta64(12, "h")
    np.testing.assert_array_equal(np.concatenate(found["y"]), np.float32([0.3, 0.3]))  # the lone day, at both depths


def test_dates_that_are_missing_are_gaps_too():
    ds = stations().isel(time=[*range(100), *range(120, 400)])
    found = columns(text(interactive.site_series(ds, "A")))
    assert np.isnan(found["line 0"][-1][100:120]).all() and len(found["line 0"][-1]) == 400


def test_forecasts_stand_at_their_days_beside_what_was_observed():
    observed = stations()["soil_moisture"].isel(site=0, depth=0)
    rows = [pd.DataFrame({"model": m, "time": DAYS[10:20], "forecast": RNG.uniform(0.1, 0.4, 10)})
            for m in ("persistence", "LSTM (increment)")]
    layout = text(interactive.forecast_series(pd.concat(rows), observed))
    assert [item["label"]["value"] for item in objects(layout, "LegendItem")] == [
        "observed", "persistence", "LSTM (increment)"]
    found = columns(layout)
    np.testing.assert_array_equal(found["line 0"][0], observed.values.astype(np.float32))
    np.testing.assert_array_equal(found["line 1"][0][10:20], rows[0]["forecast"].to_numpy(np.float32))
    assert np.isnan(found["line 1"][0][:10]).all()
    with pytest.raises(ValueError, match="several values for model"):
        interactive.forecast_series(pd.concat([rows[0], rows[0]]), observed)


def test_scores_by_day_have_a_panel_a_metric():
    table = pd.DataFrame([(m, day, metric, RNG.uniform()) for m in ("LSTM", "climatology") for day in DAYS[:5]
                          for metric in ("RMSE", "R2")], columns=["model", "time", "metric", "value"])
    layout = text(interactive.daily_metrics(table, ("RMSE", "R2")))
    assert [axis["axis_label"] for axis in objects(layout, "LinearAxis")] == ["RMSE (m³ m⁻³)", "R²"]
    lstm = table[(table["model"] == "LSTM") & (table["metric"] == "R2")]["value"]
    assert any(np.array_equal(one, lstm.to_numpy(np.float32)) for one in columns(layout)["line 1"])


def test_a_map_holds_the_cells_at_their_places_whichever_way_its_rows_run():
    field = RNG.uniform(0, 0.5, (6, 9))
    field[2, 3] = np.nan
    lat, lon = np.linspace(38, 40.5, 6), np.linspace(-100, -96, 9)
    layout = text(interactive.maps({"one": field, "two": 2 * field}, lat, lon))
    found = columns(layout)
    np.testing.assert_array_equal(found["field 0"][0], field.astype(np.float32))
    np.testing.assert_array_equal(found["field 1"][0], (2 * field).astype(np.float32))
    np.testing.assert_allclose(found["lat"][0][:, 0], lat)
    np.testing.assert_allclose(found["lon"][0][0], lon)
    (image,) = [one for one in objects(layout, "Image") if one["image"]["field"] == "field 0"][:1]
    assert image["x"]["value"] == -100.25 and image["dw"]["value"] == 4.5 and image["dh"]["value"] == 3.0
    turned = columns(text(interactive.maps({"one": field[::-1, ::-1]}, lat[::-1], lon[::-1])))
    np.testing.assert_array_equal(turned["field 0"][0], field.astype(np.float32))
    (colours,) = objects(layout, "LinearColorMapper")  # one scale for both
    assert colours["low"] < 0.05 and colours["high"] > 0.9
    assert {one["aspect_scale"] for one in objects(layout, "Figure")} == {np.cos(np.radians(39.25))}


def test_a_map_too_large_is_thinned_and_says_so(monkeypatch):
    monkeypatch.setattr(interactive, "MOST_CELLS", 20)
    field = np.arange(54.0).reshape(6, 9)
    layout = text(interactive.maps({"one": field}, np.arange(6.0), np.arange(9.0), title="Moisture"))
    np.testing.assert_array_equal(columns(layout)["field 0"][0], field[::2, ::2])
    assert "Moisture (one cell of 2 by 2): one" in layout


def test_axes_and_coasts_follow_degrees_that_are_not_evenly_spaced():
    lat, lon = np.degrees(np.arcsin(np.linspace(0.42, 0.77, 40))), np.linspace(-125, -66, 60)
    layout = text(interactive.maps({"one": np.ones((40, 60))}, lat, lon, country=True))
    places = np.linspace(lat[0], lat[-1], 40)
    at = {float(label): place for axis in objects(layout, "LinearAxis")
          for place, label in axis.get("major_label_overrides", {"entries": []})["entries"]}
    assert len(at) > 3 and abs(at[35.0] - 35.0) > 0.5
    np.testing.assert_allclose([np.interp(place, places, lat) for place in at.values()], list(at))
    plain = interactive.maps({"one": np.ones((40, 60))}, np.linspace(lat[0], lat[-1], 40), lon, country=True)
    ours, theirs = (columns(one)["lat"][1] for one in (layout, text(plain)))
    inside = np.isfinite(ours) & np.isfinite(theirs)
    np.testing.assert_allclose(ours[inside], np.interp(theirs[inside], lat, places), atol=1e-4)


def test_places_on_a_curved_grid_stand_under_the_pointer():
    lat, lon = np.meshgrid([30.0, 31.0, 33.0], [5.0, 6.0, 8.0, 9.0], indexing="ij")
    layout = text(interactive.maps({"one": np.ones((3, 4))}, lat, lon))
    assert {axis["axis_label"] for axis in objects(layout, "LinearAxis")} == {"column of the grid", "row of the grid"}
    np.testing.assert_allclose(columns(layout)["lat"][0], lat)


def test_stations_stand_where_they_are_with_their_score():
    places = xr.Dataset(coords={"site": ["a", "b", "c"], "network": ("site", ["SCAN", "USCRN", "SCAN"]),
                                "lat": ("site", [35.0, 40.0, 45.0]), "lon": ("site", [-100.0, -90.0, -80.0])})
    scores = pd.DataFrame({"r": [0.5, np.nan, 0.25]}, index=pd.Index(["a", "b", "c"], name="site"))
    layout = text(interactive.score_map({"one": scores}, places))
    found = columns(layout)
    np.testing.assert_array_equal(found["score"][0], np.float32([0.5, 0.25]))
    assert 35.0 in found["lat"][0] and 45.0 in found["lat"][0] and 40.0 not in found["lat"][0]
    with pytest.raises(ValueError, match="measured or simulated"):
        interactive.score_map({"one": scores}, places, kind="real")


# the page -----------------------------------------------------------------------------------------------------------

def test_what_a_notebook_shows_is_hidden_and_its_data_cannot_end_the_script():
    shown = embedding.Shown("a", '{"title":"</script><b>"}', 'Rain & "moisture"')._repr_html_()
    assert shown.startswith('<figure class="interactive" data-interactive="a"') and " hidden>" in shown
    assert shown.count("</script>") == 1 and "Rain &amp; &quot;moisture&quot;" in shown
    data = shown.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(data) == {"title": "</script><b>"}


def test_a_run_saves_what_it_shows(here, monkeypatch):
    for name in ("SMLIB_RUN_DIR", "SMLIB_NOTEBOOK"):
        monkeypatch.delenv(name, raising=False)
    here.notebook("part/page", parameters="seed = 0")
    from smlib.run import begin

    run = begin("part/page", seed=0)
    run.simulated = True
    layout = interactive.maps({"a": np.ones((3, 4))}, np.arange(3.0), np.arange(4.0))
    shown = run.interactive("map a", layout, alt="Map of ones on a small grid")
    assert (run.path / "interactive" / "map_a.json").read_text() == shown.text + "\n"
    assert shown.alt == "Map of ones on a small grid. Simulated."
    with pytest.raises(ValueError, match="does not describe a figure"):
        run.interactive("other", layout, alt="a map")


@pytest.mark.parametrize("has", [True, False])
def test_the_script_is_copied_only_if_a_page_needs_it(here, monkeypatch, has):
    here.notebook("part/page", "x = 1")
    here.toc("part/page")
    shown = embedding.Shown("a", "{}", "A map of something")._repr_html_() if has else "<b>data</b>"
    cell = nbformat.v4.new_code_cell("x = 1", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": shown})]
    monkeypatch.setattr(stage.finished, "run", lambda name, profile: here.root)
    monkeypatch.setattr(stage.page, "frame", lambda notebook, record: None)
    (here.root / "manifest.json").write_text("{}")
    monkeypatch.setattr(stage, "_clean", lambda name, path: nbformat.v4.new_notebook(cells=[cell]))
    monkeypatch.setattr(stage.page, "frame", lambda notebook, record: None)
    (here.root / "manifest.json").write_text("{}")
    stage.stage("smoke", here.root / "stage")
    script = here.root / "stage" / "_extra" / "bokeh" / "bokeh.min.js"
    assert script.exists() == has
    if has:
        assert "Bokeh" in script.read_text() and "Redistribution and use" in script.read_text()
