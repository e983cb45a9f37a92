"""How all tests are run: Hypothesis measures no time, since a busy machine proves nothing; the longest tests begin early."""

from hypothesis import HealthCheck, settings

settings.register_profile("milepost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("milepost")


def pytest_collection_modifyitems(items):
    """Let each of two workers begin with simulated days: the second one begins in the middle of the list."""
    days = [item for item in items if item.path.parent.name == "live"]
    others = [item for item in items if item.path.parent.name != "live"]
    # Those of the sources take as long as the other ones together.
    late = [item for item in days if item.path.stem == "test_sources"]
    early = [item for item in days if item.path.stem != "test_sources"]
    middle = max(0, len(items) // 2 - len(early))
    items[:] = [*early, *others[:middle], *late, *others[middle:]]
