"""What every room stands on: errors, files, small helpers without pixels."""
