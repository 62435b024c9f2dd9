"""Configs that come with medtf, one YAML an experiment. The file makes the folder a package, which editable installs need."""
