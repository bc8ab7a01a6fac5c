"""Fits the model of image formation to pairs of real planes."""
