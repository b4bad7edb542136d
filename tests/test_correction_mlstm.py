"""MLSTM: sequences and losses by hand, and on a made-up network above all that nothing leaks into what is held out."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from smlib import paths
from smlib.correction import fits, mlstm, study
from smlib.correction.data import AUXILIARIES, Matched, Points
from smlib.correction.folds import PROTOCOLS, Fold, deal
from smlib.correction.losses import LOSSES, TARGETS, blended, discounted, in_situ
from smlib.correction.mlstm import Settings
from smlib.correction.sequences import LETTERS, RANGE, VALIDATION, Cut, Inputs, Range, training_and_validation
from smlib.correction.study import Entry, Surroundings
from smlib.data.schema import DataError

TIME = np.arange("2016-01-01", "2018-01-01", dtype="M8[D]")
YEAR = (TIME >= np.datetime64("2017-01-01")).astype(int)
GROUP = np.repeat(np.arange(6), 2)  # of 12 stations, two in a cell
QUICK = Settings(hidden=4, epochs=2, batch=8, learning_rate=0.01, sequence_days=30, dropout=0.2, steps=3, device="cpu")
KEY = ("HILL", "SMAP")


def bucket(rain, keeps, days):
    """Moisture that rain fills and drainage empties: a share `keeps` stays from day to day."""
    water = np.zeros((len(rain), days))
    for t in range(days):
        water[:, t] = keeps * (water[:, t - 1] if t else 0.02) + 0.003 * rain[:, t]
    return 0.08 + water


@cache
def made_up():
    """12 stations in 6 of 9 cells, two years: (Points, Matched of SMAP, Matched of ASCAT in the first 4 cells)."""
    rng, days = np.random.default_rng(0), len(TIME)
    rain = rng.gamma(0.8, 8, (9, days)) * (rng.random((9, days)) < 0.25)
    season = np.sin(2 * np.pi * np.arange(days) / 365)
    others = season + rng.normal(0, 0.2, (3, 9, days))
    truth = bucket(rain, 0.93, days)
    auxiliaries = np.stack([others[0], rain, 15 + 10 * others[1], 2 + others[2]], -1).astype(np.float32)
    auxiliaries[:, ::50, 0] = np.nan
    of_station = truth[:6].repeat(2, 0)
    reported = of_station + rng.normal(0, 0.01, of_station.shape)
    reported[rng.random(reported.shape) < 0.1] = np.nan
    sites = pd.DataFrame({"lat": 50.0, "lon": 10 + 0.1 * GROUP, "group": GROUP},
                         index=pd.Index([f"station {k}" for k in range(12)], name="site"))
    points = Points("HILL", TIME, sites, reported.astype(np.float32), auxiliaries[:6].repeat(2, 0),
                    of_station.astype(np.float32))
    at = np.arange(9)
    cells = pd.DataFrame({"row": at // 3, "column": at % 3, "lat": 50.2 - 0.1 * (at // 3), "lon": 10 + 0.1 * (at % 3),
                          "stations": np.where(at < 6, 2, 0), "group": np.where(at < 6, at, -1)})
    values = 0.15 + 0.4 * truth + rng.normal(0, 0.01, truth.shape)
    values[rng.random(values.shape) < 0.4] = np.nan
    mean = np.full(truth.shape, np.nan)
    mean[:6] = reported.reshape(6, 2, days).mean(1)
    smap = Matched("HILL", "SMAP", TIME, cells, (3, 3), values.astype(np.float32), mean.astype(np.float32),
                   auxiliaries, truth.astype(np.float32), (truth + rng.normal(0, 0.02, truth.shape)).astype(np.float32))
    few = mlstm.cells_of(smap, np.arange(4))
    return points, smap, replace(few, product="ASCAT", values=few.values * 2 - 0.2, model=None)


def made_study(points=None, smap=None, ascat=None):
    """A `Study` of the made-up network; without arguments as it is, else with other stations or other SMAP."""
    points, smap = points or made_up()[0], smap or made_up()[1]
    everywhere = {"SMAP": smap} | ({"ASCAT": ascat} if ascat else {})
    folds = deal(points.sites["group"], TIME, 3)
    matched = {name: mlstm.with_stations(one)[0] for name, one in everywhere.items()}
    around = {"HILL": Surroundings(points, matched, everywhere, folds)}
    return study.Study(around, tuple(everywhere), "simulated", "hill")


def stage_1(points, smap, settings=QUICK, combinations=("LEP",)):
    """Estimates at the cells (member, cell, day) of a combination, and what was trained."""
    folds = deal(points.sites["group"], TIME, 3)
    jobs = mlstm.estimation_jobs(points, folds, combinations, settings)
    trained = mlstm.train_jobs({c: ("HILL", some) for c, some in jobs.items()}, settings)[combinations[0]]
    return trained.predict(None, mlstm.with_stations(smap)[0].auxiliaries), trained


def stage_2(smap, estimates, weight=0.5, loss="blended", settings=QUICK, auxiliaries=""):
    """Corrected (member, cell, day), and what was trained."""
    here = mlstm.with_stations(smap)[0]
    jobs = mlstm.correction_jobs(here, made_study().networks["HILL"].folds, estimates, weight, settings, auxiliaries)
    trained = mlstm.train_jobs({0: ("HILL", jobs)}, settings, loss)[0]
    return trained.predict(here.values, here.auxiliaries), trained


@cache
def plain():
    """Stage 1 and stage 2 of the made-up network as it is."""
    estimates = stage_1(*made_up()[:2])[0]
    return estimates, stage_2(made_up()[1], estimates)[0]


# --- Sequences


@pytest.mark.parametrize("length", [1, 2, 3, 7, 30, 90])
def test_every_day_is_asked_for_once_after_a_lead_in(length):
    for days in (length, length + 1, 2 * length, 3 * length - 1, 200, 731):
        if days < length:
            continue
        cut = Cut(days, length)
        at = cut.starts[:, None] + np.arange(length)
        assert (at.max(1) < days).all()
        np.testing.assert_array_equal(np.bincount(at[cut.asked], minlength=days), 1)
        assert cut.asked[0].all()
        assert not cut.asked[1:, :cut.lead].any()
        series = np.random.default_rng(days).normal(size=(2, 3, days))
        np.testing.assert_array_equal(cut.join(np.stack([cut.take(one) for one in series])), series)


def test_days_that_are_not_asked_for_do_not_count_in_joining():
    cut = Cut(10, 6)  # lead-in 2; from days 0 and 4
    np.testing.assert_array_equal(cut.starts, [0, 4])
    np.testing.assert_array_equal(cut.join(np.stack([np.full(6, 1.0), np.full(6, 2.0)])), [1] * 6 + [2] * 4)
    with pytest.raises(ValueError, match="5 days are too few for sequences of 6"):
        _ = Cut(5, 6).starts


def test_inputs_by_hand():
    """Two cells, the second not in training: standardised precipitation, filled gaps, the product's last value."""
    auxiliaries = np.zeros((2, 30, 4))
    auxiliaries[..., 1] = np.where(np.arange(30) % 2, np.expm1(2.0), 0)
    auxiliaries[1, :, 1] = 99
    auxiliaries[..., 2] = np.arange(30.0)
    auxiliaries[0, 3:11, 2] = auxiliaries[0, 12:21, 2] = np.nan  # gaps of 8 days and of 9
    auxiliaries[0, 28:, 2] = np.nan  # and one without an end
    values = np.full((2, 30), np.nan)
    values[0, [2, 5]] = 0.2, 0.4
    values[1] = 7.0
    training = np.array([[True], [False]]).repeat(30, 1)
    inputs = Inputs("PL", product=True).fit(values, auxiliaries, training & np.isfinite(auxiliaries[..., 2]))
    known = np.array([k for k in range(28) if k not in range(3, 11) and k not in range(12, 21)])
    mean, spread = known.mean(), known.std()
    assert inputs.mean_[1] == pytest.approx(mean)
    inputs = Inputs("PL", product=True).fit(values, auxiliaries, training & np.isfinite(values))
    np.testing.assert_allclose([inputs.mean_[0], inputs.spread_[0]], [1, 1])  # log(1 + P) was 0 and 2
    assert (inputs.product_mean_, inputs.product_spread_) == pytest.approx((0.3, 0.1))
    inputs.mean_[1], inputs.spread_[1] = mean, spread
    x = inputs.transform(values, auxiliaries)
    assert x.shape == (2, 30, 4)
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    np.testing.assert_allclose(x[0, :, 0], np.where(np.arange(30) % 2, 1, -1), atol=1e-6)
    line = np.where((np.arange(30) >= 12) & (np.arange(30) < 21) | (np.arange(30) >= 28), 0,
                    (np.arange(30) - mean) / spread)
    np.testing.assert_allclose(x[0, :, 1], line, atol=1e-6)
    np.testing.assert_allclose(x[0, :, 2], [0, 0, -1, -1, -1] + [1] * 25, atol=1e-6)
    np.testing.assert_allclose(x[0, :, 3], [1, 1, 0, 0.1, 0.2, *np.minimum(np.arange(25) / 10, 1)], atol=1e-6)


