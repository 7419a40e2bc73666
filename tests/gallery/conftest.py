"""What tests of galleries share: a process that forks others, and a gallery to copy."""

import pytest
from forked_work import Nursery
from gallery_model import draw_people, make_gallery


@pytest.fixture(scope="session")
def nursery():
    """A process that has imported everything, and forks those that are killed or hindered."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A closed gallery of twelve people with two images each; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared") / "people"
    gallery = make_gallery(folder)
    gallery.add(*draw_people(12, 2))
    gallery.close()
    return folder
