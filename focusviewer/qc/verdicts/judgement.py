"""Verdicts: from what was measured on a slide to PASS, REVIEW or RESCAN, with the reasons in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from focusviewer.qc.verdicts.features import SlideFeatures
from focusviewer.qc.verdicts.rules import Rules, Thresholds


class Verdict(StrEnum):
    """What is to be done with a slide."""

    PASS = "PASS"
    REVIEW = "REVIEW"
    RESCAN = "RESCAN"

    @property
    def rank(self) -> int:
        """0 for PASS, 1 for REVIEW, 2 for RESCAN."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Judgement:
    """The program's verdict on a slide.

    Attributes
    ----------
    verdict : Verdict
    score : float
        0..100, larger is worse: ranks the worklist. The blurred percentage of the tissue, weighed with how far the
        worst tenth of it lies from focus.
    reasons : tuple of str
        In words; those of the verdict first. Empty for a slide with nothing to say against it.
    rules : str
        Name, version and digest of the rules.
    """

    verdict: Verdict
    score: float
    reasons: tuple[str, ...]
    rules: str


def judgement_of(features: SlideFeatures, rules: Rules, *, scanner: str = "", stain: str = "") -> Judgement:
    """Apply rules to the features of a slide.

    ``features`` must have been counted with the same ``blurred_um`` as the thresholds for this scanner and stain.
    """
    limits = rules.for_slide(scanner, stain)
    found = _uncertainty_reasons(features, limits) + _blur_reasons(features, limits)
    verdict = max((verdict for verdict, _ in found), key=lambda item: item.rank, default=Verdict.PASS)
    found.sort(key=lambda item: -item[0].rank)
    return Judgement(verdict, score(features, limits), tuple(reason for _, reason in found), rules.label)


def score(features: SlideFeatures, limits: Thresholds) -> float:
    """Severity of a slide's blur, 0..100.

    The mean of two parts: the blurred fraction of the tissue, and the worst tenth's distance from focus as a part
    of twice the distance that sends a slide back.
    """
    depth = min(1.0, features.worst_decile_um / max(2 * limits.rescan_worst_decile_um, 1e-6))
    return round(50 * (features.blurred_fraction + depth), 1)


def _blur_reasons(features: SlideFeatures, limits: Thresholds) -> list[tuple[Verdict, str]]:
    """What is out of focus."""
    found = []
    part, region, worst = features.blurred_fraction, features.largest_region_mm2, features.worst_decile_um
    text = f"{part:.0%} of the tissue is blurred ({limits.blurred_um:g} um from focus or more)"
    if part >= limits.rescan_blurred_fraction:
        found.append((Verdict.RESCAN, text))
    elif part >= limits.review_blurred_fraction:
        found.append((Verdict.REVIEW, text))
    if region is not None and region > 0:
        share = region / features.tissue_mm2 if features.tissue_mm2 else 1.0
        text = f"one blurred region of {region:.2g} mm2 ({share:.0%} of the tissue)"
        if region >= limits.rescan_region_mm2 and share >= limits.rescan_region_fraction:
            found.append((Verdict.RESCAN, text))
        elif region >= limits.review_region_mm2:
            found.append((Verdict.REVIEW, text))
    text = f"the worst tenth of the tissue lies {worst:.1f} um from focus"
    if worst >= limits.rescan_worst_decile_um:
        found.append((Verdict.RESCAN, text))
    elif worst >= limits.review_worst_decile_um:
        found.append((Verdict.REVIEW, text))
    return found


def _uncertainty_reasons(features: SlideFeatures, limits: Thresholds) -> list[tuple[Verdict, str]]:
    """Why the slide cannot be measured in full."""
    found = []
    if features.fluorescence:
        found.append("it looks like fluorescence, and distances from focus are known of stained tissue only")
    if not features.tissue_found:
        found.append("no tissue was found")
    elif features.tissue_mm2 is not None and features.tissue_mm2 < limits.review_least_tissue_mm2:
        found.append(f"only {features.tissue_mm2:.2g} mm2 of tissue was found")
    if features.mpp is None and features.sides_um is not None:
        both = " x ".join(f"{side:.4g}" for side in features.sides_um)
        found.append(f"its pixels are not square ({both} um), so distances from focus are unknown")
    elif features.mpp is None:
        found.append("the file does not state its pixel size, so distances from focus are unknown")
    elif not features.absolute and not features.fluorescence:
        found.append("the model gives no distances from focus")
    if features.missing_planes:
        planes = "plane is" if features.missing_planes == 1 else "planes are"
        found.append(f"{features.missing_planes} focal {planes} missing: announced, and not in the file")
    if features.unreadable_fraction >= limits.review_unreadable_fraction:
        found.append(f"{features.unreadable_fraction:.0%} of the tissue could not be read from the file")
    verdicts = [(Verdict.REVIEW, reason) for reason in found]
    part = features.cannot_tell_fraction
    text = f"{part:.0%} of the tissue cannot be judged (pen, dust, bubble or fold)"
    if part >= limits.rescan_cannot_tell_fraction:
        verdicts.insert(0, (Verdict.RESCAN, text))
    elif part >= limits.review_cannot_tell_fraction:
        verdicts.append((Verdict.REVIEW, text))
    return verdicts
