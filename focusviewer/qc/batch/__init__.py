"""Batches: many slides judged by worker programs, on this machine or on a cluster."""
