"""Where the program keeps things, and how it writes files without losing any."""

from focusviewer.core.files.places import cache_dir, config_dir, resource_path, weights_from
from focusviewer.core.files.writing import (
    atomic_write,
    building_folder,
    check_output_folder,
    clean_up,
    natural_order,
    output_folder,
    unfinished_file,
    write_safetensors,
)

__all__ = [
    "atomic_write",
    "building_folder",
    "cache_dir",
    "check_output_folder",
    "clean_up",
    "config_dir",
    "natural_order",
    "output_folder",
    "resource_path",
    "unfinished_file",
    "weights_from",
    "write_safetensors",
]
