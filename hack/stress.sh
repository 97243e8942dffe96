#!/usr/bin/env bash
# stress.sh ROUNDS runs make test so many times in a row while each core has a busy loop
# beside it, and says at the end which rounds failed. It stops at no failure.
set -uo pipefail
source "$(dirname "$0")/lib.sh"

busy=()
trap '[ ${#busy[@]} -eq 0 ] || kill "${busy[@]}" 2>/dev/null' EXIT
for ((core = $(getconf _NPROCESSORS_ONLN); core > 0; core--)); do
	(while :; do :; done) &
	busy+=($!)
done

results=()
failed=0
for ((round = 1; round <= ${1:?how many rounds}; round++)); do
	step "round $round"
	start=$SECONDS verdict=passed
	hack/test.sh unit cluster || { verdict=FAILED; failed=1; }
	results+=("round $round $verdict after $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s")
done
step "results, with a busy loop on each core"
printf '%s\n' "${results[@]}"
exit $failed
