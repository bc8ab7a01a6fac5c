"""Score fusion against its members and against other ways to fuse."""
