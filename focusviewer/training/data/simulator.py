"""The table of transfer functions behind simulated training data, and the version of the simulator.

The scanners that look things up in it are drawn wide on purpose, see ``draw_system``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.core.files import atomic_write, cache_dir
from focusviewer.optics.psf import radial_otf

SIMULATOR_VERSION = "3"
"""Of simulated training data: raise it when the same seed gives other pixels, so that nothing older is mistaken."""

WAVELENGTHS_UM = (0.62, 0.54, 0.46)
NAS = (0.4, 0.5, 0.6, 0.7, 0.8)
SPHERICAL = (-0.12, 0.0, 0.12)
WAVES_MAX, WAVES_STEP = 13.0, 0.2  # defocus in units of the wavelength: +-6 um in blue
FREQUENCIES = 96
_STEPS = round(2 * WAVES_MAX / WAVES_STEP) + 1


def _build_bank() -> npt.NDArray[np.float32]:
    """Radial transfer functions: float32 (NA, spherical, defocus in waves, normalised frequency)."""
    defocus = np.linspace(-WAVES_MAX, WAVES_MAX, _STEPS)
    bank = np.empty((len(NAS), len(SPHERICAL), _STEPS, FREQUENCIES), np.float32)
    for i, na in enumerate(NAS):
        grid = np.linspace(0, 2 * na, FREQUENCIES)  # for a wavelength of 1
        for j in (1, 2):  # no aberration, positive aberration; the negative one is its mirror image
            for k, waves in enumerate(defocus):
                mirror = j == 1 and waves > 1e-6
                bank[i, j, k] = (
                    bank[i, j, _STEPS - 1 - k]
                    if mirror
                    else radial_otf(grid, float(waves), na, 1.0, spherical_waves=SPHERICAL[j], samples=FREQUENCIES)
                )
        bank[i, 0] = bank[i, 2, ::-1]
    return bank


def transfer_bank() -> npt.NDArray[np.float32]:
    """The table behind the simulator; computed once and kept in the cache folder."""
    path = cache_dir() / "transfer-bank-v2.npy"
    if path.exists():
        return np.asarray(np.load(path, allow_pickle=False))
    bank = _build_bank()
    with atomic_write(path) as temporary:
        np.save(temporary, bank)
    return bank
