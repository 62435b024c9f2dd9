"""`pipeline: path/to/mine.py`: CONTRIBUTING promises that one module and one config are enough; a broken one is told in one line."""

import pytest
import yaml
from commands import names, refused

MINE = '''
"""Mine: the shipped pipeline under another name."""
from medtf.pipelines.rsna_ich import dataset
from medtf.pipelines.rsna_ich import examples as theirs

def examples(root, config, *, scan):
    return theirs(root, config, scan=scan)
'''


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("x = 1\n", 2, "has no function examples(): see CONTRIBUTING.md"),
        ("import nonsense_of_mine\n", 1, "line 1: ModuleNotFoundError: No module named 'nonsense_of_mine'"),
        ("x = 1\ndef examples(:\n", 1, "line 2: SyntaxError"),
        ("def examples(root, config): pass\ndef dataset(): pass\n", 2, "examples() takes no argument 'scan': see CONTRIBUTING.md"),
        ("def examples(root, config, *, scan):\n    return 3\ndef dataset(**how): pass\n", 1, "examples() gave int"),
        ("def examples(root, config, *, scan):\n    return 1 / 0\ndef dataset(**how): pass\n", 1, "mine.py, line 2: ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_broken_pipeline_is_one_line_that_names_file_and_line(
    typed, phantom, tmp_path, monkeypatch, text, code, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(text)
    refused(typed("index", "mine.py", phantom, "-o", "t.parquet"), code, "mine.py", said)
    assert names(tmp_path) - {"__pycache__"} == {"mine.py"}


def test_a_pipeline_that_is_not_there(typed, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(typed("index", "mine.py", phantom, "-o", "t.parquet"), 2, "pipeline 'mine.py': no such file")
    refused(typed("index", "rsna_ic", phantom, "-o", "t.parquet"), 2, "did you mean 'rsna_ich'?")
    assert names(tmp_path) == set()


def test_a_pipeline_of_ones_own_is_indexed_and_previewed(typed, phantom, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {"pipeline": "mine.py"}))
    assert typed("index", "mine.py", phantom, "-o", "t.parquet").returncode == 0
    done = typed("preview", "mine.yaml", "--data", phantom, "-n", "2")
    assert done.returncode == 0, done.stderr
    assert "2 examples of 72" in done.stdout
