"""WSI-DISTS, a distance between pictures of tissue, and the features behind it."""
