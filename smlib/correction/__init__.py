"""The correction study (Xie et al. 2025): stations carried to a product's grid, and the product corrected with them."""

from smlib.correction.study import (
    Entry,
    axes,
    baselines,
    correct,
    correct_all,
    estimate,
    further_entries,
    main_entries,
    maps,
    open_study,
)

__all__ = ["Entry", "axes", "baselines", "correct", "correct_all", "estimate", "further_entries", "main_entries",
           "maps", "open_study"]
