"""The tutorial on one's own data, done as it is written: its files, its commands, its mistakes and their messages."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Project

from smlib.data import open_source
from smlib.run import cli
from smlib.stations.levels import prepare_all

PAGE = (ROOT / "book" / "tutorial" / "own_data.md").read_text(encoding="utf-8")
# Blocks of code: what the comment above calls it ("fault" or "file", and which), its language, its text.
BLOCKS = re.findall(r"^(?:% (\w+): ([^\n]+)\n)?```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)
FAULTS = {name: text for kind, name, _, text in BLOCKS if kind == "fault"}
FILES = {name: text for kind, name, _, text in BLOCKS if kind == "file"}
CSV, YAML = FILES["field.csv"], FILES["columns.yml"]
# The truth behind the table, in percent: moisture is a linear store that rain fills, the day's own rain included.
LEVELS = {"theta_5cm": {"depth_m": 0.05, "mean": 24.0, "memory": 0.9, "gain": 0.25, "noise": 0.4},
          "theta_20cm": {"depth_m": 0.2, "mean": 30.0, "memory": 0.96, "gain": 0.1, "noise": 0.2}}
WET_DAYS, RAIN = 0.3, 6.0  # share of the days, mean of an exponential distribution in mm


def table(days=1826, seed=1):
    """Five years of a station, 2019 to 2023."""
    rng = np.random.default_rng(seed)
    time = pd.date_range("2019-01-01", periods=days)
    rain = np.where(rng.random(days) < WET_DAYS, rng.exponential(RAIN, days), 0).round(1)
    columns = {"date": time.strftime("%Y-%m-%d")}
    for name, level in LEVELS.items():
        noise, anomaly, values = level["noise"] * rng.standard_normal(days), 0.0, []
        for k in range(days):
            anomaly = level["memory"] * anomaly + level["gain"] * (rain[k] - WET_DAYS * RAIN) + noise[k]
            values.append(round(level["mean"] + anomaly, 2))
        columns[name] = values
    season = np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 200) / 365.25)
    air = (10 + 9 * season + rng.normal(0, 3, days)).round(1)
    return pd.DataFrame(columns | {"rain_mm": rain, "temp_C": air})


def write(folder, frame=None, plan=YAML, text=None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "field.csv").write_text(table().to_csv(index=False) if frame is None and text is None else
                                      text if text is not None else frame.to_csv(index=False))
    if plan is not None:
        (folder / "columns.yml").write_text(plan)


def words(text):
    return " ".join(text.split())


def changed(**columns):
    frame = table().astype(dict.fromkeys(columns, object))
    for name, change in columns.items():
        frame[name] = change(frame[name])
    return {"frame": frame}


def once(row, value):
    return lambda column: column.where(column.index != row, value)


def hours():
    """A year of hours as a logger on Central European local time, summer time included, writes them."""
    time = pd.date_range("2019-01-01", "2019-12-31 23:00", freq="h", tz="Europe/Berlin").tz_localize(None)
    return pd.DataFrame({"date": time, "theta_5cm": 24.0, "theta_20cm": 30.0, "rain_mm": 0.1, "temp_C": 5.0})


MAKE = {
    "no columns.yml": lambda: {"plan": None},
    "percent": lambda: {"plan": YAML.replace("units: percent", "units: m3 m-3")},
    "fraction": lambda: changed(theta_5cm=lambda c: c / 100, theta_20cm=lambda c: c / 100),
    "kelvin": lambda: changed(temp_C=lambda c: c + 273.15),
    "column": lambda: {"frame": table().rename(columns={"rain_mm": "rain"})},
    "twice": lambda: {"frame": pd.concat([table()[:100], table()[99:]])},
    "order": lambda: {"frame": pd.concat([table()[1461:], table()[:1461]])},
    "format": lambda: changed(date=lambda c: pd.to_datetime(c).dt.strftime("%d.%m.%Y")),
    "zone": lambda: changed(date=lambda c: c + "T00:00Z"),
    "summer time": lambda: {"frame": hours(), "plan": YAML.replace('format: "%Y-%m-%d"', "stamp: start")},
    "separator": lambda: {"text": table().to_csv(index=False, sep=";")},
    "comma": lambda: {"text": table().to_csv(index=False, sep=";", decimal=","), "plan": f'separator: ";"\n{YAML}'},
    "fill value": lambda: changed(theta_5cm=once(300, -9999)),
    "text": lambda: changed(rain_mm=once(300, "trace")),
    "cut off": lambda: {"text": table().to_csv(index=False)[:-7]},
    "place": lambda: {"plan": YAML.replace(", lat: 48.10, lon: 11.50", "")},
}


def test_every_mistake_of_the_page_is_made_here_and_the_other_way_round():
    assert set(FAULTS) == {*MAKE, "short"}


@pytest.mark.parametrize("fault", MAKE)
def test_a_mistake_gives_the_message_that_the_page_quotes(fault, tmp_path, monkeypatch):
    write(tmp_path / "my" / "stations", **MAKE[fault]())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["smlib", "data", "check", "my/stations"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert words(end.value.code) == words(FAULTS[fault])


def test_a_record_that_is_too_short_gives_the_message_that_the_page_quotes(tmp_path):
    write(tmp_path, table(days=120))
    with pytest.raises(ValueError) as error:
        prepare_all(open_source(tmp_path))
    assert words(str(error.value)) == words(FAULTS["short"])


def test_the_page_shows_the_head_of_the_table():
    assert table().to_csv(index=False).startswith(CSV) and CSV.count("\n") > 3


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The page's commands, run one after the other in one shell in a clone that holds `my/stations`."""
    project = Project(tmp_path_factory.mktemp("tutorial") / "a clone")
    return project, follow(project)


