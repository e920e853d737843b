"""How hard hypothesis tries: `fast` by default, `thorough` on request."""

from hypothesis import HealthCheck, settings

# Derandomized, the gate says the same thing twice, but only where the same modules are imported
# from the same kind of place: hypothesis draws from the constants it finds in modules outside of
# site-packages, so against the installed wheel it tries other examples. What passes by one lucky
# draw fails there. `--hypothesis-profile=thorough` explores, and prints what replays a failure.
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
