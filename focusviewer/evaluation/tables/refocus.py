"""How the tables of refocusing are laid out: columns, titles, notes."""

from __future__ import annotations

from focusviewer.evaluation.tables.table import Column

MODEL = Column("model", "model")
SIMILARITY = (
    Column("psnr", "PSNR, dB", 2, "high"),
    Column("ssim", "SSIM", 3, "high"),
    Column("ms_ssim", "MS-SSIM", 3, "high"),
    Column("iw_ssim", "IW-SSIM", 3, "high"),
    Column("dists", "DISTS form (fixed features)", 3, "low"),
    Column("psnr_nearest", "PSNR of nearest input", 2),
    Column("ssim_nearest", "SSIM of nearest input", 3),
)


def _before_after(name: str, title: str, digits: int, after: str) -> tuple[Column, Column]:
    return Column(f"{name}_before", f"{title} before", digits), Column(f"{name}_{after}", f"{title} {after}", digits)


TITLES = {
    "refocus-tissue-summary": "Real tissue out of focus, blind, beside textbook filters",
    "refocus-tissue": "Real tissue out of focus, picture by picture",
    "refocus-simulated": "Held-out pictures, simulated defocus, one plane",
    "refocus-planes": "Simulated test stacks, from planes to planes",
    "refocus-inputs": "Simulated test stacks, more and more input planes",
    "refocus-gaps": "Simulated test stacks, the plane between two others",
    "refocus-traverse": "Focus turned evenly",
    "refocus-levels": "Focus turned evenly, level by level",
    "refocus-uneven": "Uneven sections, a target for every pixel",
    "refocus-real": "Real focal stacks, each plane to best focus",
    "refocus-real-planes": "Real focal stacks, picture by picture",
    "refocus-real-summary": "Real focal stacks, what is gained",
    "refocus-honesty": "What must never happen",
    "refocus-protocol": "FocusPath, strip 1",
}

NOTES = {
    "refocus-tissue-summary": "Mean gains over leaving the scan as it is. Best filter: the textbook Wiener filter "
    "(NA 0.7) whose distance and regularisation are picked with the sharp plane known, for each figure by itself: a "
    "bar, not a method. Gentle filter: 2 µm, regularisation 1, for everything. Share: of the best filter's gain that "
    "`Auto` or all in focus reaches, whichever gains more in PSNR; the worst picture is of that one.",
    "refocus-tissue": "Evaluated as 0.25 µm pixels; blurred planes are registered to the sharp one, and gain and "
    "offset of each colour are matched to it. Auto: best single focus, found blind. All: all in focus.",
    "refocus-simulated": 'Held-out pictures blurred by known optics; "auto" is blind, "knob" is told the distance. The '
    "oracle is a Wiener filter in optical density that is told optics, distance and noise; the blind one guesses. "
    "Re-blur: PSNR between the scan and the result blurred again. Intervals: 95 %, drawn by picture.",
    "refocus-planes": "Planes of the simulated test stacks made from other planes, never from the target's neighbours. "
    "With one input the axis is turned so that the tissue is on the positive side, as engines assume. Intervals: "
    "95 %, drawn by picture.",
    "refocus-inputs": "The same targets from the first one, two, three and five planes of one random order, none of "
    "them the target's neighbour. The rise is that over the row before, in the same cases. Intervals: 95 %, drawn by "
    "picture.",
    "refocus-gaps": "Both inputs are equally far from the target; the nearer one is the better of them. Mixed: their "
    "mean. Differences are those of the same cases. Intervals: 95 %, drawn by picture.",
    "refocus-traverse": "Simulated sections with a truth at every 0.05 µm; inputs and truth have noise .004, each its "
    "own. The largest step in PSNR from one target to the next is that in any stack, without those to and from an "
    "acquired plane, which have a column of their own. Jump: the largest change of the picture over the usual one.",
    "refocus-levels": "Means over the stacks of the table before; best focus lies between levels 8 and 9.",
    "refocus-uneven": "Tilted: 0.5 to 3 µm from left to right, eight parts. Stepped: 0, 1, 2 and 3 µm. The target map "
    "is the true depth, or the engine's own; parts are refocused one by one from their own pixels and put together. "
    "Intervals: 95 %, drawn by picture.",
    "refocus-real": "Single planes refocused blind, against the stated best plane; evaluated as 0.25 µm pixels.",
    "refocus-real-planes": "Evaluated as 0.25 µm pixels; the planes' distance is measured by the blur between them. "
    "Planes of one stack are made equally bright.",
    "refocus-real-summary": "Differences to the input as it is (of two, the better one), to the blind Wiener filter "
    "and to mixing both inputs. Best focus and all in focus are blind. But for best focus, the planes of a stack are "
    "made equally bright first. Lost: stacks whose mean gain is below -0.2 dB. Intervals: 95 %, drawn by stack.",
    "refocus-honesty": "Re-blur consistency and glass are measured blind; the shade is the mean over 9 by 9 pixels.",
    "refocus-protocol": "Published figures are those of the model named beside them. DISTS there uses a trained "
    "network, ours does not. Intervals: 95 %, drawn by slide.",
}

