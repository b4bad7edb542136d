"""The correction study (Xie et al. 2025): stations carried to a product's grid, and the product corrected with them."""

from smlib.correction.fits import baselines, estimates_without_network
from smlib.correction.study import (
    Entry,
    axes,
    correct,
    correct_all,
    estimate,
    further_entries,
    main_entries,
    maps,
    open_study,
)

__all__ = ["Entry", "axes", "baselines", "correct", "correct_all", "estimate",
           "estimates_without_network", "further_entries", "main_entries",
           "maps", "open_study"]
