#!/bin/sh
# Deletes *.log files below a folder that are older than some days.
# Arguments: directory days host mountpoint
set -eu
directory=$1
days=${2:-0}
host=$3
mountpoint=$4

echo "Freeing disk space for $mountpoint on $host"
if [ ! -d "$directory" ]; then
    echo "$directory does not exist: nothing to delete"
    exit 0
fi

before=$(du -sk "$directory" | cut -f1)
if [ "$days" -gt 0 ]; then
    deleted=$(find "$directory" -type f -name '*.log' -mtime "+$((days - 1))" -print -delete | wc -l)
else
    deleted=$(find "$directory" -type f -name '*.log' -print -delete | wc -l)
fi
after=$(du -sk "$directory" | cut -f1)

echo "Deleted $deleted file(s) below $directory, $((before - after)) KiB freed"
df -h "$directory" | tail -n 1 | awk '{print "File system " $6 " is now " $5 " full"}'
