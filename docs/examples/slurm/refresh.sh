#!/bin/bash
# A refresh as one Slurm job: a Dask scheduler and the verb on its first node, a worker in each of its tasks.
#   sbatch refresh.sh my-study
# Where things lie is said by variables, which sbatch hands on; how much is asked for by its options, such as
#   RADZOO_STORE=/shared/liver sbatch --ntasks=128 refresh.sh my-study
#SBATCH --job-name=radzoo
#SBATCH --ntasks=64
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=6G
#SBATCH --time=12:00:00
set -euo pipefail
study=$1
python=${RADZOO_PYTHON:-/shared/radzoo/.venv/bin/python}  # the same installation on every node
store=${RADZOO_STORE:-/shared/store}                      # its folder; workers need the images, not the store
scratch=${RADZOO_SCRATCH:-/tmp}                           # on each node's own disk
meeting=$PWD/radzoo-$SLURM_JOB_ID.json                    # where workers learn the scheduler's address: on a shared disk
log=$PWD/radzoo-$SLURM_JOB_ID.dask.log
export TMPDIR=$scratch/radzoo-$SLURM_JOB_ID
srun --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 mkdir -p "$TMPDIR"

# Port 0: two jobs may share a node.
"$python" -m dask scheduler --scheduler-file "$meeting" --port 0 --no-dashboard >"$log" 2>&1 &
scheduler=$!
srun --ntasks="$SLURM_NTASKS" "$python" -m dask worker --scheduler-file "$meeting" \
    --nthreads 1 --no-dashboard --local-directory "$TMPDIR" >"$log.workers" 2>&1 &
end() {
    # Workers end when their scheduler asks them to; srun would have them killed.
    "$python" -c 'import sys; from distributed import Client; Client(scheduler_file=sys.argv[1]).shutdown()' "$meeting" \
        >>"$log" 2>&1 || kill "$scheduler"
    wait
    srun --overlap --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 rm -rf "$TMPDIR"
    rm -f "$meeting"
}
trap end EXIT
until [ -s "$meeting" ]; do
    kill -0 "$scheduler"  # it says in its log why it ended
    sleep 1
done
address=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$meeting")

# Two pieces for each worker, so that none waits for its next one.
"$python" -m radzoo --store "$store" refresh --study "$study" \
    --runner "dask://${address#tcp://}" --workers $((2 * SLURM_NTASKS))
