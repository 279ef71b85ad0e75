"""Which device the environment wants for the closed forms."""

import os

from isotherm.errors import ParameterError, brief

DEVICES = ("auto", "cpu", "cuda")


def device_setting() -> str:
    """ISOTHERM_DEVICE, or auto where it is not set. Raises ParameterError where it is none of the choices."""
    setting = os.environ.get("ISOTHERM_DEVICE", "").strip() or "auto"
    if setting not in DEVICES:
        raise ParameterError(f"ISOTHERM_DEVICE is {brief(setting)}: give one of {', '.join(DEVICES)}")
    return setting