def test_an_unknown_auxiliary_is_an_error():
    assert tuple(LETTERS) == tuple(AUXILIARIES)
    with pytest.raises(ValueError, match="no auxiliary X; there are F, P, L, E"):
        Inputs("FX")


def test_moisture_of_the_training_spans_the_range_of_the_output():
    scale = Range().fit(np.array([0.1, np.nan, 0.3, 0.2]))
    np.testing.assert_allclose(scale.transform(np.array([0.1, 0.2, 0.3])), [RANGE[0], sum(RANGE) / 2, RANGE[1]])
    moisture = np.random.default_rng(0).normal(0.2, 0.2, 50)
    np.testing.assert_allclose(scale.inverse(scale.transform(moisture)), moisture)


def test_no_day_of_a_cell_is_both_in_training_and_in_validation():
    """Targets are the numbers of cell and day, so each can be found again."""
    cut, cells = Cut(300, 60), 7
    number = np.arange(cells * 300, dtype=float).reshape(cells, 300)
    known = np.ones(number.shape, bool)
    known[2, :250] = False
    settings, none = np.full((cells, 300, 2), 0.5), np.full((cells, 300, 1), np.nan)
    target = np.concatenate([np.where(known, number, np.nan)[..., None], none, settings], -1)
    parts = training_and_validation(cut, number[..., None], target, TIME[:300])
    asked = [part.y[..., 0][np.isfinite(part.y[..., 0])] for part in parts]
    found = np.concatenate(asked)
    assert len(np.unique(found)) == len(found) == known.sum()
    assert 0.1 < len(asked[1]) / len(found) < 1.6 / VALIDATION
    for part in parts:
        assert (part.y[..., 2:] == 0.5).all()  # settings hold on all days
        assert np.isfinite(part.y[..., :2]).any((1, 2)).all()
        same = np.isfinite(part.y[..., 0])
        np.testing.assert_array_equal(part.x[..., 0][same], part.y[..., 0][same])
        np.testing.assert_array_equal(part.time, TIME[part.x[:, 0, 0].astype(int) % 300])


