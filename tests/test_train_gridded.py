"""The loop for gridded networks: what it learns, how it steps and stops, its scaler, its files."""

import numpy as np
import pytest
import torch
from torch import nn

from smlib.models.convlstm import FieldModel
from smlib.models.gridded import GRIDDED
from smlib.train import gridded
from smlib.train.gridded import (
    FieldScaler,
    load_weights,
    masked_mse,
    save_weights,
    start_days,
    train_gridded,
    windows,
)

RNG = np.random.default_rng(0)
MASK = np.ones((8, 10), bool)
MASK[:2, :3] = False


def moving(days=90):
    """A pattern that moves by a cell a day to the right, around the grid; nothing known outside the mask."""
    pattern = RNG.standard_normal((8, 10)).astype(np.float32)
    field = np.array([np.roll(pattern, day, 1) for day in range(days)])
    field[:, ~MASK] = np.nan
    return field


class Level(FieldModel):
    """The same number everywhere, which is all it learns."""

    def __init__(self):
        super().__init__(2, MASK)
        self.level = nn.Parameter(torch.zeros(()))

    def predict(self, x):
        return self.level.expand(len(x), *x.shape[2:])


def rising(days=40):
    """One in training, minus one in validation: whatever is learnt makes validation worse."""
    return np.where(np.arange(days)[:, None, None] < 30, 1, -1) * np.ones((1, *MASK.shape), np.float32)


@pytest.mark.parametrize("name", GRIDDED)
def test_it_learns_what_persistence_cannot(name):
    field = moving()
    torch.manual_seed(0)
    model = GRIDDED[name](3, MASK, **({"hidden": 64, "layers": 1} if name == "LSTM" else {}),
                          **({"dropout": 0.0, "kernel": 3} if "Conv" in name else {}))
    train, validation = start_days(field, MASK, 3, 0, 60), start_days(field, MASK, 3, 60)
    model, history = train_gridded(model, field, train, validation, epochs=12, learning_rate=1e-2,
                                   plateau_patience=50)
    x, y = windows(torch.tensor(field), torch.tensor(field), torch.tensor(validation), 3)
    persistence = masked_mse(x[:, -1], y, model.mask).item()
    with torch.no_grad():
        error = masked_mse(model.eval()(x), y, model.mask).item()
    assert error < 0.7 * persistence
    assert error == pytest.approx(history["validation_loss"].min(), rel=1e-4)


def test_the_same_seed_gives_the_same_bits():
    field, histories, made = moving(40), [], []
    for seed in (0, 0, 1):
        torch.manual_seed(9)
        model, history = train_gridded(GRIDDED["ConvLSTM"](3, MASK, hidden=2), field, start_days(field, MASK, 3, 0, 30),
                                       start_days(field, MASK, 3, 30), epochs=2, seed=seed)
        histories.append(history.drop(columns="seconds").to_numpy())
        made.append(model.between.weight.detach())
    np.testing.assert_array_equal(histories[0], histories[1])
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


def test_early_stop_plateau_and_best_weights():
    field = rising()
    model, history = train_gridded(Level(), field, range(20), range(31, 37), epochs=100, patience=7, learning_rate=0.1,
                                   plateau_patience=2, least_rate=1e-3)
    assert len(history) == 1 + 7 and history["validation_loss"].idxmin() == 0
    # The first epoch is the best; a cut after each two that are not better, at last down to the least rate.
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.1, 0.1, 0.02, 0.02, 4e-3, 4e-3, 1e-3])
    assert (model.level.item() + 1) ** 2 == pytest.approx(history["validation_loss"][0], rel=1e-5)
    assert list(history.columns) == ["epoch", "train_loss", "validation_loss", "learning_rate", "seconds"]
    assert history["seconds"].is_monotonic_increasing


def test_validation_is_the_whole_set_whatever_the_batch():
    field = torch.tensor(moving(40))
    torch.manual_seed(0)
    model, starts = GRIDDED["CNN"](3, MASK), torch.arange(20)
    x, y = windows(field, field, starts, 3)
    with torch.no_grad():
        expected = masked_mse(model(x), y, model.mask).item()
    assert gridded.validation_loss(model, field, field, starts, 7) == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_the_mean_over_valid_cells():
    made, truth = torch.tensor(RNG.standard_normal((2, 3, *MASK.shape)))
    truth[:, ~MASK] = float("nan")
    expected = np.mean((made[:, MASK] - truth[:, MASK]).numpy() ** 2)
    assert masked_mse(made, truth, torch.tensor(MASK)).item() == pytest.approx(expected)
    gap = truth.clone()
    gap[0] = float("nan")
    expected = np.mean((made[1:, MASK] - truth[1:, MASK]).numpy() ** 2)
    assert masked_mse(made, gap, torch.tensor(MASK)).item() == pytest.approx(expected)


