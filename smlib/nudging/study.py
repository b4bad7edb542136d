"""What every page of the study starts from: the field, the networks trained on it, and who forecasts."""

from dataclasses import dataclass

import numpy as np

from smlib.data import open_grid
from smlib.nudging.field import Field, prepare
from smlib.nudging.forecasts import BASELINES, baselines, forecasters, free_run, one_day, sums_of
from smlib.nudging.tables import count_outside
from smlib.nudging.training import train_all
from smlib.train.loop import pick_device


@dataclass(frozen=True)
class Study:
    """The study on one source.

    Attributes
    ----------
    field : Field
    trained : mapping of name -> `training.Trained`
    source, kind : name of the source, and "measured" or "simulated"
    device : "cpu" or "cuda"
    """

    field: Field
    trained: dict
    source: str
    kind: str
    device: str

    def forecasts(self, how, period="test", days=None):
        """Forecasts of networks and baselines: mapping of name -> (day, y, x); `how` is "one day" or "free run"."""
        if how not in ("one day", "free run"):
            raise ValueError(f"how must be 'one day' or 'free run', not {how!r}")
        models = {name: (model, None) for name, model in self.forecasters(period).items()} | baselines(self.field)
        if how == "one day":
            return {name: one_day(self.field, model, period, about) for name, (model, about) in models.items()}
        return {name: free_run(self.field, model, period, about, days) for name, (model, about) in models.items()}

    def forecasters(self, period="test"):
        """Mapping of name -> `forecasts.Forecaster` of the networks, in the scale of a period."""
        return forecasters(self.field, self.trained, period, self.device)

    def sums(self, forecasts, period="test"):
        """Daily sums of forecasts, by name; with the paper's protocol over the cells outside the region too."""
        return {name: self.counted(sums_of(self.field, one, period)) for name, one in forecasts.items()}

    def counted(self, sums):
        """Daily sums over all cells as the protocol counts them (see `tables.count_outside`)."""
        outside = int((~self.field.valid).sum())
        return count_outside(sums, outside, self.field.centre) if self.field.protocol == "paper" else sums

    def dates(self, period="test"):
        """(day,) dates that are forecast in a period."""
        return self.field.time[self.field.targets(period)]

    def about(self, **settings):
        """The line about the data at the top of a page, as Markdown, with what else one needs to read its numbers."""
        ny, nx = self.field.valid.shape
        where = ", ".join(f"{name} {of.min():.1f} to {of.max():.1f}°".replace("-", "−") for name, of in
                          (("latitudes", self.field.lat), ("longitudes", self.field.lon)))
        periods = "; ".join(f"{name} {self.field.time[days.start]} to {self.field.time[days.stop - 1]}"
                            for name, days in self.field.periods.items())
        gaps = ~np.isfinite(self.field.truth[:, self.field.valid])
        missing = f", {gaps.mean():.0%} of the values missing" if gaps.any() else ""
        said = "".join(f"; {name.replace('_', ' ')} {value}" for name, value in settings.items())
        return (f"**Data.** {self.kind.capitalize()}: `{self.source}`, daily surface soil moisture on {ny} × {nx} "
                f"cells, {self.field.valid.sum():,} of them valid{missing}; {where}; {periods}; protocol "
                f"{self.field.protocol}{said}.")


def contenders(study, count, others=()):
    """The `count` networks with the least validation loss, and those of `others`, as `Study.forecasters` gives them.

    In the scale of the training days: what tunes them on validation must not know the test.
    """
    loss = {name: one.history["validation_loss"].min() for name, one in study.trained.items()}
    chosen = [*sorted(loss, key=loss.get)[:count], *others]
    return {name: model for name, model in study.forecasters("train").items() if name in chosen}


def check_comparison(models, enkf, noise, ensemble, contenders):
    """Raise `ValueError` for settings of a comparison that cannot be, before anything is trained."""
    unknown = [name for name in enkf if name not in (*models, *BASELINES)]
    if unknown:
        raise ValueError(f"enkf: no forecast {', '.join(unknown)}; there are {', '.join((*models, *BASELINES))}")
    if not noise >= 0 or ensemble < 2 or contenders < 1:
        raise ValueError(f"noise must not be negative, ensemble at least 2 and contenders at least 1, not {noise}, "
                         f"{ensemble} and {contenders}")


def open_study(source, scale, *, models, train, validation, test, lookback, gaps, protocol, epochs, batch,
               learning_rate, patience, kernel, dropout, device, seed):
    """Open a source, train the networks (or find them trained), and return the `Study`.

    Raises
    ------
    ValueError
        For a setting that cannot be; `DataError` for data that do not suit.
    """
    for name, value in (("epochs", epochs), ("batch", batch), ("patience", patience), ("lookback", lookback),
                        ("kernel", kernel)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    if not learning_rate > 0:
        raise ValueError(f"learning_rate must be positive, not {learning_rate}")
    if not models or len(set(models)) < len(models):
        raise ValueError(f"models must name networks, each once, not {models}")
    ds = open_grid(source, scale)
    field = prepare(ds, train=train, validation=validation, test=test, lookback=lookback, gaps=gaps, protocol=protocol)
    trained = train_all(field, models, seed=seed, device=device, epochs=epochs, patience=patience, batch=batch,
                        learning_rate=learning_rate, kernel=kernel, dropout=dropout)
    return Study(field, trained, ds.attrs["source"], ds.attrs["kind"], pick_device(device).type)