# --- Losses


def targets(weight, gaps=True, shape=(3, 5, 40)):
    """Estimates f, and targets u, y, weight, spread, all of about 0.5."""
    drawn = torch.as_tensor(np.random.default_rng(1).normal(0.5, 0.1, (3, *shape)))
    f, u, y = drawn
    if gaps:
        u[..., 3:6] = torch.nan
        y[..., 5:20] = torch.nan
    spread = torch.full(shape, 0.14, dtype=f.dtype)
    return f.clone().requires_grad_(), torch.stack([u, y, torch.full_like(u, weight), spread], -1)


def slope(loss, f):
    return torch.autograd.grad(loss.sum(), f)[0]


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0])
def test_the_blended_loss_is_stage_2s_loss_and_a_share_of_stage_1s(weight):
    f, known = targets(weight, gaps=False)
    u, y = known[..., TARGETS.index("estimate")], known[..., TARGETS.index("in_situ")]
    between = (f - (1 - weight) * u - weight * y) ** 2
    torch.testing.assert_close(blended(f, known), (between + weight * (1 - weight) * (u - y) ** 2).mean(-1))
    torch.testing.assert_close(slope(blended(f, known), f), slope(between.mean(-1), f))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_days_without_targets_add_nothing_and_have_no_slope(loss):
    f, known = targets(0.4)
    made = loss(f, known)
    assert made.shape == (3, 5)
    assert torch.isfinite(made).all()
    found = slope(made, f)
    assert torch.isfinite(found).all()
    assert (found[..., 5] == 0).all()  # neither u nor y
    assert (found[..., 0] != 0).all()
    only_y, only_u = found[..., 3] != 0, found[..., 10] != 0
    assert only_y.all() == only_u.all() == (loss is blended)  # discounting needs both
    u, y = known[..., 0], known[..., 1]
    if loss is blended:
        expected = (0.6 * torch.nan_to_num(f - u) ** 2 + 0.4 * torch.nan_to_num(f - y) ** 2).mean(-1)
        torch.testing.assert_close(made, expected)


