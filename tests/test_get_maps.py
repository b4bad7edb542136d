"""Maps by box and days: what a login, a server or a day may lack, and known fields that come through."""

import json
from types import SimpleNamespace

import dask
import netCDF4
import numpy as np
import pandas as pd
import pytest
import requests
import xarray as xr
from serving import Server, serving
from test_grid_readers import GRID, imerg_file, nldas_file, smap_file

from smlib.data import DataError
from smlib.data.get import commands, maps
from smlib.data.get.fetch import RECORD

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning",
                                        "ignore:The given matrix is equal to Affine.identity")
BOX = (38, 39, -100, -98.5)
DAYS = pd.date_range("2018-01-01", "2018-01-03")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setattr(maps.time, "sleep", lambda seconds: None)
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def earthdata(monkeypatch):
    """earthaccess with a login and granules made by the test: `makers` are called with folder and day."""
    import earthaccess

    state = SimpleNamespace(make=None, lacking=(), failing=[], asked=[], fetched=[])

    def search(short_name, version, temporal, count, bounding_box):
        day = pd.Timestamp(temporal[0])
        state.asked.append((short_name, version, bounding_box))
        near = [day - pd.Timedelta("1D"), day]  # the day before touches this one
        return [{"umm": {"GranuleUR": f"{short_name}_{one:%Y%m%d}_A{one:%Y%j}"}, "day": one} for one in near
                if f"{one:%Y-%m-%d}" not in state.lacking]

    def download(granules, local_path, threads, show_progress):
        if state.failing:
            raise state.failing.pop()
        for one in granules:
            state.fetched.append(f"{one['day']:%Y-%m-%d}")
            state.make(local_path, one["day"])

    monkeypatch.setattr(earthaccess, "login", lambda strategy: SimpleNamespace(authenticated=strategy == "netrc"))
    monkeypatch.setattr(earthaccess, "search_data", search)
    monkeypatch.setattr(earthaccess, "download", download)
    return state


def lines(*args):
    return "\n".join(maps.get_maps(*args))


def test_smap_is_cut_to_the_box_and_its_files_go(earthdata, tmp_path):
    earthdata.make = lambda folder, day: smap_file(folder, f"{day:%Y%m%d}", am=0.1 + 0.01 * day.day, pm=0.3)
    earthdata.lacking = ("2018-01-02",)
    told = lines("smap", BOX, DAYS, tmp_path)
    assert "0 of 3 days are there already" in told and "1 days are not on the server: 2018-01-02" in told
    assert set(earthdata.asked) == {("SPL3SMP_E", "006", (-100, 38, -98.5, 39))}
    held = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file())
    assert held == [".lock", "2018/smap-20180101.nc", "2018/smap-20180103.nc", RECORD]
    with xr.open_mfdataset(sorted(tmp_path.glob("*/*.nc"))) as ds:
        np.testing.assert_allclose(ds["lat"], GRID.lat)
        for k, day in enumerate((1, 3)):  # the mean of the passes
            np.testing.assert_allclose(ds["soil_moisture_dca"][k], (0.1 + 0.01 * day + 0.3) / 2, rtol=1e-5)
        np.testing.assert_allclose(ds["land_surface_temperature"][0], 20, atol=1e-3)
    earthdata.fetched.clear()
    earthdata.lacking = ()
    assert "2 of 3 days are there already" in lines("smap", BOX, DAYS, tmp_path)
    assert earthdata.fetched == ["2018-01-02"]
    with pytest.raises(DataError, match="holds another box"):
        lines("smap", (30, 39, -100, -98.5), DAYS, tmp_path)


def test_nldas_and_imerg_come_on_the_grid_of_smap(earthdata, tmp_path):
    def hours(folder, day):
        for hour in range(24):
            nldas_file(folder, day + pd.Timedelta(hours=hour), water=(20.0 + hour, 90.0, 180.0, 500.0))

    earthdata.make = hours
    lines("nldas", BOX, DAYS[:1], tmp_path / "nldas")
    with xr.open_dataset(tmp_path / "nldas" / "2018" / "nldas-20180101.nc") as ds:
        assert ds["soil_moisture"].shape == (1, 3, *GRID.shape)
        np.testing.assert_allclose(ds["soil_moisture"][0, 0], (20 + 11.5) / 100, rtol=1e-5)
    earthdata.make = lambda folder, day: imerg_file(folder, f"{day:%Y%m%d}", np.full((40, 30), 3.0, "f4"))
    lines("imerg", BOX, DAYS[:1], tmp_path / "imerg")
    with xr.open_dataset(tmp_path / "imerg" / "2018" / "imerg-20180101.nc") as ds:
        np.testing.assert_allclose(ds["precipitation"], 3, rtol=1e-5)
        assert ds.attrs["source"].startswith("3B-DAY") and ds.sizes["y"] == GRID.shape[0]


