from __future__ import annotations

import pytest

from focusviewer.qc.verdicts.agreement import agreement, pairs_of
from focusviewer.qc.verdicts.judgement import Verdict

LETTERS = {"P": Verdict.PASS, "V": Verdict.REVIEW, "X": Verdict.RESCAN}


def reader(letters: str) -> dict[str, Verdict]:
    return {f"slide {number}": LETTERS[letter] for number, letter in enumerate(letters) if letter != "-"}


def test_kappa_is_that_of_a_table_worked_by_hand() -> None:
    # Ten slides. Same: P 4, V 1, X 2 = 7 of 10.
    # First gives P 5, V 2, X 3; second P 5, V 3, X 2: by chance (5*5 + 2*3 + 3*2) / 100 = 0.37.
    # (0.7 - 0.37) / (1 - 0.37) = 0.33 / 0.63 = 0.5238
    found = agreement(reader("PPPPPVVXXX"), reader("PPPPVVPXXV"))
    assert (found.slides, found.same) == (10, 7)
    assert found.kappa == pytest.approx(0.33 / 0.63)


def test_full_agreement_is_one_and_full_disagreement_of_two_is_minus_one() -> None:
    assert agreement(reader("PVX"), reader("PVX")).kappa == pytest.approx(1.0)
    assert agreement(reader("PX"), reader("XP")).kappa == pytest.approx(-1.0)


def test_only_slides_that_both_have_judged_count() -> None:
    found = agreement(reader("PX--V"), reader("PXXP-"))
    assert (found.slides, found.same) == (2, 2)
    assert found.kappa == pytest.approx(1.0)


@pytest.mark.parametrize(("first", "second"), [("P", "-"), ("", ""), ("PPP", "PPP")])
def test_kappa_is_not_defined_without_common_slides_or_without_any_choice(first: str, second: str) -> None:
    assert agreement(reader(first), reader(second)).kappa is None


def test_agreement_does_not_depend_on_who_is_first() -> None:
    one, other = reader("PPVXXV"), reader("PVVXPV")
    assert agreement(one, other) == agreement(other, one)


def test_every_pair_of_readers_with_a_common_slide_is_compared() -> None:
    readers = {"c": reader("--P"), "a": reader("PX"), "b": reader("PP")}
    assert [pair[:2] for pair in pairs_of(readers)] == [("a", "b")]