def test_windows_are_consecutive_days_and_the_field_is_not_copied():
    field = torch.arange(20.0)[:, None, None].expand(20, 8, 10)
    x, y = windows(field, field, torch.tensor([0, 7]), 3)
    assert x[:, :, 0, 0].tolist() == [[0, 1, 2], [7, 8, 9]] and y[:, 0, 0].tolist() == [3, 10]
    whole = field.contiguous()
    assert whole.unfold(0, 4, 1).data_ptr() == whole.data_ptr()


def test_windows_with_a_missing_day_are_left_out():
    field = moving(20)
    field[9, 5, 5] = np.nan
    assert start_days(field, MASK, 3).tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16]
    assert start_days(field, MASK, 3, 4, 12).tolist() == [4, 5]
    assert start_days(field, MASK, 14, 0, 14).tolist() == []


def test_the_scaler_knows_valid_cells_of_its_own_days_only():
    field = 0.2 + 0.05 * RNG.standard_normal((30, *MASK.shape))
    field[:, ~MASK] = 1e6
    field[3, 4, 4] = np.nan
    scaler = FieldScaler()
    assert scaler.fit(field, MASK) is scaler
    assert scaler.mean_ == pytest.approx(np.nanmean(field[:, MASK]))
    assert scaler.std_ == pytest.approx(np.nanstd(field[:, MASK]))
    scaled = scaler.transform(field)
    assert scaled.dtype == np.float32 and np.nanstd(scaled[:, MASK]) == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(scaler.inverse_transform(scaled)[:, MASK], field[:, MASK], rtol=1e-5)
    for wrong, words in ((field[0], "does not fit"), (np.full_like(field, np.nan), "no value"),
                         (np.ones_like(field), "all values")):
        with pytest.raises(ValueError, match=words):
            FieldScaler().fit(wrong, MASK)
    with pytest.raises(ValueError, match="no value"):
        FieldScaler().fit(field, np.zeros_like(MASK))


def test_bad_input_is_told_in_words():
    field, model = rising(), Level()
    for wrong, starts, words in ((field[:, 1:], (range(3), range(3)), "does not fit"),
                                 (field, ([], range(3)), "no training window"),
                                 (field, (range(3), []), "no validation window"),
                                 (field, (range(3), [38]), "validation windows reach beyond the 40 days")):
        with pytest.raises(ValueError, match=words):
            train_gridded(model, wrong, *starts, epochs=1)
    nothing = np.full_like(field, np.nan)
    with pytest.raises(ValueError, match="training window has no value"):
        train_gridded(model, field, range(3), range(3), epochs=1, target=nothing)
    with pytest.raises(ValueError, match="has not the shape"):
        train_gridded(model, field, range(3), range(3), epochs=1, target=field[1:])
    model.level.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="never finite"):
        train_gridded(model, field, range(3), range(3), epochs=1)


def test_days_without_truth_are_not_learnt_from():
    """One everywhere in the filled field, but only a cell was ever seen, at 0.5: that is the level to learn."""
    field = np.ones((40, *MASK.shape), np.float32)
    target = np.full_like(field, np.nan)
    target[:, 5, 5] = 0.5
    model, history = train_gridded(Level(), field, range(20), range(25, 35), epochs=40, learning_rate=0.1,
                                   plateau_patience=50, target=target)
    assert model.level.item() == pytest.approx(0.5, abs=0.05) and history["validation_loss"].min() < 0.003


@pytest.mark.parametrize("name", GRIDDED)
def test_weights_come_back_bit_for_bit(name, tmp_path):
    settings = {"hidden": 6} if name == "LSTM" else {}
    torch.manual_seed(0)
    model, other = (GRIDDED[name](3, MASK, **settings) for _ in range(2))
    save_weights(tmp_path / "weights.safetensors", model)
    assert load_weights(tmp_path / "weights.safetensors", other) is other
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key])
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_other_files_are_errors(tmp_path):
    path = tmp_path / "weights"
    save_weights(path, GRIDDED["CNN"](3, MASK))
    for other in (GRIDDED["CNN"](3, ~MASK), GRIDDED["ConvLSTM"](3, MASK), GRIDDED["CNN"](4, MASK)):
        with pytest.raises(ValueError, match="another model, mask or lookback"):
            load_weights(path, other)
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-7], b"x" * 200):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="no file of a gridded network's weights"):
            load_weights(path, GRIDDED["CNN"](3, MASK))
