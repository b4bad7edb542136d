"""The nudging study: one field, four networks, and observations that pull their long forecasts back."""

from smlib.nudging.answers import answer, comparison_answer, nudging_answer, spread_answer, training_answer
from smlib.nudging.comparison import compare_all, entrants, ground, observation_patterns
from smlib.nudging.costing import cost_and_skill, cost_answer, cost_beside_print, cost_measured, cost_table
from smlib.nudging.field import Field, prepare
from smlib.nudging.nudged import Setting, grid, nudge_all, stretch
from smlib.nudging.settings import (
    beside_print_wide,
    choose_tau,
    curves,
    example_days,
    kept_maps,
    nudge_study,
    nudging_beside_print,
    post_hoc_from_print,
    settings_skill,
    unobserved_table,
)
from smlib.nudging.study import Study, check_comparison, contenders, open_study
from smlib.nudging.tables import (
    beside_print,
    best_of_each,
    daily_table,
    field_maps,
    field_table,
    growth_table,
    methods_skill,
    methods_table,
    on_days,
    regional_table,
    skill_table,
    spread_against_plain,
    validation_baselines,
    verdicts,
    wide,
)
from smlib.nudging.training import histories, keep_weights, train_all, training_table
from smlib.nudging.worth import free_run_worth, nudged_worth

__all__ = ["Field", "Setting", "Study", "answer", "beside_print", "beside_print_wide", "best_of_each",
           "check_comparison", "choose_tau", "compare_all", "comparison_answer", "contenders", "cost_and_skill",
           "cost_answer", "cost_beside_print", "cost_measured", "cost_table", "curves", "daily_table", "entrants",
           "example_days", "field_maps", "field_table", "free_run_worth", "grid", "ground", "growth_table",
           "histories", "keep_weights", "kept_maps", "methods_skill", "methods_table", "nudge_all", "nudge_study",
           "nudged_worth", "nudging_answer", "nudging_beside_print", "observation_patterns", "on_days", "open_study",
           "post_hoc_from_print", "prepare", "regional_table", "settings_skill", "skill_table", "spread_against_plain",
           "spread_answer", "stretch", "train_all", "training_answer", "training_table", "unobserved_table",
           "validation_baselines", "verdicts", "wide"]
