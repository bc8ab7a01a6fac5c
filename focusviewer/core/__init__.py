"""What every room uses: errors that a person sees, files, folders and threads."""
