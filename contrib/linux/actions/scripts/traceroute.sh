#!/bin/sh
# Traces the way to a host.
# Arguments: [--hops=N] [--queries_to_hop=N] host
hops=30
queries=3
while [ $# -gt 0 ]; do
    case $1 in
        --hops=*) hops=${1#*=} ;;
        --queries_to_hop=*) queries=${1#*=} ;;
        --*) ;; # parameters of the runner are not ours
        *) host=$1 ;;
    esac
    shift
done

for tool in traceroute /usr/sbin/traceroute; do
    command -v "$tool" >/dev/null 2>&1 && exec "$tool" -m "$hops" -q "$queries" "$host"
done
command -v tracepath >/dev/null 2>&1 && exec tracepath -m "$hops" "$host"
echo "Neither traceroute nor tracepath is installed" >&2
exit 127
