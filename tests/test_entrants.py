"""Entrants and the tidy results: one can be had from the other."""

import pandas as pd

from smlib.evaluate.entrants import entrant, parts, split_variant, tidy, untidy


def test_names():
    assert entrant("RF") == "RF" and entrant("RF", "increment") == "RF (increment)"
    assert parts("RF (increment)") == ("RF", "increment") and parts("CNN-with-LSTM") == ("CNN-with-LSTM", "value")


def test_tidy_and_back():
    skill = pd.DataFrame({"model": ["RF", "RF (increment)", "LSTM (increment)", "persistence"],
                          "variant": ["level 2", "level 2", "", "median"]})
    kept = tidy(skill)
    assert kept["model"].tolist() == ["RF", "RF", "LSTM", "persistence"]
    assert kept["variant"].tolist() == ["level 2", "level 2 increment", "increment", "median"]
    pd.testing.assert_frame_equal(untidy(kept), skill)
    split = split_variant(kept)
    assert split["target"].tolist() == ["value", "increment", "increment", "value"]
    assert split["level_variant"].tolist() == skill["variant"].tolist()
    assert split["entrant"].tolist() == skill["model"].tolist()


def test_an_empty_cell_read_back_from_a_file_is_no_variant():
    read = pd.DataFrame({"model": ["RF", "RF"], "variant": [float("nan"), "increment"]})
    assert untidy(read)["model"].tolist() == ["RF", "RF (increment)"]
    assert untidy(read)["variant"].tolist() == ["", ""]
