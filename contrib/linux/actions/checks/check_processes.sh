#!/bin/sh
# Prints the processes that fit, with a head line. Ends with 1 when there is none.
# Arguments: state|name|pid criteria [columns of ps]
search=$1
criteria=$2
columns=${3:-pid,ppid,user,state,pcpu,pmem,etime,args}

case $search in
    state) pids=$(ps -eo pid=,state= | awk -v wanted="$criteria" '$2 == wanted {print $1}') ;;
    pid) pids=$(ps -o pid= -p "$criteria" 2>/dev/null) ;;
    # This script, what started it and what it starts carry the criteria on their own command lines: leave them out.
    name)
        pids=$(ps -ww -eo pid=,ppid=,args= | awk -v wanted="$criteria" -v me=$$ '
            {
                parent[$1] = $2; id = $1; $1 = ""; $2 = ""
                if (index($0, wanted)) found[id] = 1
            }
            END {
                for (p = me; p > 1 && p in parent; p = parent[p]) own[p] = 1
                for (id in found) {
                    mine = id in own
                    for (p = id; p > 1 && p in parent && !mine; p = parent[p]) mine = p == me
                    if (!mine) print id
                }
            }' | sort -n)
        ;;
    *)
        echo "Unknown search '$search': expected state, name or pid" >&2
        exit 2
        ;;
esac

if [ -z "$pids" ]; then
    echo "No process found with $search '$criteria'"
    exit 1
fi
# shellcheck disable=SC2086  # one argument of ps: blanks between the ids become commas
exec ps -ww -o "$columns" -p "$(echo $pids | tr ' ' ',')"
