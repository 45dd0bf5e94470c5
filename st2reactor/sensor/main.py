"""The command `st2sensorcontainer`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from st2common.exceptions import ConfigError
from st2common.platform import Platform
from st2common.service import configure, parser, run_with
from st2reactor.sensor.node import SensorService


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the flags and run; in single sensor mode the exit code is the sensor's."""
    made = parser("st2sensorcontainer")
    made.add_argument("--sensor-ref", help="run only this sensor (pack.Class)")
    made.add_argument("--single-sensor-mode", action="store_true", help="do not restart it; end with it")
    arguments = made.parse_args(argv)
    config = configure(arguments, "st2sensorcontainer")
    config.sensorcontainer.single_sensor_mode |= arguments.single_sensor_mode
    if config.sensorcontainer.single_sensor_mode and not arguments.sensor_ref:
        sys.exit("st2sensorcontainer: --single-sensor-mode needs --sensor-ref")

    services: list[SensorService] = []

    def make(platform: Platform) -> SensorService:
        if arguments.sensor_ref and platform.store.catalog.by_ref("sensor", arguments.sensor_ref) is None:
            raise ConfigError(f"Sensor {arguments.sensor_ref} not found in db.")
        services.append(SensorService(platform, arguments.sensor_ref))
        return services[0]

    code = run_with("st2sensorcontainer", config, [make])
    sys.exit(code or (services[0].exit_code if services else 0))


if __name__ == "__main__":
    main()
