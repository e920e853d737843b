"""What stops a storage from being opened, each with what to do next."""


class StorageError(Exception):
    """The storage cannot be opened as it is."""


class BadUrl(StorageError):
    """The URL names no database that this storage can keep."""


class NeedsMigration(StorageError):
    """The database was made by an older version, or lacks the tables of a feature."""

    def __init__(self, lacks: str) -> None:
        super().__init__(f"the database {lacks}: stop the server, back up, run `focusmate migrate`")


class NewerDatabase(StorageError):
    """The database was made by a newer version of the library."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database stands at revision «{revision}», which this version does not know: "
            f"it was made by a newer focusmate; install that version or a later one"
        )