def test_at_the_ends_of_the_weight_one_target_counts():
    f, known = targets(0.0)
    other = known.clone()
    other[..., 1] = torch.nan
    assert torch.equal(blended(f, known), blended(f, other))
    assert torch.equal(blended(f, known), in_situ(f, known[..., :1]))  # the same distance, to u
    f, known = targets(1.0)
    other = known.clone()
    other[..., 0] = 99.0
    assert torch.equal(blended(f, known), blended(f, other))
    torch.testing.assert_close(blended(f, known), torch.nan_to_num(f - known[..., 1]).square().mean(-1))


def test_discounting_trusts_days_less_on_which_stage_1_is_wrong():
    f, known = targets(0.0)
    both = known[..., 1] + 0 * known[..., 0]  # y where u is there too
    torch.testing.assert_close(discounted(f, known), torch.nan_to_num(f - both).square().mean(-1))
    f, known = torch.tensor([[0.7]], dtype=torch.double), torch.tensor([[[0.6, 0.4, 0.5, 0.1]]], dtype=torch.double)
    assert discounted(f, known).item() == pytest.approx(0.3**2 / (1 + 0.5 * 4))
    with pytest.raises(ValueError, match="no loss 'mixed'; there are blended, discounted"):
        mlstm.train_jobs({}, QUICK, "mixed")


# --- Settings


def test_settings_are_the_printed_ones_unless_given():
    found = Settings().of("OZNET")
    assert found == {"hidden": 100, "epochs": 110, "batch": 2, "learning_rate": 0.01, "days": 180, "dropout": 0.2,
                     "activation": "sigmoid"}
    assert Settings(dropout=0.0, sequence_days=300, hidden=3).of("OZNET") == found | {"dropout": 0.0, "hidden": 3}
    assert Settings().of("HOBE") | {"days": 90} == Settings().of("HOBE")
    assert (Settings().of("HOBE")["activation"], Settings().of("HOBE")["dropout"]) == ("ReLU", 0.0)
    assert Settings(sequence_days=30).of("HILL") == Settings().of("CTP-SMTMN") | {"days": 30}


# --- Leaks


def held_out(fold, year, groups):
    """(row, day) of what a member must not know, counted by hand: its stations, and its year with a month around it."""
    own = made_study().networks["HILL"].folds.of_group
    border = np.flatnonzero(np.diff(YEAR))[0] + 1  # the first day of the second year
    days = np.arange(len(TIME)) < border + 30 if year == 0 else np.arange(len(TIME)) >= border - 30
    return np.array([own.get(int(g), -1) == fold for g in groups])[:, None], days[None]


def spoilt(data, where, seed=1):
    """Points or Matched with other in-situ moisture, and other gaps, in some places, and with nothing else to learn."""
    rng = np.random.default_rng(seed)
    other = rng.uniform(0, 3, data.in_situ.shape)
    other[rng.random(other.shape) < 0.3] = np.nan
    nothing = {name: None for name in ("truth", "model") if hasattr(data, name)}
    return replace(data, in_situ=np.where(where, other, data.in_situ).astype(np.float32), **nothing)


