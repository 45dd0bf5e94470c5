#!/bin/sh
# Drives a service with whatever init system the host has.
# Arguments: action service
act=$1
name=$2

if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
    exec systemctl --no-pager "$act" "$name"
elif command -v service >/dev/null 2>&1; then
    exec service "$name" "$act"
elif [ -x "/etc/init.d/$name" ]; then
    exec "/etc/init.d/$name" "$act"
fi
echo "Found neither systemd, nor the command service, nor /etc/init.d/$name" >&2
exit 127
