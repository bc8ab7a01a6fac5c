"""From a model's scores to microns from focus on one scanner."""
