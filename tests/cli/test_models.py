"""`medtf models`: the table a user chooses from."""

from commands import refused


def test_networks_with_parameters_multiply_adds_and_paper(typed):
    done = typed("models", "sfcn", "cnn3d", "mobilenet", "--size", "32")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    head, *rows = done.stdout.splitlines()
    assert head.split()[:3] == ["model", "size", "parameters"]
    assert [row.split()[:3] for row in rows] == [["sfcn", "3D", "32"], ["cnn3d", "3D", "32"], ["mobilenet", "2D", "32"]]
    assert "2,950,401" in rows[0]  # 2,952,936 with 40 bins; 39 outputs of 65 less
    assert "Peng 2021" in rows[0]


def test_a_network_that_does_not_take_the_size_says_so_and_the_others_stand(typed):
    done = typed("models", "sfcn", "cnn3d", "--size", "16")
    assert done.returncode == 0, done.stderr
    assert "too small for sfcn: it needs 32 voxels" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("cnn3d")


def test_an_unknown_network_names_the_nearest(typed):
    refused(typed("models", "sfnc"), 2, "unknown model 'sfnc': did you mean 'sfcn'?")
    refused(typed("models", "sfcn", "--size", "4"), 2, "--size")
