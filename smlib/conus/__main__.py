"""Train a study's networks ahead of its pages: ``torchrun --nproc-per-node 8 -m smlib.conus --study forecast``.

Alone or with torchrun, on one node or several. The pages find what was trained, if their parameters are the same.
"""

from dataclasses import fields, replace
from typing import Annotated

import typer

from smlib.conus import Opening, Settings, estimations, forecasts, train_all
from smlib.conus.training import train_one
from smlib.run import params
from smlib.train.distributed import joined, place

PAGES = {"estimation": "fusion/estimate", "forecast": "forecast/train"}


def main(study: Annotated[str, typer.Option(help="estimation or forecast")],
         profile: Annotated[str, typer.Option(help="smoke, quick or full")] = "full"):
    """Train all networks of a study with the parameters that a profile gives its page."""
    if study not in PAGES:
        raise typer.BadParameter(f"no study {study!r}; there are {', '.join(PAGES)}")
    values = params.resolve(PAGES[study], profile)
    opening = Opening(values["source"], values["scale"], values["seed"], tuple(values["split"]) or None)
    scenarios = estimations() if study == "estimation" else forecasts(values["scenarios"])
    settings = Settings(**{field.name: values[field.name] for field in fields(Settings) if field.name in values})
    with joined(settings.device) as device:
        if place()[1] == 1:
            train_all(opening, scenarios, settings)
            return
        for scenario in scenarios:
            train_one(opening, scenario, replace(settings, device=str(device)))


if __name__ == "__main__":
    typer.run(main)