def both_stages(which, fold, year):
    """Stages 1 and 2 with in-situ moisture spoilt: at the stations of a fold, in a year, or in both."""
    points, smap = made_up()[:2]
    new = []
    for data, groups in ((points, GROUP), (smap, smap.cells["group"])):
        stations, days = held_out(fold, year, groups)
        where = {"strict": stations | days, "station": stations, "year": days}[which]
        new.append(spoilt(data, np.broadcast_to(where, data.in_situ.shape)))
    estimates = stage_1(*new)[0]
    return estimates, stage_2(new[1], estimates)[0]


def reading(forecasts, protocol):
    here = made_study().networks["HILL"]
    return here.folds.assemble(protocol, here.matched["SMAP"].cells["group"], forecasts)


@pytest.mark.parametrize(("fold", "year"), [(0, 0), (2, 1)])
def test_what_a_member_must_not_know_changes_nothing_in_it(fold, year):
    """The strict forecasts: in-situ moisture, and its gaps, of held-out stations, year and embargo are spoilt."""
    number = made_study().networks["HILL"].folds.members.index(Fold(fold, year))
    stations, _ = held_out(fold, year, np.arange(6))
    read_here = stations & (YEAR == year)
    for before, after in zip(plain(), both_stages("strict", fold, year), strict=True):
        np.testing.assert_array_equal(before[number], after[number])
        np.testing.assert_array_equal(reading(before, "strict")[read_here], reading(after, "strict")[read_here])
        assert (before[0] != after[0]).any()  # the member that sees everything does see it
        for protocol in PROTOCOLS[:3]:
            assert (reading(before, protocol)[read_here] != reading(after, protocol)[read_here]).any()


@pytest.mark.parametrize("protocol", ["station", "year"])
def test_half_a_protocol_keeps_its_half(protocol):
    """Of stations that are spoilt the station reading does not know, of a year that is spoilt the year reading."""
    fold, year = 1, 1
    stations, days = held_out(fold, year, np.arange(6))
    own = np.broadcast_to(stations if protocol == "station" else YEAR == year, (6, len(TIME)))
    other = "year" if protocol == "station" else "station"
    for before, after in zip(plain(), both_stages(protocol, fold, year), strict=True):
        np.testing.assert_array_equal(reading(before, protocol)[own], reading(after, protocol)[own])
        np.testing.assert_array_equal(reading(before, "strict")[own], reading(after, "strict")[own])
        assert (reading(before, other)[own] != reading(after, other)[own]).any()


def test_stage_1_at_held_out_cells_and_days_is_not_learnt_from():
    estimates, corrected = plain()
    members = made_study().networks["HILL"].folds.members
    groups = np.arange(6)
    other = estimates.copy()
    for k, fold in enumerate(members[1:], 1):
        stations, days = held_out(fold.stations, fold.year, groups)
        other[k] = np.where(stations | days, 9.0, estimates[k])
    other[0, :, ::2] += 1
    made = stage_2(made_up()[1], other)[0]
    np.testing.assert_array_equal(made[1:], corrected[1:])
    assert (made[0] != corrected[0]).any()


def test_scalers_know_training_alone():
    """Inputs of held-out stations and years are spoilt: what scales the others stays."""
    points, smap = made_up()[0], mlstm.with_stations(made_up()[1])[0]
    folds, estimates = made_study().networks["HILL"].folds, plain()[0]
    number, fold = 4, folds.members[4]
    drawn = np.random.default_rng(3).uniform(1, 9, (12, len(TIME)))
    jobs = []
    for spoil in (False, True):
        data = []
        for one, groups in ((points, GROUP), (smap, np.arange(6))):
            stations, days = held_out(fold.stations, fold.year, groups)
            where = (stations | days) & spoil
            changed = {"auxiliaries": np.where(where[..., None], 77, one.auxiliaries),
                       "in_situ": np.where(where, drawn[:len(where)], one.in_situ)}
            if one is smap:
                changed["values"] = np.where(where, 7, one.values)
            data.append(replace(one, **changed))
        jobs.append((mlstm.estimation_jobs(data[0], folds, ["FPLE"], QUICK)["FPLE"],
                     mlstm.correction_jobs(data[1], folds, estimates, 0.5, QUICK, "PE")))
    for before, after in zip(*jobs, strict=True):
        for name in ("mean_", "spread_", "product_mean_", "product_spread_"):
            if hasattr(before[number].inputs, name):
                np.testing.assert_array_equal(getattr(before[number].inputs, name),
                                              getattr(after[number].inputs, name))
                assert np.any(getattr(before[0].inputs, name) != getattr(after[0].inputs, name))
        assert vars(before[number].scale) == vars(after[number].scale) != vars(after[0].scale)
        for part in ("train", "validation"):
            np.testing.assert_array_equal(getattr(before[number].member, part).y, getattr(after[number].member, part).y)


