#!/bin/sh
# Submits a burst that is shared by the tasks of a Slurm array, and the job that
# merges what they say:
#
#   submit.sh SHARES URL [FLAGS of floodgate blast]
#   submit.sh 4 udp://10.0.0.7:8125 --allow-remote --count 3M --over 3s
#
#   START_IN   seconds until the burst starts (default: 60); all tasks must run by then
#   OUT        folder for the summaries, shared by all nodes (default: a new one here)
#   FLOODGATE  the program on the nodes (default: floodgate)
#
# The partition, the account and the like are Slurm's own variables, such as
# SBATCH_PARTITION.
set -eu
if [ $# -lt 2 ]; then
	echo "usage: $0 SHARES URL [FLAGS of floodgate blast]" >&2
	exit 2
fi
shares=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
START_AT=$(date -u -d "@$(($(date +%s) + ${START_IN:-60}))" +%Y-%m-%dT%H:%M:%SZ)
OUT=${OUT:-floodgate-$(date -u +%Y%m%dT%H%M%SZ)}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
# Shares of another burst would be merged with these.
for old in "$OUT"/shard-*.json; do
	if [ -e "$old" ]; then
		echo "submit.sh: cannot use $OUT: it has the shares of another burst, such as $old; name a new folder" >&2
		exit 2
	fi
done
export START_AT OUT

job=$(sbatch --parsable --export=ALL --array="1-$shares" --output="$OUT/shard-%a.log" "$here/blast.sbatch" "$@")
job=${job%%;*} # without the name of the cluster
# After any end: a share that failed must be named by the merge, not waited for.
merge=$(sbatch --parsable --export=ALL --dependency="afterany:$job" --output="$OUT/burst.txt" "$here/merge.sbatch")
echo "job $job sends $shares shares from $START_AT on; job ${merge%%;*} merges them into $OUT/burst.json"
