"""One module for each published data set: how its folder is read."""
