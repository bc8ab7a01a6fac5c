"""What the pictures themselves tell of a refocused view: where it goes beyond its scan, where one focus will not do."""
