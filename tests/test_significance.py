"""Diebold-Mariano: its size and power on known truth, gaps counted in days, Holm, and the answer over sites."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.fft import dct
from scipy.signal import lfilter
from statsmodels.tsa.stattools import diebold_mariano_test

from smlib.evaluate.significance import METHODS, compare, daily_loss, diebold_mariano, pooled, site_ratio


def memory(series, n, rho, seed=0):
    """AR(1) series of mean 0: (series, n)."""
    noise = np.random.default_rng(seed).normal(size=(series, n + 200))
    return lfilter([1], [1, -rho], noise, axis=1)[:, 200:]


def rejections(differences, time=None, lead=1, method="cosine"):
    nothing = np.zeros(differences.shape[1])
    return np.mean([diebold_mariano(d, nothing, time, lead, method).p < 0.05 for d in differences])


@pytest.mark.parametrize("n, rho", [(100, 0.0), (100, 0.5), (300, 0.9), (1000, 0.9)])
def test_equal_forecasts_are_told_apart_in_five_percent(n, rho):
    """Of 1000 tests: from three standard errors below 5 % to three above the 6.5 % that the docstring states."""
    assert 0.030 < rejections(memory(1000, n, rho)) < 0.085


def test_bartlett_rejects_far_too_often_when_errors_last():
    assert rejections(memory(300, 200, 0.9), method="bartlett") > 0.25
    assert rejections(memory(300, 200, 0.9)) < 0.10


@pytest.mark.parametrize("method", METHODS)
def test_power_grows_with_the_difference(method):
    noise = memory(300, 300, 0.5)
    error = 1 / (1 - 0.5) / np.sqrt(300)  # of the mean, in the long run
    rates = [rejections(noise + k * error, method=method) for k in (0, 2, 4)]
    assert rates[0] < rates[1] < rates[2] and rates[1] > 0.3 and rates[2] > 0.9


def test_bartlett_is_the_test_of_statsmodels_where_no_day_is_missing():
    rng = np.random.default_rng(1)
    observed, a, b = rng.normal(size=(3, 250))
    for lead in (1, 7):
        lags = max(lead - 1, int(4 * (250 / 100) ** (2 / 9)))
        theirs = diebold_mariano_test(observed, a, b, lags=lags, harvey_adj=True, horizon=lead)
        ours = diebold_mariano((a - observed) ** 2, (b - observed) ** 2, lead=lead, method="bartlett")
        assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9)
        assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)


def test_cosine_is_the_cosine_transform_where_no_day_is_missing():
    d = np.random.default_rng(2).normal(0.1, 1, 400)
    d[1::2] = -d[::2]  # alternates, so no term is lost to memory
    found = diebold_mariano(d, np.zeros(400))
    terms = int(0.4 * 400 ** (2 / 3))
    slow = dct(d, type=2, norm="ortho")[1:terms + 1]
    assert found.df == terms
    assert found.statistic == pytest.approx(d.mean() / np.sqrt((slow**2).mean() / 400), rel=1e-9)


def test_lags_are_days_and_not_rows():
    rng = np.random.default_rng(3)
    day = np.sort(rng.choice(200, 100, replace=False))
    d = rng.normal(size=100)
    z = d - d.mean()
    lags = int(4 * (100 / 100) ** (2 / 9))
    variance = sum((1 - abs(s - t) / (lags + 1)) * z[i] * z[j] for i, s in enumerate(day) for j, t in enumerate(day)
                   if abs(s - t) <= lags) / 100**2
    found = diebold_mariano(d, np.zeros(100), np.datetime64("2010-01-01") + day, method="bartlett")
    assert found.statistic == pytest.approx(d.mean() / np.sqrt(variance) * np.sqrt(99 / 100))


@pytest.mark.parametrize("day", [np.r_[:60, 160:287], np.sort(np.random.default_rng(4).choice(300, 150, False))],
                         ids=["one long gap", "every other day, at random"])
def test_gaps_do_not_change_how_often_equal_forecasts_are_told_apart(day):
    assert 0.02 < rejections(memory(600, day[-1] + 1, 0.7)[:, day], day) < 0.085


def test_cosine_has_its_exact_distribution_under_white_noise_whatever_the_gaps():
    """The mean and the fitted cosines are orthonormal, so the statistic does not know of the gap."""
    day = np.r_[:20, 80:100]
    found = [diebold_mariano(d, np.zeros(40), day) for d in np.random.default_rng(5).normal(size=(4000, 40))]
    few = [f.p for f in found if f.df == int(0.4 * 40 ** (2 / 3))]
    assert len(few) > 3000 and np.mean(np.array(few) < 0.05) == pytest.approx(0.05, abs=0.012)


def test_exchanging_the_forecasts_changes_the_sign_alone():
    a, b = np.random.default_rng(6).gamma(1, size=(2, 120))
    for method in METHODS:
        one, other = diebold_mariano(a, b, method=method), diebold_mariano(b, a, method=method)
        assert (one.difference, one.statistic) == (-other.difference, -other.statistic) and one.p == other.p
        assert (one.low, one.high) == (-other.high, -other.low)


def test_interval_and_p_agree():
    for seed in range(40):
        d = np.random.default_rng(seed).normal(0.15, 1, 150)
        found = diebold_mariano(d, np.zeros(150))
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_a_model_against_itself_is_no_better():
    loss = np.random.default_rng(7).gamma(1, size=50)
    found = diebold_mariano(loss, loss)
    assert (found.statistic, found.p, found.difference) == (0, 1, 0)


@pytest.mark.parametrize("change", [{"time": np.r_[:20, 10:30]}, {"loss_a": np.full(40, np.nan)}, {"method": "naive"},
                                    {"loss_a": np.ones(5), "loss_b": np.zeros(5)}, {"time": np.arange(39)}])
def test_unusable_losses_are_refused(change):
    with pytest.raises(ValueError):
        diebold_mariano(**({"loss_a": np.ones(40), "loss_b": np.zeros(40)} | change))


# many levels ------------------------------------------------------------------------------------------------------

def level(site, label, scale, n=200, seed=0):
    """One level with the models A and B; `scale` is the error of A relative to that of B."""
    rng = np.random.default_rng([seed, *map(ord, site + label)])
    observed = rng.normal(0.3, 0.05, (n, 2))
    values = {name: observed + 0.01 * size * rng.normal(size=(3, n, 2)) for name, size in (("A", scale), ("B", 1))}
    return SimpleNamespace(values=values, observed=observed, origins=np.datetime64("2010-01-01") + np.arange(n),
                           leads=(1, 7), series=SimpleNamespace(site=site, label=label))


def test_repetitions_are_judged_one_by_one():
    """Ten forecasts whose errors cancel have a perfect mean and imperfect losses."""
    f = level("S", "0.05 m", 1)
    f.values["A"] = f.observed + np.array([0.02, -0.02])[:, None, None]
    np.testing.assert_allclose(daily_loss(f, "A"), 0.02**2)
    np.testing.assert_allclose(daily_loss(f, "A", power=1), 0.02)


def test_compare_finds_better_worse_and_undecided():
    done = [level("S", "0.05 m", 0.5), level("S", "0.20 m", 1.0), level("T", "0.05 m", 2.0)]
    table = compare(done, "A", "B")
    assert table["verdict"].tolist() == ["better"] * 2 + ["undecided"] * 2 + ["worse"] * 2
    first = table.iloc[0]
    assert first["loss"] == pytest.approx(((done[0].values["A"] - done[0].observed)[..., 0] ** 2).mean())
    assert first["difference"] == pytest.approx(first["loss"] - first["loss_reference"])
    assert first["skill"] == pytest.approx(0.75, abs=0.05) and first["n"] == 200
    assert first["low"] < first["difference"] < first["high"] < 0


def test_holm_adjusts_over_the_levels_of_a_lead():
    table = compare([level("S", f"0.{k}0 m", 1.0) for k in range(1, 5)], "A", "B")
    for _, here in table.groupby("lead_d"):
        p = here["p"].to_numpy()
        order = np.argsort(p)
        expected = np.minimum(np.maximum.accumulate(p[order] * np.arange(4, 0, -1)), 1)
        np.testing.assert_allclose(here["p_holm"].to_numpy()[order], expected)


def test_a_missing_forecast_is_not_scored_and_no_test():
    done = [level("S", "0.05 m", 1.1), level("S", "0.20 m", 1.1)]
    alone = compare(done[:1], "A", "B")
    done[1].values["A"][0, 5] = np.nan
    table = compare(done, "A", "B")
    assert table["verdict"].tolist()[2:] == ["not scored"] * 2 and table["n"].tolist() == [200, 200, 0, 0]
    np.testing.assert_allclose(table["p_holm"][:2], alone["p_holm"])
    assert pooled(table)["levels"].tolist() == [1, 1]


def test_compare_names_the_model_that_is_not_there():
    with pytest.raises(ValueError, match="'C' at S, 0.05 m: A, B"):
        compare([level("S", "0.05 m", 1)], "C", "B")


def test_pooled_weighs_sites_and_counts_levels():
    scales = {"S": (0.5, 0.5, 0.5), "T": (2.0,)}
    done = [level(site, f"{k}.00 m", s) for site, values in scales.items() for k, s in enumerate(values)]
    row = pooled(compare(done, "A", "B")).iloc[0]
    assert row["skill"] == pytest.approx(0, abs=0.12), "half and twice the error at one site each"
    assert (row["levels"], row["levels_lower"], row["better"], row["worse"]) == (4, 3, 3, 1)
    assert (row["sites"], row["sites_lower"], row["verdict"]) == (2, 1, "too few sites")


def test_pooled_skill_is_antisymmetric():
    done = [level(f"S{k}", "0.05 m", 0.6 + 0.2 * k) for k in range(6)]
    one, other = (pooled(compare(done, *names)).iloc[0] for names in (("A", "B"), ("B", "A")))
    assert 1 - one["skill"] == pytest.approx(1 / (1 - other["skill"]))


def test_sites_decide_only_if_they_are_enough():
    same = np.log([0.5, 0.6, 0.5, 0.6, 0.5, 0.6])
    assert site_ratio(same)["verdict"] == "better" and site_ratio(-same)["verdict"] == "worse"
    assert site_ratio(same[:5])["verdict"] == "too few sites"
    assert site_ratio(np.r_[same[:3], -same[:3]])["verdict"] == "undecided"
    found = site_ratio(same)
    assert found["skill"] == pytest.approx(1 - np.sqrt(0.3)) and found["p_sign"] == pytest.approx(2 / 2**6)
    assert 0.4 <= found["low"] < found["skill"] < found["high"] <= 0.5


def test_sites_are_drawn_as_many_as_there_are():
    """The mean of three sites, one of which has 1 and two 0: 0, 1/3, 2/3, 1 by the binomial law, 1 in 3.7 %."""
    found = site_ratio([-1.0, 0.0, 0.0], draws=4000)
    assert (found["low"], found["high"]) == pytest.approx((0, 1 - np.exp(-1)))


def test_sites_without_a_ratio_are_left_out():
    found = site_ratio([np.nan, np.log(0.5), -np.inf])
    assert found["sites"] == 1 and found["skill"] == pytest.approx(0.5) and np.isnan(found["low"])
    nothing = site_ratio([np.nan])
    assert nothing["sites"] == 0 and np.isnan(nothing["skill"])


def test_a_level_forecast_without_error_has_no_ratio():
    done = [level("S", "0.05 m", 0.5), level("S", "0.20 m", 0.5)]
    done[1].values["B"] = np.repeat(done[1].observed[None], 3, axis=0)
    row = pooled(compare(done, "A", "B")).iloc[0]
    assert row["skill"] == pytest.approx(0.75, abs=0.05) and row["levels"] == 2
