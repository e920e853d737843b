"""Wiring: from settings to an engine; what is chosen for each port is chosen here."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from focusmate_core import plugins
from focusmate_core.engine import Engine
from focusmate_core.entities import Entity
from focusmate_core.features.attempts import AttemptPolicy
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.sign_ins import SignInPolicy
from focusmate_core.plugins import BadPlugin, NoStorage, Plugins
from focusmate_core.ports.codes import Codes
from focusmate_core.ports.limits import Limits
from focusmate_core.ports.passwords import Passwords
from focusmate_core.ports.storage import Storage
from focusmate_core.ports.tokens import Tokens
from focusmate_core.refusals import Unavailable
from focusmate_core.registry import BadFeature
from focusmate_limits import WindowLimits
from focusmate_security import Argon2Passwords, SignedTokens
from focusmate_server.keys import KeyFiles
from focusmate_server.places import Pen, places_of
from focusmate_server.settings import BadSetting, CannotStart, Settings
from focusmate_sqlalchemy import BadUrl, StorageError
from focusmate_sqlalchemy import plugin as sqlalchemy
from focusmate_system import RandomCodes, RandomIds, SystemClock

log = logging.getLogger(__name__)
OWN = (sqlalchemy,)
"""Our adapters that answer hooks; being extras of one wheel they have no entry points."""


def open_engine(settings: Settings, *, hashes: bool = True) -> Engine:
    """The engine on the storage that is set; `CannotStart` says what is in the way.

    Without `hashes` it reads, authenticates and knows all messages, but can hash no password.
    """
    ports: dict[type, Any] = {
        Tokens: SignedTokens(KeyFiles(places_of(settings).key)),
        AttemptPolicy: AttemptPolicy(accounts=settings.limit_accounts),
        SignInPolicy: SignInPolicy(
            access=timedelta(minutes=settings.access_minutes),
            refresh=timedelta(days=settings.refresh_days),
        ),
        PresencePolicy: PresencePolicy(lease=settings.lease),
        Codes: RandomCodes(),
        Limits: WindowLimits(),
    }
    if hashes:
        ports[Passwords] = Argon2Passwords()
    loaded = load_plugins()
    return _engine(settings, loaded, _storage(settings, loaded), ports)


def migrate(settings: Settings) -> None:
    """Bring the database to what this version and the loaded features declare."""
    pen = Pen(places_of(settings).lock)
    if not pen.take():
        raise CannotStart("a server is running on this database: stop it, then migrate")
    loaded = load_plugins()
    storage = _storage(settings, loaded)
    if not hasattr(storage, "migrate"):
        raise CannotStart(f"FOCUSMATE_STORAGE: {type(storage).__name__} has no migrations")
    _engine(settings, loaded, cast("Storage", Migrating(storage)), {})
    storage.close()
    pen.release()


def copy_storage(settings: Settings, path: Path) -> None:
    """Copy all that is stored at one instant into an empty file; a server may go on meanwhile."""
    storage = _storage(settings, load_plugins())
    if not hasattr(storage, "copy"):
        said = f"{type(storage).__name__} cannot be copied by this: use the database's own tools"
        raise CannotStart(f"FOCUSMATE_STORAGE: {said}")
    try:
        storage.copy(path)
    except StorageError as wrong:
        raise CannotStart(f"FOCUSMATE_STORAGE: {wrong}") from None


class Migrating:
    """A storage that is migrated where another is opened: the engine knows all that is stored."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def open(self, entities: Iterable[type[Entity]]) -> None:
        """Migrate."""
        self._storage.migrate(entities)


def load_plugins() -> Plugins:
    """The bundled features, our adapters, and the strangers' that could be loaded."""
    try:
        loaded = plugins.load(OWN)
    except BadPlugin as wrong:
        raise CannotStart(str(wrong)) from None
    for left in loaded.left_out:
        log.warning("the plugin %s was left out: %s", left.name, left.why)
    return loaded


def _storage(settings: Settings, loaded: Plugins) -> Storage:
    try:
        return loaded.open_storage(settings.storage)
    except (NoStorage, BadUrl) as wrong:
        raise BadSetting(f"FOCUSMATE_STORAGE: {wrong}") from None


def _engine(
    settings: Settings, loaded: Plugins, storage: Storage, ports: dict[type, Any]
) -> Engine:
    try:
        return Engine(
            storage,
            clock=SystemClock(),
            ids=RandomIds(),
            features=loaded.features(),
            ports=ports,
        )
    except (StorageError, BadFeature) as wrong:
        raise CannotStart(f"{settings.storage}: {wrong}") from None
    except Unavailable as wrong:
        raise CannotStart(f"FOCUSMATE_STORAGE: {settings.storage} cannot be opened") from wrong
