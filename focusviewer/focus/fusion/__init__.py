"""Fusion of the scores of several focus models into one, with its uncertainty; learned without labels."""

from focusviewer.focus.fusion.catalogue import FUSED, VARIANTS, FusionVariant, entries, fusion_variant

__all__ = ["FUSED", "VARIANTS", "FusionVariant", "entries", "fusion_variant"]
