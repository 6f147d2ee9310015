#!/usr/bin/env bash
# Four workers in network namespaces, each behind a wire of 100 Mbit/s each way, train a model of
# 20,000 x 1,000; then a grid of shapes and batches. Prints what docs/src/mlr.md shows.
#
#   cargo build --release && sudo strads-apps/examples/namespaces.sh target/release/strads [RATE]
#
# Needs root, ip and tc. Makes namespaces and a bridge of its own and removes them, however it ends.
set -euo pipefail
strads=$(realpath "${1:?which strads?}")
rate=${2:-100mbit}
part=${3:-all}
peers=4
job=sn$$
place=$(mktemp -d)

cleanup() {
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null || true
    for me in $(seq 0 $((peers - 1))); do ip netns del "$job-$me" 2>/dev/null || true; done
    ip netns del "$job-hub" 2>/dev/null || true
    rm -rf "$place"
}
trap cleanup EXIT

# The bridge has a namespace too: nothing of the machine's own network is touched.
ip netns add "$job-hub"
ip -n "$job-hub" link add hub type bridge
ip -n "$job-hub" link set hub up
for me in $(seq 0 $((peers - 1))); do
    ip netns add "$job-$me"
    ip -n "$job-$me" link add wire type veth peer name "port$me" netns "$job-hub"
    ip -n "$job-$me" addr add "10.77.0.$((me + 1))/24" dev wire
    ip -n "$job-$me" link set wire up
    ip -n "$job-$me" link set lo up
    ip -n "$job-hub" link set "port$me" master hub up
    ip netns exec "$job-$me" tc qdisc add dev wire root tbf rate "$rate" burst 64kb latency 100ms
    ip netns exec "$job-hub" tc qdisc add dev "port$me" root tbf rate "$rate" burst 64kb latency 100ms
done
addresses=10.77.0.1:7000,10.77.0.2:7000,10.77.0.3:7000,10.77.0.4:7000
"$strads" node --new-secret "$place/secret"

# train DATA OPTIONS…: the first worker's events.
train() {
    local data=$1
    shift
    local pids=()
    for me in 3 2 1 0; do
        ip netns exec "$job-$me" "$strads" mlr "$place/$data" --peers "$addresses" --me "$me" \
            --secret-file "$place/secret" --threads 1 --seed 1 --quiet --json "$@" >"$place/out.$me" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    cat "$place/out.0"
}

# field NAME: the number of that name in the last event.
field() { tail -n 1 "$place/out.0" | grep -o "\"$1\":[^,}]*" | cut -d: -f2; }

# decision: what was sent over what.
decision() { grep -m 1 '"decision"' "$place/out.0" | sed 's/.*"update":"\([^"]*\)","topology":"\([^"]*\)".*/\1 over \2/'; }

if [ "$part" != grid ]; then
    # Hardly more examples than classes; what matters here is the matrix.
    "$strads" gen mlr --rows 1024 --columns 20000 --classes 1000 --seed 1 --out "$place/wide.npz"
    echo "| sent | s a step | MB sent a step and worker |"
    echo "| --- | ---: | ---: |"
    for options in "--update factors --topology mesh --epochs 3" "--update factors --topology halton --epochs 1" \
        "--update full --topology ring --epochs 1"; do
        # shellcheck disable=SC2086
        train wide.npz --solver sgd --rate 0.02 --batch 128 $options >"$place/events"
        steps=$(field steps)
        echo "| $(decision) | $(field seconds_per_step) | $(awk "BEGIN{print $(field sent_bytes)/$steps/1e6}") |"
        grep '"progress"' "$place/events" | sed "s/^/$(decision): /" >>"$place/curve"
    done
    echo
    cat "$place/curve"
fi
# seconds OPTIONS…: seconds a step of grid.npz, whose epochs have $steps steps. Where an epoch is short it is
# that of many, without the first: workers come together in it.
seconds() {
    train grid.npz --batch "$batch" --epochs 1 "$@" >/dev/null
    local first
    first=$(field seconds_per_step)
    if awk "BEGIN{exit !($first * $steps > 2)}"; then
        echo "$first"
        return
    fi
    local epochs
    epochs=$(awk "BEGIN{n = int(1 / ($first * $steps)); print 3 + (n > 100 ? 100 : n)}")
    train grid.npz --batch "$batch" --epochs "$epochs" "$@" >/dev/null
    grep '"progress"' "$place/out.0" | grep -o '"seconds":[^,}]*' | cut -d: -f2 |
        awk -v steps="$steps" 'NR == 1 { first = $1 } { last = $1 } END { print (last - first) / (NR - 1) / steps }'
}

# least A B: the lesser one.
least() { awk "BEGIN{print ($1 < $2) ? $1 : $2}"; }

if [ "$part" != wide ]; then
    echo
    echo "| features x classes | batch | factors, mesh | full, mesh | full, all-reduce | auto | chosen | auto / best |"
    echo "| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |"
    for shape in "500 20" "2000 200" "4000 500"; do
        read -r columns classes <<<"$shape"
        for batch in 64 256 2048; do
            rows=$((batch > 1024 ? batch : 1024))
            steps=$((rows / batch))
            "$strads" gen mlr --rows "$rows" --columns "$columns" --classes "$classes" --seed 1 --out "$place/grid.npz"
            # In turns, twice, and the lesser of both: so that who else is at work does not decide.
            factors=1e9 mesh=1e9 ring=1e9 auto=1e9
            for _ in 1 2; do
                factors=$(least "$factors" "$(seconds --update factors --topology mesh)")
                # All-reduce sends half of it: worth a look only where latency counts.
                if [ "$classes" -lt 100 ]; then
                    mesh=$(least "$mesh" "$(seconds --update full --topology mesh)")
                fi
                ring=$(least "$ring" "$(seconds --update full --topology ring)")
                auto=$(least "$auto" "$(seconds --update auto)")
            done
            best=$(least "$factors" "$(least "$mesh" "$ring")")
            printf '| %s x %s | %s | %.4f | %s | %.4f | %.4f | %s | %.2f |\n' "$columns" "$classes" "$batch" \
                "$factors" "$(awk "BEGIN{if ($mesh < 1e9) printf \"%.4f\", $mesh}")" "$ring" "$auto" \
                "$(decision)" "$(awk "BEGIN{print $auto / $best}")"
        done
    done
fi
