"""How the tables of the evaluation are laid out: columns, titles, notes."""

from __future__ import annotations

from focusviewer.evaluation.tables import refocus as refocus_layout
from focusviewer.evaluation.tables.refocus import MODEL as MODEL
from focusviewer.evaluation.tables.refocus import SIMILARITY as SIMILARITY
from focusviewer.evaluation.tables.table import Column

CORRELATION = (
    Column("srcc", "SRCC", 3, "high"),
    Column("plcc", "PLCC", 3, "high"),
    Column("plcc_fitted", "PLCC after logistic fit", 3, "high"),
    Column("krcc", "KRCC", 3, "high"),
    Column("roc_auc", "ROC-AUC", 3, "high"),
    Column("pr_auc", "PR-AUC", 3, "high"),
    Column("mae_um", "mean error, µm", 2, "low"),
)
NOTES = {
    "focus-stacks": "{fields} fields no model trained on, {planes} planes each 0.25 µm apart; truth |z - z*| in levels "
    "of 0.25 µm; blurred from 3 levels. Real pictures are the held-out side of the training data (they chose "
    "between checkpoints, never trained them) and count as thin; phantoms are 2 to 4 µm thick. Intervals: 95 %, "
    'drawn by picture. "within" is the mean of each field\'s own SRCC.',
    "focus-scales": "The simulated test stacks as they are, and averaged in twos: the same tissue at 40x and 20x, "
    "read with the calibrations shipped for either scale. Medians; the difference is relative to the mean of the two.",
    "focus-slides": "Whole maps of simulated slides of tissue phantoms; blurred from 0.75 µm. Intervals: 95 %, drawn "
    "by squares of 250 µm.",
    "focus-real": "Evaluated as 0.25 µm pixels. Steps that rise and SRCC are counted away from the best plane.",
    **refocus_layout.NOTES,
}


COLUMNS: dict[str, tuple[Column, ...]] = {
    "focus-stacks": (
        MODEL,
        *CORRELATION,
        Column("srcc_real", "SRCC, real pictures", 3, "high"),
        Column("srcc_phantoms", "SRCC, phantoms", 3, "high"),
        Column("srcc_within", "SRCC within a field", 3, "high"),
        Column("seconds_per_image", "s per 1024²", 4, "low"),
    ),
    "focus-scales": (
        MODEL,
        Column("range", "true distance, µm"),
        Column("images", "images"),
        Column("fine_um", "at 0.25 µm/px, µm", 2),
        Column("coarse_um", "at 0.5 µm/px, µm", 2),
        Column("difference", "difference", 2, "low"),
    ),
    "focus-slides": (
        MODEL,
        Column("slide", "slide"),
        Column("tissue_windows", "windows"),
        Column("srcc", "SRCC", 3, "high"),
        Column("roc_auc", "ROC-AUC", 3, "high"),
    ),
    "focus-real": (
        MODEL,
        Column("stack", "stack"),
        Column("lowest", "lowest plane"),
        Column("reference", "stated best"),
        Column("planes_off", "planes off"),
        Column("monotone", "steps that rise", 2, "high"),
        Column("monotone_below", "rise below", 2, "high"),
        Column("monotone_above", "rise above", 2, "high"),
        Column("srcc_below", "SRCC below", 3, "high"),
        Column("srcc_above", "SRCC above", 3, "high"),
    ),
    **refocus_layout.COLUMNS,
}
DATASET_COLUMNS = {
    "focus": (MODEL, Column("split", "split"), Column("images", "images"), Column("slides", "slides"), *CORRELATION),
    "refocus": COLUMNS["refocus-planes"],
}
TITLES = {
    "focus-stacks": "Simulated test stacks",
    "focus-scales": "The same tissue at two scales",
    "focus-slides": "Simulated slides",
    "focus-real": "Real focal stacks",
    **refocus_layout.TITLES,
}
BEST_FIRST = {"focus-stacks"}
PUBLISHED = {
    "srcc": Column("published_srcc", "SRCC published (FocusPath)", 3),
    "roc_auc": Column("published_roc_auc", "ROC-AUC published (FocusPath)", 3),
}


PUBLISHED_TITLES = {
    **{column.key: column.title for column in (*CORRELATION, *SIMILARITY)},
    "tcga_roc_auc": "ROC-AUC (TCGA@Focus)",
    "tcga_pr_auc": "PR-AUC (TCGA@Focus)",
    "seconds_per_image": "s per 1024²",
    "f1": "F1",
    "dists": "DISTS",
    "brisque": "BRISQUE",
    "cnniqa": "CNNIQA",
}

SHUFFLED_NOTE = (
    "Every tensor's values in random order, evaluated on simulated test stacks. A random filter still "
    "sees contrast, in either direction; chance means that the mean over shuffles is near 0 (SRCC) and 0.5 (ROC-AUC). "
    "Intervals: 95 %, over shuffles."
)
SHUFFLED_COLUMNS = (
    MODEL,
    Column("shuffles", "shuffles"),
    Column("srcc", "SRCC, mean of shuffles", 3),
    Column("roc_auc", "ROC-AUC, mean of shuffles", 3),
    Column("trained_srcc", "SRCC, trained", 3, "high"),
    Column("trained_roc_auc", "ROC-AUC, trained", 3, "high"),
    Column("as_good", "shuffles as good as training", 2, "low"),
)
