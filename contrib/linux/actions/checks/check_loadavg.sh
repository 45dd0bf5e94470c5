#!/bin/sh
# Prints load averages as one JSON object: {"1": 0.42} or all three with the number of processors.
# Argument: 1, 5, 15 or all (default)
period=${1:-all}

read -r one five fifteen _ </proc/loadavg || exit 1
case $period in
    1) printf '{"1": %s}\n' "$one" ;;
    5) printf '{"5": %s}\n' "$five" ;;
    15) printf '{"15": %s}\n' "$fifteen" ;;
    all)
        processors=$(grep -c '^processor' /proc/cpuinfo)
        printf '{"1": %s, "5": %s, "15": %s, "processors": %s}\n' "$one" "$five" "$fifteen" "$processors"
        ;;
    *)
        echo "Unknown period '$period': expected 1, 5, 15 or all" >&2
        exit 2
        ;;
esac
