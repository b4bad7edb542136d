"""The benchmark runs and prints what its reader needs; how fast anything is, no test says."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_ensemble_benchmark_prints_rates_and_their_ratios():
    command = [sys.executable, "benchmarks/ensemble.py", "--members", "16", "--networks", "1D-CNN",
               "--seconds", "0.05", "--rounds", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["members"] == 16 and list(found["networks"]) == ["1D-CNN"]
    for one in found["networks"].values():
        rates = one["member_steps_per_second"]
        assert set(rates) == {"usual", "best", "engine"} and all(r["low"] > 0 for r in rates.values())
        for way, ratio in one["ratios"].items():
            assert ratio["low"] <= ratio["median"] <= ratio["high"]
            other = rates[way.removeprefix("engine / ")]
            assert rates["engine"]["low"] / other["high"] <= ratio["median"] * 1.01
    assert found["study_hours"] > 0


def test_the_world_benchmark_prints_cell_days_a_second_and_growth():
    command = [sys.executable, "benchmarks/world.py", "--cells", "30", "60", "--years", "1", "2", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    parts = {"weather", "vegetation", "soil", "retrievals", "conus", "nldas"}
    assert set(found["cell_days_a_second"]) == set(found["growth"]) == parts
    assert all(rate["low"] <= rate["median"] <= rate["high"] for rate in found["cell_days_a_second"].values())
    assert [(size["cells"], size["days"]) for size in found["sizes"]] == [(30, 730), (60, 730), (60, 365)]
    assert all(set(growth) == {"cells", "days"} for growth in found["growth"].values())


def test_the_assimilation_benchmark_prints_times_ratios_and_equal_analyses():
    command = [sys.executable, "benchmarks/assimilation.py", "--size", "9", "11", "--ensemble", "4", "--rounds", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert set(found["analyses"]) == {"optimal", "interpolation", "enkf"}
    for one in found["analyses"].values():
        assert one["largest_difference"] < 1e-10
        for values in (one["ratio"], *one["milliseconds_a_day"].values()):
            assert 0 < values["low"] <= values["median"] <= values["high"]


def test_the_convlstm_benchmark_prints_rates_ratios_memory_and_equal_losses():
    command = [sys.executable, "benchmarks/convlstm.py", "--size", "6", "7", "--batch", "2", "--days", "3",
               "--rounds", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    ways = {"ours", "common"} | ({"keras"} if found["keras"] == "measured" else set())
    assert found["keras"] in ("measured", "not installed")
    assert set(found["steps_per_second"]) == set(found["peak_memory_mib"]) == ways
    assert set(found["ratios"]) == {f"ours / {way}" for way in ways - {"ours"}}
    for values in (*found["steps_per_second"].values(), *found["ratios"].values()):
        assert 0 < values["low"] <= values["median"] <= values["high"]
    assert all(peak > 0 for peak in found["peak_memory_mib"].values())
    assert found["loss_curves"]["largest_relative_difference"] < 1e-3  # the same network


def test_the_streaming_benchmark_trains_on_a_cube_that_it_never_holds():
    command = [sys.executable, "benchmarks/streaming.py", "--days", "100", "--size", "40", "80", "--channels", "4",
               "--steps", "3", "--limit", "1.5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert 0 < found["peak_gib"] < 1.5
