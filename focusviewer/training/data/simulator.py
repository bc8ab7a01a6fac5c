"""Random defocus for training: batches of sharp crops through randomised optics, tone, noise and compression.

The randomisation is wide on purpose: measurements on real plane pairs showed that a network trained on one fixed
system neither transfers nor leaves sharp images alone. Drawn per sample: aperture, spherical aberration, axial colour,
the domain in which light adds up (intensity or optical density), tone curve, gray or colour, noise level and
correlation, JPEG.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from focusviewer.core.files import atomic_write, cache_dir
from focusviewer.optics.camera import jpeg_round_trip
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


@dataclass
class Draw:
    """The random optical systems of one batch (one row a sample)."""

    na: Tensor  # (B,) index into NAS, fractional
    spherical: Tensor  # (B,) index into SPHERICAL
    shift_um: Tensor  # (B, 3)
    density: Tensor  # (B,) bool: blur the optical density instead of the light
    gamma: Tensor  # (B,)
    gray: Tensor  # (B,) bool
    noise: Tensor  # (B,)
    correlated: Tensor  # (B,) bool
    jpeg: Tensor  # (B,) quality, 0 for none


class DefocusSimulator:
    """Makes blurred versions of sharp batches; all randomness comes from one seeded generator."""

    def __init__(self, seed: int, na_range: tuple[float, float] = (0.55, 0.8), max_noise: float = 0.01) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.bank = torch.from_numpy(transfer_bank())
        self.na_range = na_range
        self.max_noise = max_noise

    def _uniform(self, count: int, low: float, high: float) -> Tensor:
        return torch.rand(count, generator=self.generator) * (high - low) + low

    def draw(self, count: int) -> Draw:
        """Random optics, tone and camera for ``count`` samples."""
        low, high = ((na - NAS[0]) / (NAS[1] - NAS[0]) for na in self.na_range)
        spherical = torch.where(self._uniform(count, 0, 1) < 0.6, 1.0, self._uniform(count, 0, 2))
        shift = torch.randn(count, 3, generator=self.generator) * 0.3
        shift[:, 1] = 0.0
        jpeg = torch.where(self._uniform(count, 0, 1) < 0.35, self._uniform(count, 65, 96), 0.0)
        return Draw(
            na=self._uniform(count, low, high),
            spherical=spherical,
            shift_um=shift,
            density=self._uniform(count, 0, 1) < 0.35,
            gamma=torch.exp(self._uniform(count, -0.5, 0.7)),
            gray=self._uniform(count, 0, 1) < 0.15,
            noise=self._uniform(count, 0, 1) ** 1.5 * self.max_noise,
            correlated=self._uniform(count, 0, 1) < 0.4,
            jpeg=jpeg.round(),
        )

    def transfer(self, draw: Draw, z_um: Tensor, size: tuple[int, int], mpp: float) -> Tensor:
        """Transfer functions: float32 (B, 3, H, W // 2 + 1), relative to the system in focus."""
        vertical = torch.fft.fftfreq(size[0], mpp)[:, None].expand(-1, size[1] // 2 + 1)
        frequency = torch.hypot(vertical, torch.fft.rfftfreq(size[1], mpp)[None])
        radial = self._radial(draw, z_um) / self._radial(draw, None).clamp_min(0.05)
        radial = radial.clamp(-1, 1)
        na = NAS[0] + draw.na * (NAS[1] - NAS[0])
        cutoff = 2 * na[:, None] / torch.tensor(WAVELENGTHS_UM)
        position = frequency[None, None] / cutoff[..., None, None] * (FREQUENCIES - 1)
        below = position.floor().clamp(max=FREQUENCIES - 2)
        weight = (position - below).clamp(max=1)
        index = below.long().flatten(2)
        low, high = radial.gather(2, index), radial.gather(2, index + 1)
        return torch.lerp(low, high, weight.flatten(2)).reshape(position.shape)

    def _radial(self, draw: Draw, z_um: Tensor | None) -> Tensor:
        """Radial transfer tables (B, 3, FREQUENCIES); of the ideal system in focus when ``z_um`` is None."""
        na_low = draw.na.floor().clamp(max=len(NAS) - 2)
        na_weight = (draw.na - na_low)[:, None, None]
        na_index = na_low.long()
        if z_um is None:
            middle = torch.full((draw.na.numel(), 3), _STEPS // 2)
            return self._mix_na(na_index, na_weight, torch.ones_like(na_index), middle)
        waves = (z_um[:, None] - draw.shift_um) / torch.tensor(WAVELENGTHS_UM)
        position = ((waves + WAVES_MAX) / WAVES_STEP).clamp(0, _STEPS - 1.001)
        z_index = position.long()
        z_weight = (position - z_index)[..., None]
        s_low = draw.spherical.floor().clamp(max=len(SPHERICAL) - 2)
        s_weight = (draw.spherical - s_low)[:, None, None]
        s_index = s_low.long()

        def at(sphere: Tensor, z: Tensor) -> Tensor:
            return self._mix_na(na_index, na_weight, sphere, z)

        near = torch.lerp(at(s_index, z_index), at(s_index, z_index + 1), z_weight)
        far = torch.lerp(at(s_index + 1, z_index), at(s_index + 1, z_index + 1), z_weight)
        return torch.lerp(near, far, s_weight)

    def _mix_na(self, na: Tensor, weight: Tensor, sphere: Tensor, z: Tensor) -> Tensor:
        row, sphere = na[:, None], sphere[:, None]
        return torch.lerp(self.bank[row, sphere, z], self.bank[row + 1, sphere, z], weight)

    def tone(self, images: Tensor, draw: Draw) -> Tensor:
        """Gray some samples and take all to linear light by their random tone curve: (B, 3, H, W), 0..1."""
        gray = images.mean(1, keepdim=True).expand_as(images)
        images = torch.where(draw.gray[:, None, None, None], gray, images)
        return images.clamp(1e-3, 1) ** draw.gamma[:, None, None, None]

    def untone(self, light: Tensor, draw: Draw) -> Tensor:
        """Back from linear light to stored values."""
        return light.clamp(1e-4, 1) ** (1 / draw.gamma[:, None, None, None])

    def defocus(self, light: Tensor, draw: Draw, z_um: Tensor, mpp: float, pad: int = 32) -> Tensor:
        """Blur linear-light images (B, 3, H, W) by ``z_um`` (B,), um."""
        height, width = light.shape[2:]
        size = (height + 2 * pad, width + 2 * pad)
        transfer = self.transfer(draw, z_um, size, mpp)
        as_density = draw.density[:, None, None, None]
        values = torch.where(as_density, -torch.log10(light.clamp_min(1e-3)), light)
        padded = torch.nn.functional.pad(values, (pad, pad, pad, pad), mode="reflect")
        blurred = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer, s=size)
        blurred = torch.where(as_density, 10.0**-blurred, blurred)
        return blurred[..., pad : pad + height, pad : pad + width].clamp(0, 1)

    def record(self, images: Tensor, draw: Draw) -> Tensor:
        """Add the camera's noise and compression to stored values: (B, 3, H, W) in 0..1, quantised to 8 bits."""
        noise = torch.randn(images.shape, generator=self.generator)
        smooth = torch.nn.functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False) * 3
        noise = torch.where(draw.correlated[:, None, None, None], 0.45 * noise + 0.55 * smooth, noise)
        gray = noise[:, :1].expand_as(noise)
        noise = torch.where(draw.gray[:, None, None, None], gray, noise)
        noisy = (images + draw.noise[:, None, None, None] * noise).clamp(0, 1)
        pixels = (noisy * 255).round()
        for index in torch.nonzero(draw.jpeg).flatten().tolist():
            array = pixels[index].permute(1, 2, 0).to(torch.uint8).numpy()
            back = jpeg_round_trip(array, int(draw.jpeg[index]))
            pixels[index] = torch.from_numpy(np.array(back)).permute(2, 0, 1).float()
        return pixels / 255
