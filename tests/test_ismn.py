import zipfile

import numpy as np
import pandas as pd
import pytest

from smlib.data import DataError, open_source

STATIC = ("quantity_name;unit;depth_from[m];depth_to[m];value;description;quantity_source_name;\n"
          "clay fraction;% weight;0.00;0.30;23.00;;HWSD;\n"
          "land cover classification;;;;130;Grassland;CCI_landcover_2010;\n"
          "climate classification;;;;Cfa;Temperate;koeppen_geiger_2007;\n")
HOURS = pd.date_range("2020-06-01", periods=48, freq="1h")


def sensor(name, value, depth, form, hours=HOURS, flags=None):
    """The lines of a .stm file in one of the two formats of the network."""
    flags = ["G"] * len(hours) if flags is None else flags
    rows = []
    for hour, flag in zip(hours, flags, strict=True):
        time = f"{hour:%Y/%m/%d %H:%M}"
        place = f"NET NET {name} 47.12500 8.50000 500.00 {depth[0]:.2f} {depth[1]:.2f}"
        rows.append(f"{time} {time} {place} {value:.4f} {flag} M" if form == "ceop" else f"{time} {value:.4f} {flag} M")
    return "\n".join(([] if form == "ceop" else [f"{place} Probe-5TM"]) + rows) + "\n"


def archive(folder, form, station="Field-1"):
    """A network with one station: moisture at two depths (two sensors at the upper one), soil and air, and rain."""
    home = folder / "NET" / station
    home.mkdir(parents=True)
    (home / f"NET_NET_{station}_static_variables.csv").write_text(STATIC)
    flags = ["G"] * 48
    flags[24:28] = ["D01", "C03", "D01,D02", "M"]  # four bad hours: one too many for moisture on the second day
    contents = {("sm", 0.05, 0.05, "A"): (0.20, None), ("sm", 0.05, 0.05, "B"): (0.30, None),
                ("sm", 0.20, 0.30, "A"): (0.40, flags), ("ts", 0.05, 0.05, "A"): (12.5, None),
                ("ta", -2.0, -2.0, "A"): (15.0, None), ("p", -1.0, -1.0, "A"): (0.5, None)}
    for (name, top, low, instrument), (value, flag) in contents.items():
        file = f"NET_NET_{station}_{name}_{top:.6f}_{low:.6f}_Probe-{instrument}_20200601_20200602.stm"
        (home / file).write_text(sensor(station, value, (top, low), form, flags=flag))
    (folder / "Readme.txt").write_text("about the archive\n")
    return folder


def packed(folder, target):
    with zipfile.ZipFile(target, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder))
    return target


@pytest.mark.parametrize("form", ["ceop", "header"])
@pytest.mark.parametrize("zipped", [False, True])
def test_both_formats_folder_and_zip(tmp_path, form, zipped):
    source = archive(tmp_path / "data", form)
    if zipped:
        (tmp_path / "zip").mkdir()
        source = packed(source, tmp_path / "zip" / "Data_separate_files_20200601_20200602.zip")
    before = sorted(p for p in tmp_path.rglob("*"))
    ds = open_source(source)
    assert sorted(p for p in tmp_path.rglob("*")) == before  # nothing is written beside the data
    assert ds["site"].item() == "Field-1" and ds["network"].item() == "NET"
    assert (ds["lat"].item(), ds["lon"].item()) == (47.125, 8.5)
    np.testing.assert_allclose(ds["depth_m"][0], [0.05, 0.25])  # the middle of 0.20 to 0.30 m
    np.testing.assert_allclose(ds["soil_moisture"][0], [[0.25, 0.25], [0.40, np.nan]])
    np.testing.assert_allclose(ds["soil_temperature"][0, 0], [12.5, 12.5])
    np.testing.assert_allclose(ds["air_temperature"][0], [15, 15])
    np.testing.assert_allclose(ds["precipitation"][0], [12, 12])


def test_three_bad_hours_are_few_enough(tmp_path):
    flags = ["G"] * 48
    flags[24:27] = ["D01"] * 3
    archive(tmp_path, "header")
    next(tmp_path.rglob("*_sm_0.200000_*")).write_text(sensor("Field-1", 0.4, (0.2, 0.3), "header", flags=flags))
    np.testing.assert_allclose(open_source(tmp_path)["soil_moisture"][0, 1], [0.40, 0.40])


@pytest.mark.parametrize("name", ["../escape.stm", "/escape.stm", "NET/../../escape.stm", "..\\escape.stm",
                                  "C:\\escape.stm"])
def test_zip_slip(tmp_path, name):
    source = packed(archive(tmp_path / "data", "header"), tmp_path / "bad.zip")
    with zipfile.ZipFile(source, "a") as file:
        file.writestr(name, "x")
    with pytest.raises(DataError, match="holds a path outside itself") as error:
        open_source(source)
    assert error.value.file == str(source) and "escape.stm" in error.value.rule
    assert not list(tmp_path.parent.glob("escape.stm")) and not list(tmp_path.rglob("*escape.stm"))


def test_truncated_zip(tmp_path):
    source = packed(archive(tmp_path / "data", "header"), tmp_path / "half.zip")
    source.write_bytes(source.read_bytes()[:600])
    with pytest.raises(DataError, match="half.zip: is not a whole zip file"):
        open_source(source)


@pytest.mark.parametrize("text, rule", [
    ("", "holds no data"),
    ("NET NET Field-1 47.1 8.5 500 0.05 0.05 Probe\n", "holds no data"),
    ("NET NET Field-1 47.1 8.5 500 0.05 0.05 Probe\n2020/06/01 00:00 0.2 G M\n2020/06/01 01:00 0", "line 3 has 3"),
])
def test_truncated_sensor(tmp_path, text, rule):
    archive(tmp_path, "header")
    file = next(tmp_path.rglob("*_sm_0.200000_*"))
    file.write_text(text)
    with pytest.raises(DataError, match=rule) as error:
        open_source(tmp_path)
    assert file.name in error.value.file


@pytest.mark.parametrize("order, rule", [([0, 1, 1], "stands twice"), ([0, 2, 1], "not in order")])
def test_times(tmp_path, order, rule):
    archive(tmp_path, "header")
    file = next(tmp_path.rglob("*_sm_0.200000_*"))
    file.write_text(sensor("Field-1", 0.4, (0.2, 0.3), "header", hours=HOURS[order]))
    with pytest.raises(DataError, match=rule) as error:
        open_source(tmp_path)
    assert error.value.variable == "soil_moisture" and error.value.file == str(file)


@pytest.mark.parametrize("value, rule", [(40.0, "percent given as m3 m-3"), (0.004, "a fraction taken for percent"),
                                         (-0.2, "never exceeds -0.2")])
def test_units(tmp_path, value, rule):
    keys = [("sm", 0.05, 0.05, "A"), ("sm", 0.05, 0.05, "B"), ("sm", 0.20, 0.30, "A")]
    home = archive(tmp_path, "header")
    for name, top, low, instrument in keys:
        file = next(home.rglob(f"*_{name}_{top:.6f}_*{instrument}_*"))
        file.write_text(sensor("Field-1", value, (top, low), "header"))
    with pytest.raises(DataError, match=rule) as error:
        open_source(tmp_path)
    assert error.value.variable == "soil_moisture" and error.value.file == str(tmp_path)


def test_no_moisture(tmp_path):
    archive(tmp_path, "ceop")
    for file in tmp_path.rglob("*_sm_*"):
        file.unlink()
    with pytest.raises(DataError, match="soil_moisture: has no station with soil moisture flagged G"):
        open_source(tmp_path)