_TISSUE_WORDS = (("auto", "auto"), ("all", "all in focus"), ("gentle", "gentle filter"), ("best", "best filter"))

COLUMNS: dict[str, tuple[Column, ...]] = {
    "refocus-tissue-summary": (
        MODEL,
        Column("tissue", "tissue"),
        Column("pairs", "pictures"),
        *(
            Column(f"{gain}_{name}", f"{figure} {words}", digits, "high")
            for gain, figure, digits in (("gain", "gain, dB,", 2), ("ssim_gain", "gain, SSIM,", 3))
            for name, words in _TISSUE_WORDS
        ),
        Column("share", "share, PSNR", 2, "high"),
        Column("ssim_share", "share, SSIM", 2, "high"),
        Column("worst_gain", "worst picture, dB", 2, "high"),
    ),
    "refocus-tissue": (
        MODEL,
        Column("tissue", "tissue"),
        Column("case", "planes"),
        *(
            Column(f"{figure}_{name}", f"{title} {words}", digits)
            for figure, title, digits in (("psnr", "PSNR", 2), ("ssim", "SSIM", 3))
            for name, words in (("before", "scan"), *_TISSUE_WORDS)
        ),
    ),
    "refocus-simulated": (
        MODEL,
        Column("z_um", "z, µm", 1),
        Column("noise", "noise", 3),
        Column("fields", "fields"),
        Column("psnr_before", "PSNR before", 2),
        Column("psnr_auto", "PSNR auto", 2, "high"),
        Column("psnr_knob", "PSNR knob", 2, "high"),
        Column("psnr_oracle", "PSNR oracle", 2),
        Column("psnr_blind", "PSNR blind Wiener", 2),
        Column("gain_auto", "gain auto, dB", 2, "high"),
        Column("worst_gain_auto", "worst field", 2, "high"),
        Column("over_oracle", "meets oracle, dB", 2, "high"),
        Column("over_blind", "over blind Wiener, dB", 2, "high"),
        *_before_after("ssim", "SSIM", 3, "auto"),
        Column("ssim_oracle", "SSIM oracle", 3),
        Column("ssim_blind", "SSIM blind Wiener", 3),
        Column("ssim_over_oracle", "meets oracle, SSIM", 3, "high"),
        *_before_after("ms_ssim", "MS-SSIM", 3, "auto"),
        *_before_after("iw_ssim", "IW-SSIM", 3, "auto"),
        *_before_after("dists", "DISTS form", 3, "auto"),
        Column("reblur_db", "re-blur, dB", 1, "high"),
    ),
    "refocus-planes": (
        MODEL,
        Column("task", "task"),
        Column("inputs", "inputs"),
        Column("stacks", "stacks"),
        *SIMILARITY,
    ),
    "refocus-inputs": (
        MODEL,
        Column("inputs", "inputs"),
        Column("cases", "cases"),
        Column("psnr", "PSNR, dB", 2, "high"),
        Column("ssim", "SSIM", 3, "high"),
        Column("rise", "rise, dB", 2, "high"),
        Column("ssim_rise", "rise, SSIM", 3, "high"),
        Column("rises", "cases that rise", 2, "high"),
    ),
    "refocus-gaps": (
        MODEL,
        Column("gap_um", "gap, µm", 2),
        Column("stacks", "stacks"),
        Column("psnr", "PSNR, dB", 2, "high"),
        Column("ssim", "SSIM", 3, "high"),
        *(
            Column(f"{figure}_{name}", f"{title} {words}", digits)
            for name, words in (
                ("nearest", "nearer input"),
                ("blend", "mixed"),
                ("dfi", "DFI"),
                ("linear_latent", "LinearLatent"),
            )
            for figure, title, digits in (("psnr", "PSNR", 2), ("ssim", "SSIM", 3))
        ),
        Column("over_nearest", "over nearer, dB", 2, "high"),
        Column("over_blend", "over mixed, dB", 2, "high"),
        Column("over_dfi", "over DFI, dB", 2, "high"),
        Column("over_linear_latent", "over LinearLatent, dB", 2, "high"),
    ),
    "refocus-traverse": (
        MODEL,
        Column("case", "inputs and targets"),
        Column("stacks", "stacks"),
        Column("targets", "targets"),
        Column("psnr", "PSNR, dB", 2, "high"),
        Column("lowest", "lowest", 2, "high"),
        Column("psnr_nearest", "PSNR of nearest input", 2),
        Column("largest_step", "largest step, dB", 2, "low"),
        Column("largest_step_nearest", "that of the nearest input", 2),
        Column("largest_step_any", "with acquired planes", 2),
        Column("mean_step", "largest step of the mean", 2, "low"),
        Column("steps_over", "steps over 0.5 dB"),
        Column("jump", "jump", 1, "low"),
    ),
    "refocus-levels": (
        MODEL,
        Column("level", "level"),
        Column("psnr_two", "PSNR from 6 and 11", 2, "high"),
        Column("ssim_two", "SSIM from 6 and 11", 3, "high"),
        Column("nearest_two", "PSNR of nearer of 6 and 11", 2),
        Column("psnr_one", "PSNR from 16", 2, "high"),
        Column("ssim_one", "SSIM from 16", 3, "high"),
        Column("nearest_one", "PSNR of 16", 2),
    ),
    "refocus-uneven": (
        MODEL,
        Column("section", "section"),
        Column("inputs", "inputs"),
        Column("depth", "depth"),
        Column("sections", "sections"),
        Column("psnr_before", "PSNR before", 2),
        Column("psnr_map", "PSNR with map", 2, "high"),
        Column("psnr_parts", "PSNR of parts", 2),
        Column("difference", "map over parts, dB", 2, "high"),
        Column("worst", "worst", 2, "high"),
        Column("ssim_map", "SSIM with map", 3, "high"),
    ),
    "refocus-real": (
        MODEL,
        Column("stack", "stack"),
        Column("plane", "plane"),
        *_before_after("psnr", "PSNR", 2, "after"),
        Column("psnr_blind", "PSNR blind Wiener", 2),
        Column("gain_db", "gain, dB", 2, "high"),
        *_before_after("ssim", "SSIM", 3, "after"),
        Column("ssim_blind", "SSIM blind Wiener", 3),
        *_before_after("ms_ssim", "MS-SSIM", 3, "after"),
        *_before_after("iw_ssim", "IW-SSIM", 3, "after"),
        *_before_after("dists", "DISTS form", 3, "after"),
        Column("reblur_db", "re-blur, dB", 1, "high"),
        Column("estimated_um", "estimated, µm", 2),
    ),
    "refocus-real-planes": (
        MODEL,
        Column("task", "task"),
        Column("stack", "stack"),
        *_before_after("psnr", "PSNR", 2, "after"),
        Column("psnr_blind", "PSNR blind Wiener", 2),
        Column("psnr_blend", "PSNR mixed", 2),
        *_before_after("ssim", "SSIM", 3, "after"),
        Column("ssim_blind", "SSIM blind Wiener", 3),
        Column("ssim_blend", "SSIM mixed", 3),
    ),
    "refocus-real-summary": (
        MODEL,
        Column("task", "task"),
        Column("pictures", "pictures"),
        Column("stacks", "stacks"),
        Column("gain", "gain, dB", 2, "high"),
        Column("ssim_gain", "gain, SSIM", 4, "high"),
        Column("gain_over_blind", "over blind Wiener, dB", 2, "high"),
        Column("ssim_gain_over_blind", "over blind Wiener, SSIM", 4, "high"),
        Column("gain_over_blend", "over mixed, dB", 2, "high"),
        Column("ssim_gain_over_blend", "over mixed, SSIM", 4, "high"),
        Column("worst_stack", "worst stack"),
        Column("worst_stack_gain", "its gain, dB", 2, "high"),
        Column("worst_gain", "worst picture, dB", 2, "high"),
        Column("lost", "stacks lost"),
    ),
    "refocus-honesty": (
        MODEL,
        Column("check", "check"),
        Column("what", "on what"),
        Column("cases", "cases"),
        Column("mean", "mean", 3),
        Column("worst", "worst", 3),
        Column("limit", "limit", 1),
        Column("held", "kept"),
    ),
    "refocus-protocol": (
        MODEL,
        Column("task", "task"),
        Column("inputs", "inputs"),
        Column("pictures", "pictures"),
        Column("slides", "slides"),
        *SIMILARITY[:5],
        Column("published", "published model"),
        Column("published_ssim", "SSIM published", 4),
        Column("published_ms_ssim", "MS-SSIM published", 4),
        Column("published_iw_ssim", "IW-SSIM published", 4),
        Column("published_dists", "DISTS published", 4),
    ),
}