def follow(project):
    """(command, what it printed, what the page says that it prints or None) of each bash block of the page."""
    shutil.copytree(ROOT / "data", project.root / "data", dirs_exist_ok=True, ignore=shutil.ignore_patterns("local"))
    (project.root / "book" / "stations").mkdir()
    shutil.copy2(ROOT / "book" / "stations" / "compare.ipynb", project.root / "book" / "stations")
    write(project.root / "my" / "stations")
    steps = [k for k, (*_, language, _) in enumerate(BLOCKS) if language == "bash"]
    mark = "=== next ==="
    script = "set -eu\n" + f"\necho '{mark}'\n".join(BLOCKS[k][3] for k in steps)
    env = os.environ | {"PYTHONPATH": str(project.root),
                        "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=project.root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    said = [after[3] if after[:3] == ("", "", "text") else None for after in (BLOCKS[k + 1] for k in steps)]
    return list(zip((BLOCKS[k][3] for k in steps), done.stdout.split(f"{mark}\n"), said, strict=True))


def test_the_commands_print_what_the_page_says(done):
    quoted = 0
    for command, printed, said in done[1]:
        if said is None:
            continue
        quoted += 1
        pattern = re.escape(said.strip()).replace("<hash>", "[0-9a-f]{16}").replace("…", ".*")
        numbers = re.compile(r"\d\.\d{4}")  # scores: equal to the last digit but one on any machine
        pattern = re.sub(r"\d\\\.\d{4}", r"\\d\\.\\d{4}", pattern)
        assert re.fullmatch(pattern, printed.strip()), f"{command}\n{printed}"
        np.testing.assert_allclose([float(x) for x in numbers.findall(printed)],
                                   [float(x) for x in numbers.findall(said)], rtol=0, atol=1.5e-4)
    assert quoted >= 4


def test_the_run_is_of_this_station_and_its_scores_are_those_of_the_truth(done):
    run, = (done[0].runs / "smoke" / "stations" / "compare").glob("*/results")
    skill = pd.read_csv(run / "skill.csv")
    assert set(skill["site"]) == {"MyField", "all"} and set(skill["source"]) == {"stations"}
    assert set(skill["model"]) == {"persistence", "climatology", "ridge"}
    rmse = skill[(skill["site"] == "MyField") & (skill["metric"] == "RMSE") & skill["variant"].isna()]
    first = pd.Timestamp(pd.read_csv(run / "levels.csv")["test"][0].split(" to ")[0])
    frame = table().set_index(pd.to_datetime(table()["date"]))
    for name, level in LEVELS.items():
        for lead in (1, 3, 7):
            score = rmse[(rmse["depth_m"] == level["depth_m"]) & (rmse["lead_d"] == lead)].set_index("model")["value"]
            # Persistence is arithmetic on the table: origins from the day before the test, all leads inside it.
            values = frame[name].loc[first - pd.Timedelta(days=1):] / 100
            change = (values.shift(-lead) - values).iloc[:len(values) - 7]
            assert score["persistence"] == pytest.approx(np.sqrt((change**2).mean()), rel=1e-9)
            # The law says 2 V (1 - a^h); rain is heavy and a year of it is little.
            a, gain, noise = level["memory"], level["gain"], level["noise"]
            variance = (gain**2 * WET_DAYS * RAIN**2 * (2 - WET_DAYS) + noise**2) / (1 - a**2)
            assert score["persistence"] == pytest.approx(np.sqrt(2 * variance * (1 - a**lead)) / 100, rel=0.2)
            # Who knows the law and the rain of the days ahead is left with the noise; ridge comes that far.
            known = values - level["mean"] / 100
            for k in range(1, lead + 1):
                known = a * known + gain * (frame["rain_mm"].shift(-k) - WET_DAYS * RAIN) / 100
            error = (values.shift(-lead) - level["mean"] / 100 - known.reindex(values.index)).iloc[:len(values) - 7]
            assert score["ridge"] == pytest.approx(np.sqrt((error**2).mean()), rel=0.03)
            if lead == 1:
                assert score["ridge"] == pytest.approx(noise / 100, rel=0.1)
            assert score["climatology"] > 2 * score["ridge"]


def test_the_page_can_be_looked_at(done):
    html = done[0].root / "my" / "page" / "_build" / "html" / "compare.html"
    assert "MyField" in html.read_text() and html.with_name("_images").is_dir()
