"""What every room may use: errors, files, names of array types, the registry of models, ending work early."""
