"""Quality control of many slides: verdicts (PASS, REVIEW, RESCAN), the worklist store, reports, the batch runner.

Empty for now: the room is kept so that the layers above and below it are drawn from the start.
"""
