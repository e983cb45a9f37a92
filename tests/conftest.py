"""How all tests are run: Hypothesis measures no time, since a busy machine proves nothing."""

from hypothesis import HealthCheck, settings

settings.register_profile("milepost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("milepost")
