"""Every figure of merit, once: correlation of scores, similarity of images, confidence intervals of both.

Plain arrays in, plain floats out; a figure that does not exist (the correlation of constant scores, say) is NaN.
"""

from focusviewer.metrics.correlation import krcc, mae, plcc, plcc_logistic, srcc
from focusviewer.metrics.detection import Detection, detection, pr_auc, roc_auc
from focusviewer.metrics.dists import FeatureExtractor, derivative_pyramid, dists_form
from focusviewer.metrics.information import iw_ssim
from focusviewer.metrics.intervals import Interval, bootstrap_interval
from focusviewer.metrics.similarity import ms_ssim, psnr, ssim

__all__ = [
    "Detection",
    "FeatureExtractor",
    "Interval",
    "bootstrap_interval",
    "derivative_pyramid",
    "detection",
    "dists_form",
    "iw_ssim",
    "krcc",
    "mae",
    "ms_ssim",
    "plcc",
    "plcc_logistic",
    "pr_auc",
    "psnr",
    "roc_auc",
    "srcc",
    "ssim",
]
