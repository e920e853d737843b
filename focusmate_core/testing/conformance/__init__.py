"""The contracts: what each port, feature and door promises, as tests to inherit."""

import pytest

# Without this a failing law of ours would say less in a stranger's tests than in our own.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("storage", "feature", "door", "limits"))
)
