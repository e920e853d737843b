"""How hard hypothesis tries: `fast` by default, `thorough` on request."""

from hypothesis import HealthCheck, settings

# The gate says the same thing twice (derandomized); `--hypothesis-profile=thorough` explores, and
# prints what replays a failure.
settings.register_profile(
    "fast",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    deadline=None,
    max_examples=2_000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fast")
