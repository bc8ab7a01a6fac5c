"""Verdicts: from a focus map to PASS, REVIEW or RESCAN, with the reasons."""
