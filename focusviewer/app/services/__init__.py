"""What every feature uses: jobs, tiles, commands, undo, settings, texts. Knows no feature."""
