"""Every law of a feature is held on memory and on SQLite."""

from __future__ import annotations

import pytest

from tests.features.town import STORAGES, Town


@pytest.fixture(scope="session")
def databases(tmp_path_factory):
    return tmp_path_factory.mktemp("databases")


@pytest.fixture(params=STORAGES)
def storage(request, databases):
    made = STORAGES[request.param](databases)
    yield made
    made.close()


@pytest.fixture
def town(storage):
    return Town(storage)


@pytest.fixture
def ada(town):
    return town.somebody()


@pytest.fixture
def bob(town):
    return town.somebody()


@pytest.fixture
def room(town, ada):
    """Ada's room, where only she controls the timer; nobody else is in it."""
    return town.open_room(ada)