def test_modis_tiles_come_as_hdf4(earthdata, tmp_path):
    from pyhdf.SD import SD, SDC

    def tile(folder, day):
        file = SD(str(folder / f"MCD43A4.A{day:%Y%j}.h10v05.061.2018010030123.hdf"), SDC.WRITE | SDC.CREATE)
        for band, kind, fill, value in (("Nadir_Reflectance_Band7", SDC.INT16, 32767, 2500),
                                        ("BRDF_Albedo_Band_Mandatory_Quality_Band7", SDC.UINT8, 255, 0)):
            held = file.create(band, kind, (240, 240))
            held.setfillvalue(fill)
            field = np.full((240, 240), value)
            field[:60] = fill if value else 1  # the north of the tile has none, or not the best quality
            held[:] = field.astype("i2" if value else "u1")
            held.endaccess()
        file.end()

    earthdata.make = tile
    box = (36.0, 39.5, -98, -97)  # within h10v05
    lines("modis", box, DAYS[:1], tmp_path)
    with xr.open_dataset(tmp_path / "2018" / "modis-20180101.nc") as ds:
        swir = ds["swir_transform"][0]
        south = swir.where(ds["lat"] < 37.3, drop=True)
        np.testing.assert_allclose(south, (1 - 0.25) ** 2 / 0.5, rtol=1e-5)  # which also says that the tile lies there
        assert swir.where(ds["lat"] > 37.7, drop=True).isnull().all()

    def cut(folder, day):
        (folder / f"MCD43A4.A{day:%Y%j}.h10v05.061.2018010030123.hdf").write_bytes(b"\x0e\x03\x13\x01 cut")

    earthdata.make = cut
    with pytest.raises(DataError, match="1 of 1 days could not be had.*cannot be read as HDF4"):
        lines("modis", box, DAYS[1:2], tmp_path)


def test_a_day_that_fails_stops_none_of_the_others_and_secrets_are_not_told(earthdata, tmp_path):
    earthdata.make = lambda folder, day: imerg_file(folder, f"{day:%Y%m%d}", np.full((40, 30), 1.0, "f4"))
    earthdata.failing = [requests.ConnectionError("https://x/?token=SECRET")] * maps.ATTEMPTS
    with pytest.raises(DataError, match="1 of 3 days could not be had, the first 2018-01-01: failed 3 times") as error:
        lines("imerg", BOX, DAYS, tmp_path)
    assert "SECRET" not in str(error.value) and len(list(tmp_path.glob("*/*.nc"))) == 2
    earthdata.failing = [requests.ConnectionError("SECRET")]  # once is mended
    assert "2 of 3 days are there already" in lines("imerg", BOX, DAYS, tmp_path)
    assert len(list(tmp_path.glob("*/*.nc"))) == 3 and not (tmp_path / maps.RAW).exists()


def test_without_a_login_the_steps_are_told(monkeypatch, tmp_path):
    for name in ("EARTHDATA_USERNAME", "EARTHDATA_PASSWORD", "EARTHDATA_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"(?s)no Earthdata login.*1\. Register at https://urs.*neither reads"):
        lines("smap", BOX, DAYS, tmp_path / "smap")


def test_a_login_that_is_refused(monkeypatch):
    import earthaccess
    from earthaccess.exceptions import LoginAttemptFailure

    def refuse(strategy):
        raise LoginAttemptFailure("user SECRET")

    monkeypatch.setattr(earthaccess, "login", refuse)
    with pytest.raises(DataError, match="refuses the login that environment gives") as error:
        maps.login(earthaccess)
    assert "SECRET" not in str(error.value)


def cci(day):
    """A global file of ESA CCI, coarser than the true ones, as bytes."""
    lat, lon = 89.5 - np.arange(180), -179.5 + np.arange(360)
    nc = netCDF4.Dataset("cci.nc", "w", memory=200000)
    for name, values in (("time", [(day - pd.Timestamp("1970-01-01")).days]), ("lat", lat), ("lon", lon)):
        nc.createDimension(name, len(values))
        nc.createVariable(name, "f8", (name,))[:] = values
    nc["time"].units = "days since 1970-01-01 00:00:00 UTC"
    sm = nc.createVariable("sm", "f4", ("time", "lat", "lon"), fill_value=-9999.0, zlib=True)
    sm.units = "m3 m-3"
    sm[:] = 0.2 + lat[None, :, None] / 1000 + lon[None, None, :] / 10000
    return bytes(nc.close())


def test_esa_cci_has_no_login(tmp_path):
    site = Server()
    for day in DAYS[:2]:
        site.put(f"/v09.1/2018/ESACCI-SOILMOISTURE-L3S-SSMV-COMBINED-{day:%Y%m%d}000000-fv09.1.nc", cci(day))
    site.faults["*"] = ["drop", "500", "cut length"]
    with serving(site):
        told = lines("esa-cci", BOX, DAYS, tmp_path, site.url, {"pause": 0.01})
        assert "1 days are not on the server: 2018-01-03" in told
        with xr.open_mfdataset(sorted(tmp_path.glob("*/*.nc"))) as ds:
            assert ds["soil_moisture"].shape == (2, 1, 1) and (ds["lat"], ds["lon"]) == (38.5, -99.5)
            np.testing.assert_allclose(ds["soil_moisture"], 0.2 + 0.0385 - 0.00995, rtol=1e-5)
        asked = len(site.asked())
        lines("esa-cci", BOX, DAYS[:2], tmp_path, site.url)
        assert len(site.asked()) == asked


@pytest.mark.parametrize("text", ["25,49,-125", "49,25,-125,-67", "25,49,-67,-125", "25,49,-190,-67", "a,b,c,d"])
def test_a_box_that_is_none(text):
    with pytest.raises(DataError, match="is not south,north,west,east"):
        maps.box(text)


def test_the_command_says_where_it_went(earthdata, tmp_path):
    earthdata.make = lambda folder, day: imerg_file(folder, f"{day:%Y%m%d}", np.full((40, 30), 1.0, "f4"))
    told = list(commands.get("imerg", tmp_path, {}, 2, box="38,39,-100,-98.5", dates="2018-01-01/2018-01-01"))
    assert told[-1].startswith(f"{tmp_path}: 0.") and "open_mfdataset" in told[-1]
    assert json.loads((tmp_path / RECORD).read_text())["2018/imerg-20180101.nc"]["box"] == list(BOX)
