"""The radiance network for refocusing."""