def test_the_weight_says_which_target_is_seen():
    """At 0 stations are seen by their range alone, at 1 stage 1 is not seen at all."""
    smap, estimates = made_up()[1], plain()[0]
    rng, known = np.random.default_rng(2), np.isfinite(made_up()[1].values) & np.isfinite(made_up()[1].in_situ)
    other = smap.in_situ.copy()
    other[known] = rng.permutation(other[known])
    shuffled = replace(smap, in_situ=other)
    moved = estimates + rng.normal(0, 0.1, estimates.shape).astype(np.float32)
    stations, stage = (shuffled, estimates), (smap, moved)
    for weight, same, other in ((0.0, stations, stage), (1.0, stage, stations)):
        before = stage_2(smap, estimates, weight)[0]
        np.testing.assert_array_equal(before[0], stage_2(*same, weight)[0][0])
        assert (before[0] != stage_2(*other, weight)[0][0]).any()
    for weight in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            mlstm.correction_jobs(smap, made_study().networks["HILL"].folds, estimates, weight, QUICK)


# --- Both stages


def test_it_learns_the_bucket_at_stations_and_in_years_that_it_has_not_seen():
    points, smap = made_up()[:2]
    longer = replace(QUICK, hidden=6, epochs=6, steps=12, learning_rate=0.03, dropout=0.0)
    estimates = stage_1(points, smap, longer, ("P",))[0]
    corrected = stage_2(smap, estimates, 0.5, settings=longer)[0]
    here = mlstm.with_stations(smap)[0]

    def error(values):
        return np.sqrt(np.nanmean((values - here.truth) ** 2))

    assert error(reading(estimates, "strict")) < 0.75 * here.truth.std()
    assert error(reading(corrected, "strict")) < min(0.75 * here.truth.std(), 0.5 * error(here.values))


def test_estimates_do_not_depend_on_what_is_trained_beside():
    points, smap = made_up()[:2]
    several = stage_1(points, smap, combinations=("LEP", "FPLE"))[0]
    np.testing.assert_array_equal(several, plain()[0])
    # Products of a network have other numbers of sequences, and so of batches an epoch.
    whole = replace(QUICK, steps=0, epochs=1, batch=40)
    one, two = (mlstm.with_stations(made_up()[k])[0] for k in (1, 2))
    folds = made_study().networks["HILL"].folds
    jobs = {name: mlstm.correction_jobs(data, folds, plain()[0][:, :len(data.cells)], 0.5, whole)
            for name, data in (("SMAP", one), ("ASCAT", two))}
    beside = mlstm.train_jobs({name: ("HILL", some) for name, some in jobs.items()}, whole, "blended")
    for name, data in (("SMAP", one), ("ASCAT", two)):
        alone = mlstm.train_jobs({name: ("HILL", jobs[name])}, whole, "blended")[name]
        np.testing.assert_array_equal(alone.predict(data.values, data.auxiliaries),
                                      beside[name].predict(data.values, data.auxiliaries))
        assert len(alone.jobs) == 7


def test_what_is_kept_of_the_trained_predicts_the_same():
    estimates, trained = stage_1(*made_up()[:2])
    kept = trained.without_data()
    assert all(job.member is None for job in kept.jobs)
    auxiliaries = mlstm.with_stations(made_up()[1])[0].auxiliaries
    np.testing.assert_array_equal(kept.predict(None, auxiliaries, [3, 1]), estimates[[3, 1]])


