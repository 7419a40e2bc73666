"""A served gallery of pixel vectors, fresh for each test that changes it."""

import pytest
from served_gallery import Served


@pytest.fixture
def served(tmp_path):
    with Served(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A service that tests ask but do not change."""
    with Served(tmp_path_factory.mktemp("asked")) as running:
        yield running
