"""Training: data sets, simulated defocus, tasks and the trainer. Never imported by the window."""
