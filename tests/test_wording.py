"""Words that pages share."""

import numpy as np
import pytest

from smlib import wording


def test_the_answer_is_the_fullest_that_fits():
    assert wording.answer(["a" * 190, "b"], ["a" * 180, ""], "c") == "**Our runs.** " + "a" * 180
    assert wording.answer("a" * 190, "b") == "**Our runs.** " + "a" * 190  # the label has 10 characters
    assert wording.answer("a" * 191, "b") == "**Our runs.** b"
    assert wording.answer("`" * 9 + "a" * 190).endswith("a")  # marks take no room
    with pytest.raises(ValueError, match="no version of the answer has at most 200"):
        wording.answer("a" * 191)


@pytest.mark.parametrize(("value", "text"), [(0.126, "0.13"), (-0.5, "−0.50"), (-0.001, "0.00"), (np.nan, "–"),
                                             (-12345.6, "−12346"), (np.inf, "–")])
def test_numbers(value, text):
    assert wording.signed(value) == text


def test_words_for_numbers():
    assert [wording.count(n, "site") for n in (0, 1, 2, 1500)] == ["0 sites", "1 site", "2 sites", "1,500 sites"]
    assert [wording.listed(names) for names in ("a", "ab", (1, 3, 7))] == ["a", "a and b", "1, 3 and 7"]
    assert [wording.signed(x, plus=True) for x in (0.126, -0.126, 0.002)] == ["+0.13", "−0.13", "0.00"]
    assert wording.within(0.1, -0.2) == " [0.10, −0.20]" and wording.within(np.nan, 1) == ""
    assert [wording.span(values, ".1f") for values in ([-1, 2], [0.51, 0.52])] == ["−1.0 to 2.0", "0.5"]
    assert wording.minus("t-3: -0.1 to -.2, CNN-LSTM -1") == "t-3: −0.1 to -.2, CNN-LSTM −1"
    assert [wording.seconds(0.123), wording.seconds(12.3)] == ["0.12 s", "12 s"]
    assert [wording.sure(*of) for of in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1), (np.nan, np.nan))] == [
        "surely better than", "surely worse than", "not to be told from", "not to be told from"]
    assert wording.items(["a", "b"]) == "- a\n- b"
