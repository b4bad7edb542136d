"""Words that pages share."""

import numpy as np
import pytest

from smlib import wording


def test_the_answer_is_the_fullest_that_fits():
    assert wording.answer(["a" * 190, "b"], ["a" * 180, ""], "c") == "**Our runs.** " + "a" * 180
    assert wording.answer("`" * 9 + "a" * 190).endswith("a")  # marks take no room
    with pytest.raises(ValueError, match="no version of the answer has at most 200"):
        wording.answer("a" * 191)


def test_words_for_numbers():
    assert [wording.count(n, "site") for n in (0, 1, 2, 1500)] == ["0 sites", "1 site", "2 sites", "1,500 sites"]
    assert [wording.listed(names) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
    assert [wording.signed(x) for x in (0.126, -0.126, -0.002, np.nan)] == ["+0.13", "−0.13", "0.00", "unknown"]
    assert [wording.sure(*of) for of in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1), (np.nan, np.nan))] == [
        "surely better than", "surely worse than", "not to be told from", "not to be told from"]
    assert wording.items(["a", "b"]) == "- a\n- b"
