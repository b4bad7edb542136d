"""Figures of the simulated world: what was given is drawn, in the same scale, and named."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib import plots


def field(value=0.2):
    return xr.DataArray(np.full((4, 6), value), dims=("y", "x"),
                        coords={"lat": ("y", np.linspace(40, 37, 4)), "lon": ("x", np.linspace(-100, -95, 6))})


def texts(fig):
    return " ".join(t.get_text() for t in fig.findobj(lambda a: hasattr(a, "get_text")))


def test_maps_share_one_scale_and_are_named():
    fig = plots.grid_maps({"truth": field(0.1), "product": field(0.4)}, title="Simulated")
    meshes = [c for ax in fig.axes for c in ax.collections if c.get_array() is not None and c.get_array().size == 24]
    assert len({m.get_clim() for m in meshes}) == 1 and len(meshes) == 2
    written = texts(fig)
    for word in ("truth", "product", "Simulated", "soil moisture (m³ m⁻³)"):
        assert word in written


def test_an_empty_map_is_drawn():
    plots.grid_maps({"nothing": field(np.nan)}).savefig("/dev/null", format="png")


def test_twins_stand_against_print():
    table = pd.DataFrame({"quantity": ["rain (mm d⁻¹)"] * 3 + ["warmth (°C)"] * 3, "printed": [1.0, 2, 3, -5, 5, 10],
                          "simulated": [1.1, 2, 3, -5, 5.5, 10]})
    fig = plots.twins_against_print(table)
    dots = [line for ax in fig.axes for line in ax.lines if line.get_marker() == "o"]
    assert [d.get_xdata().tolist() for d in dots] == [[1, 2, 3], [-5, 5, 10]]
    assert "rain (mm d⁻¹)" in texts(fig) and "simulated" in texts(fig)


def behaviour(sites, depths):
    return pd.DataFrame([{"site": s, "level": k + 1, "depth_m": d, "persistence": 0.9 + 0.01 * k, "std": 0.05}
                         for s in sites for k, d in enumerate(depths)])


def test_behaviour_shows_every_measured_site():
    fig = plots.behaviour_by_depth(behaviour("abc", [0.05, 0.5]), behaviour(["X", "Y"], [0.1, np.nan]),
                                   {"persistence": "R²", "std": "standard deviation (m³ m⁻³)"})
    written = texts(fig)
    assert all(word in written for word in ("X (measured)", "Y (measured)", "unknown", "simulated, median"))


def test_autocorrelation_puts_measured_levels_at_the_nearest_depth():
    def acf(sites, depths):
        values = np.tile(np.linspace(1, 0, 11), (len(sites), len(depths), 1))
        return xr.DataArray(values, dims=("site", "depth", "lag"), coords={
            "site": sites, "depth": np.arange(1, len(depths) + 1), "lag": np.arange(11),
            "depth_m": (("site", "depth"), np.tile(depths, (len(sites), 1)))})

    fig = plots.autocorrelation_spread(acf(["a", "b"], [0.05, 0.5]), acf(["X"], [0.4]))
    assert [len(ax.lines) for ax in fig.axes] == [1, 2]
    assert "X (measured)" in texts(fig)


@pytest.mark.parametrize("metric", ["r", "bias"])
def test_products_have_ours_filled_and_print_hollow(metric):
    table = pd.DataFrame([{"land_cover": c, "network": n, "product": p, "metric": metric, "simulated": 0.6,
                           "printed": 0.5} for c in ("Grasslands", "Croplands") for n in ("SCAN", "USCRN")
                          for p in ("DCA", "SCA-H", "SCA-V", "NLDAS-2")])
    fig = plots.products_by_cover(table, {metric: "label"})
    assert "SCAN" in texts(fig) and "hollow: printed (measured)" in texts(fig)
    hollow = [line for line in fig.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert len(hollow) == 4 and all(np.allclose(line.get_ydata(), 0.5) for line in hollow)
