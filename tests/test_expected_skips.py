"""Where CI is set, a test or a file that is skipped without being expected fails."""

import pytest

pytest_plugins = ["pytester"]

FILE = """
import pytest

@pytest.fixture
def asset():
    pytest.skip("the weights of tiny are not there")

def test_asset(asset):
    pass

@pytest.mark.skipif(True, reason="needs a CUDA device")
def test_cuda():
    pass

@pytest.mark.xfail(reason="known")
def test_known():
    raise ValueError
"""

PACKAGE = "import pytest\npytest.importorskip('no_such_package', reason={reason!r})"


@pytest.fixture
def outcomes(pytester, monkeypatch):
    """Return a function that runs files in a pytest of their own and returns what it counts."""

    def run(ci, **files):
        monkeypatch.setenv("CI", ci)
        pytester.makepyfile(**files)
        result = pytester.runpytest_inprocess("-p", "expected_skips", "-p", "no:cacheprovider")
        return result, result.parseoutcomes()

    return run


def test_a_missing_asset_fails_and_the_reason_is_named(outcomes):
    result, counts = outcomes("true", test_some=FILE)
    assert counts == {"errors": 1, "skipped": 1, "xfailed": 1}
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("*the weights of tiny are not there*")


def test_without_ci_it_is_skipped(outcomes):
    result, counts = outcomes("", test_some=FILE)
    assert counts == {"skipped": 2, "xfailed": 1}
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("reason", "counted"),
    [
        ("wandb is not installed: promptreid[wandb]", "skipped"),
        ("wandb is not installed: promptreid[mlflow]", "errors"),
        ("matplotlib is not installed", "errors"),
    ],
)
def test_whole_files_are_held_to_it_too(outcomes, reason, counted):
    _, counts = outcomes("true", test_package=PACKAGE.format(reason=reason))
    assert counts[counted] == 1
    assert len(counts) == 1


def test_this_suite_is_held_to_it(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("expected_skips")
