"""Simulated tissue, scanners, stacks and slides with known focus, and the microscope fitted to real planes."""
