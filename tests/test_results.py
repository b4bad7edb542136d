"""What notebooks leave behind."""

import shlex

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from smlib.evaluate import COLUMNS
from smlib.run import RunError, begin, params
from smlib.run.results import COST

ROW = {"study": "part", "source": "embedded", "protocol": "strict", "model": "RF", "variant": "", "site": "A",
       "depth_m": 0.05, "lead_d": 1, "metric": "R2", "value": 0.1 + 0.2, "low": 0.2, "high": 0.4, "n": 10}


@pytest.fixture
def run(here, monkeypatch):
    for name in ("SMLIB_RUN_DIR", "SMLIB_NOTEBOOK"):
        monkeypatch.delenv(name, raising=False)
    here.notebook("part/page", parameters='source = "embedded"\nseed = 0\nleads = [1, 3]')
    return begin("part/page", source="embedded", seed=3, leads=[1, 3])


def _skill(**changes):
    return pd.DataFrame([ROW | changes], columns=list(COLUMNS))


def test_results_land_in_the_repository_whatever_the_working_directory(run, here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = run.table("means", pd.DataFrame({"a": [1]}))
    assert path == here.root / "runs" / "adhoc" / "part" / "page" / "results" / "means.csv" and path.exists()


def test_results_land_in_the_runners_folder(here, tmp_path, monkeypatch):
    here.notebook("part/page")
    monkeypatch.setenv("SMLIB_RUN_DIR", str(tmp_path / "run"))
    assert begin("part/page", seed=0).path == tmp_path / "run" / "results"


def test_what_an_earlier_run_left_is_gone(run):
    run.table("old", pd.DataFrame({"a": [1]}))
    assert not (begin("part/page", source="embedded", seed=0, leads=[1]).path / "old.csv").exists()


def test_numbers_keep_every_digit(run):
    frame = pd.DataFrame({"a": [0.1 + 0.2, 1e-300, np.nan]})
    read = pd.read_csv(run.table("a", frame))
    pd.testing.assert_frame_equal(read, frame, check_exact=True)


def test_a_table_that_fails_to_be_written_leaves_the_old_one(run, monkeypatch):
    path = run.table("a", pd.DataFrame({"a": [1]}))
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        run.table("a", pd.DataFrame({"a": [2]}))
    assert path.read_text() == "a\n1\n"


def test_any_name_of_a_site_may_name_a_result_but_never_leaves_the_folder(run):
    frame = pd.DataFrame({"a": [1]})
    paths = [run.table(name, frame) for name in ("series-FI-Hyy", "St. Louis/2", "../../a", "Ås")]
    assert [path.name for path in paths] == ["series-FI-Hyy.csv", "St_Louis_2.csv", "_a.csv", "_s.csv"]
    assert {path.parent for path in paths} == {run.path}
    run.table("St. Louis/2", frame)
    with pytest.raises(ValueError, match="would be one file"):
        run.table("St Louis 2", frame)


def test_skill_is_written_as_it_stands(run):
    frame = pd.concat([_skill(), _skill(metric="r", depth_m=np.nan, low=np.nan, high=np.nan, variant="level 1")])
    read = pd.read_csv(run.skill(frame), keep_default_na=False, dtype=str)
    assert list(read) == list(COLUMNS) and read["value"].tolist() == [repr(0.1 + 0.2)] * 2
    assert read["depth_m"].tolist() == ["0.05", ""] and read["n"].tolist() == ["10", "10"]


@pytest.mark.parametrize(("changes", "rule"), [
    ({"value": np.inf}, "infinite"), ({"value": np.nan}, "no value although"), ({"n": -1}, "n is not"),
    ({"n": 1.5}, "n is not"), ({"low": np.nan}, "both"), ({"low": 0.5}, "low is above high"), ({"model": ""}, "model"),
    ({"study": None}, "study"), ({"lead_d": 1.5}, "lead_d"), ({"n": np.nan}, "n is not")])
def test_skill_that_breaks_a_rule_is_refused(run, changes, rule):
    with pytest.raises(ValueError, match=rule):
        run.skill(_skill(**changes))
    assert not (run.path / "skill.csv").exists()


def test_skill_without_pairs_needs_no_value(run):
    assert run.skill(_skill(value=np.nan, low=np.nan, high=np.nan, n=0)).exists()


def test_skill_needs_the_exact_columns_and_no_score_twice(run):
    for frame in (_skill().assign(more=1), _skill().drop(columns="n"), _skill()[list(COLUMNS[::-1])]):
        with pytest.raises(ValueError, match="the columns must be study, source"):
            run.skill(frame)
    with pytest.raises(ValueError, match="stands twice"):
        run.skill(pd.concat([_skill(), _skill(value=0.0)]))
    with pytest.raises(ValueError, match="no rows"):
        run.skill(_skill().iloc[:0])


def test_cost_is_checked_too(run):
    good = pd.DataFrame([["part", "RF", "cpu", "fit_s", 1.5]], columns=list(COST))
    assert run.cost(good).read_text() == "study,model,device,metric,value\npart,RF,cpu,fit_s,1.5\n"
    with pytest.raises(ValueError, match="not a finite number"):
        run.cost(good.assign(value=np.nan))


def test_a_figure_is_saved_stays_open_and_equal_figures_are_equal_files(run):
    files = []
    for name in ("one", "two"):
        fig, ax = plt.subplots()
        ax.plot([1, 2])
        files.append(run.figure(name, fig, alt="A line from one to two"))
        assert fig.alt == "A line from one to two."
        assert plt.fignum_exists(fig.number)
        plt.close(fig)
    assert files[0].parent == run.path / "figures" and files[0].read_bytes() == files[1].read_bytes()


def test_figures_of_simulated_data_say_so(run):
    for simulated in (False, True):
        run.simulated = simulated
        fig, _ = plt.subplots()
        run.figure(f"figure-{simulated}", fig, alt="Empty axes without a line")
        assert ("simulated" in [text.get_text() for text in fig.texts]) is simulated
        plt.close(fig)


def test_the_command_that_repeats_a_run_gives_its_parameters_back(run, here):
    (here.root.parent / "my data").mkdir()
    given = {"source": str(here.root.parent / "my data"), "seed": 7, "leads": [1, 3]}
    line = begin("part/page", **given).reproduce().split("```bash\n")[1].split("\n")[0]
    words = shlex.split(line)
    assert words[:5] == ["python", "-m", "smlib", "run", "book/part/page.ipynb"]
    assert words[5:] == ["-p", "source=../my data", "-p", "seed=7"]  # the default is left out
    assert params.check("part/page", params.parse(words[6::2])) == {"source": "../my data", "seed": 7}


def test_begin_checks_name_and_parameters(run, monkeypatch):
    with pytest.raises(RunError, match="lacks the parameters source, leads"):
        begin("part/page", seed=1)
    with pytest.raises(RunError, match="no parameter extra"):
        begin("part/page", source="embedded", seed=1, leads=[1], extra=1)
    with pytest.raises(RunError, match="no notebook part/other"):
        begin("part/other")
    monkeypatch.setenv("SMLIB_NOTEBOOK", "part/another")
    with pytest.raises(RunError, match="stands in the notebook part/another"):
        begin("part/page", source="embedded", seed=1, leads=[1])


def test_begin_fixes_the_seed(run):
    first = np.random.rand()
    begin("part/page", source="embedded", seed=3, leads=[1])
    second = np.random.rand()
    begin("part/page", source="embedded", seed=3, leads=[1])
    assert np.random.rand() == second and isinstance(first, float)