def test_a_network_without_data_is_an_error():
    points = made_up()[0]
    none = replace(points, in_situ=np.where(np.arange(len(TIME)) < 20, points.in_situ, np.nan))
    with pytest.raises(ValueError, match="no in-situ moisture"):
        stage_1(none, made_up()[1])


# --- The study


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "LOCAL", tmp_path)
    return tmp_path / "correction"


def test_what_was_trained_is_read_again_until_something_changes(local):
    points, smap, ascat = made_up()
    small = replace(QUICK, epochs=1, steps=1)
    tiny = made_study(points, smap, ascat)

    def files():
        return len(list(local.glob("*.joblib")))

    estimates = study.estimate(tiny, small, ["LEP"])
    again = study.estimate(tiny, small, ["LEP"])
    assert files() == 1
    assert not list(local.glob("*.partial"))
    assert set(estimates.at_cells) == {("HILL", "SMAP", "LEP"), ("HILL", "ASCAT", "LEP")}
    for key, values in estimates.at_cells.items():
        np.testing.assert_array_equal(values, again.at_cells[key])
    entries = [Entry("LEP"), Entry("LEP", 0.2, "P")]
    corrected, trained = study.correct(tiny, estimates, small, entries)
    for key, values in study.correct(tiny, again, small, entries)[0].items():
        np.testing.assert_array_equal(values, corrected[key])
    assert files() == 2
    assert set(corrected) == set(trained) == {("HILL", p, e) for p in ("SMAP", "ASCAT") for e in entries}
    for (_, product, _), values in corrected.items():
        np.testing.assert_array_equal(np.isfinite(values), np.broadcast_to(
            np.isfinite(tiny.networks["HILL"].matched[product].values), values.shape))
    assert [e.label for e in entries] == ["MLSTM", "MLSTM, auxiliaries too"]
    # Anything else is trained anew: other settings, another loss, other data, other estimates of the same name.
    study.estimate(tiny, replace(small, seed=1), ["LEP"])
    study.estimate(replace(tiny, key="other"), small, ["LEP"])
    assert files() == 4
    study.correct(tiny, estimates, small, entries, "discounted")
    other = study.Estimates(estimates.trained, {key: values + 0.1 for key, values in estimates.at_cells.items()})
    moved = study.correct(tiny, other, small, entries)[0]
    assert files() == 6
    assert (moved[*KEY, entries[0]] != corrected[*KEY, entries[0]]).any()


def test_baselines_know_what_a_member_may_know():
    """Spoilt moisture of held-out stations and year does not change their strict forecasts."""
    points, smap = made_up()[:2]
    fold, year = 1, 0
    found = []
    for spoil in (False, True):
        data = [spoilt(one, np.broadcast_to(sum(held_out(fold, year, groups)) > 0, one.in_situ.shape)) if spoil else one
                for one, groups in ((points, GROUP), (smap, smap.cells["group"]))]
        here = made_study(*data)
        found.append(fits.baselines(here, ("raw", "mean-std", "linear", "climatology, own past"))[0]
                     | fits.estimates_without_network(here, ("linear", "climatology"))[0])
    stations, _ = held_out(fold, year, np.arange(6))
    for key, before in found[0].items():
        strict, after = ((reading(values, "strict")[stations & (YEAR == year)]) for values in (before, found[1][key]))
        np.testing.assert_array_equal(strict, after, err_msg=str(key))
    np.testing.assert_array_equal(found[0][*KEY, "raw"][3], made_up()[1].values[:6])


def test_the_product_itself_is_always_a_baseline_and_unknown_names_are_errors():
    assert [name for *_, name in fits.baselines(made_study(), ("mean-std",))[0]] == ["raw", "mean-std"]
    assert [name for *_, name in fits.baselines(made_study(), ())[0]] == ["raw"]
    with pytest.raises(ValueError, match="no baseline 'kriging'; there are raw, mean-std, CDF matching, "):
        fits.baselines(made_study(), ("raw", "kriging"))
    with pytest.raises(ValueError, match="no baseline 'CDF matching'; there are linear, HistGB, climatology"):
        fits.estimates_without_network(made_study(), ("CDF matching",))


