"""One thin module a data set: `examples(root, config)` and `dataset(table, root, config, ...)`; see CONTRIBUTING.md."""

if __name__ == "pipelines":
    raise ImportError("import medtf.pipelines, not pipelines: the folder is installed under medtf (pip install -e .)")
