"""Published data sets and focal stacks, read as they are: records, splits, stacks, checks, manifests."""

from focusviewer.training.datasets.base import EVERYTHING, About, Dataset
from focusviewer.training.datasets.catalogue import (
    CATALOGUE,
    ROOT_VARIABLE,
    Entry,
    datasets_root,
    find_datasets,
    open_dataset,
    recognise,
)
from focusviewer.training.datasets.check import check
from focusviewer.training.datasets.iterate import (
    BLURRY_LEVEL,
    PROTOCOL_STRIDE_PX,
    PROTOCOL_WINDOW_PX,
    dense_windows,
    focal_stacks,
    focus_images,
    refocus_pairs,
)
from focusviewer.training.datasets.manifest import read_manifest, verify_manifest, write_manifest
from focusviewer.training.datasets.records import DatasetError, Finding, FocusImage, FocusStack, ImageRecord
from focusviewer.training.datasets.reference import Reference, reference_plane
from focusviewer.training.datasets.splits import SEED, SIDES, split_groups
from focusviewer.training.datasets.stacks import open_stack

__all__ = [
    "BLURRY_LEVEL",
    "CATALOGUE",
    "EVERYTHING",
    "PROTOCOL_STRIDE_PX",
    "PROTOCOL_WINDOW_PX",
    "ROOT_VARIABLE",
    "SEED",
    "SIDES",
    "About",
    "Dataset",
    "DatasetError",
    "Entry",
    "Finding",
    "FocusImage",
    "FocusStack",
    "ImageRecord",
    "Reference",
    "check",
    "datasets_root",
    "dense_windows",
    "find_datasets",
    "focal_stacks",
    "focus_images",
    "open_dataset",
    "open_stack",
    "read_manifest",
    "recognise",
    "reference_plane",
    "refocus_pairs",
    "split_groups",
    "verify_manifest",
    "write_manifest",
]