def test_a_map_is_what_the_members_that_have_not_seen_the_day_say():
    tiny = made_study()
    entry, day = Entry("LEP"), 29  # the last of the first sequence, which begins at the first day
    trained = {(*KEY, entry): stage_2(made_up()[1], plain()[0])[1]}
    before, after, truth = study.maps(tiny, trained, *KEY, entry, TIME[day])
    smap = made_up()[1]
    np.testing.assert_array_equal(before, smap.values[:, day].reshape(3, 3))
    np.testing.assert_array_equal(truth, smap.truth[:, day].reshape(3, 3))
    expected = np.full(9, np.nan)
    expected[:6] = reading(plain()[1], "strict")[:, day]
    everywhere = trained[*KEY, entry].predict(smap.values, smap.auxiliaries)[:, :, day]
    unseen = [k for k, fold in enumerate(tiny.networks["HILL"].folds.members) if fold.year == 0]
    expected[6:] = everywhere[unseen][:, 6:].mean(0)
    expected[np.isnan(smap.values[:, day])] = np.nan
    np.testing.assert_allclose(after.ravel(), expected, rtol=1e-6)
    assert 3 < np.isfinite(after).sum() < 9
    for outside in (TIME[-1] + 1, "2015-12-31", "yesterday"):
        with pytest.raises(ValueError, match=f"{outside} is no day of the data around HILL: give one from 2016-01-01 "
                                             "to 2017-12-31, such as"):
            study.maps(tiny, trained, *KEY, entry, outside)
    lat, lon = study.axes(smap)
    np.testing.assert_allclose(lat, [50.2, 50.1, 50.0])
    np.testing.assert_allclose(lon, [10.0, 10.1, 10.2])


def test_cells_with_stations_are_taken_out_whole():
    smap = replace(made_up()[1], porosity=np.linspace(0.4, 0.5, 9, dtype=np.float32))
    here, at = mlstm.with_stations(smap)
    np.testing.assert_array_equal(at, np.arange(6))
    np.testing.assert_array_equal(here.porosity, smap.porosity[:6])
    np.testing.assert_array_equal(here.truth, smap.truth[:6])
    assert list(here.cells["group"]) == list(range(6))
    assert len(here.time) == len(TIME)


def test_a_study_is_known_by_its_data_and_its_folds(monkeypatch):
    """Also by the group of one station in the middle of a hundred, which decides on the folds."""
    points, smap, _ = made_up()
    many = np.arange(96) % 12
    points = replace(points, sites=points.sites.iloc[many].reset_index(drop=True), in_situ=points.in_situ[many])
    group = np.where(np.arange(96) == 48, 5, points.sites["group"])
    regrouped = replace(points, sites=points.sites.assign(group=group))
    opened = {"points": points}
    monkeypatch.setattr(study, "open_network", lambda *_: (opened["points"], {"SMAP": smap}, "simulated"))
    made = study.open_study(networks=["HILL"])
    assert made.pairs == [KEY]
    assert len(made.networks["HILL"].matched["SMAP"].values) == 6
    assert len(made.networks["HILL"].everywhere["SMAP"].values) == 9
    assert study.open_study(networks=["HILL"]).key == made.key
    keys = {made.key, study.open_study(networks=["HILL"], folds=2).key, study.open_study(networks=["HILL"], seed=1).key}
    opened["points"] = regrouped
    keys.add(study.open_study(networks=["HILL"]).key)
    assert len(keys) == 4
    with pytest.raises(DataError, match="has none of ASCAT"):
        study.open_study(networks=["HILL"], products=["ASCAT"])


@pytest.mark.parametrize("asked", [{"products": ("SMOS",)}, {"products": ()}, {"networks": ()},
                                   {"networks": ("HOBE", "HOBE")}])
def test_unknown_products_and_networks_named_twice_are_errors(asked):
    with pytest.raises(ValueError, match="products must be of ASCAT, ESA-CCI, SMAP"):
        study.open_study(**asked)
