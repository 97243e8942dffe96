#!/usr/bin/env bash
# test.sh MODULE... runs the tests of these modules with the race detector.
# ARGS has further arguments of go test.
set -uo pipefail
source "$(dirname "$0")/lib.sh"

# Panics when anyone changes an object that an informer's cache holds.
export KUBE_CACHE_MUTATION_DETECTOR=true

race=-race
if [ "$(go env CGO_ENABLED)" = 0 ] && [ -z "${CI:-}" ]; then
	race=
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
results=()
failed=0

run() {
	local module=$1 format=testname verdict=passed
	[ "$module" = . ] && format=pkgname # hundreds of tests in seconds
	compile "$module" $race -deps -test ./...
	# A line for each top-level test, and all that failed ones wrote. One package at a
	# time: their control planes share the cores, and some state bounds in seconds.
	(cd "$module" && tool gotestsum --format=$format --format-hide-empty-pkg -- $race -p=1 -count=1 -timeout=20m ${ARGS:-} ./...) |
		tee "$log" | awk '!/^(PASS|SKIP) ([^ ]*\.)?(Test|Fuzz)[^ ]*\// { print; fflush() }' || verdict=FAILED
	[ $verdict = passed ] || failed=1
	results+=("$(printf '%s %-20s %s' $verdict "$module" "$(sed -n 's/^DONE //p' "$log")")")
}

step "gotestsum"
compile hack/tools gotest.tools/gotestsum
tool gotestsum --version || exit

control_plane=
for module in "$@"; do
	has_code "$module" || continue
	if [ "$module" != . ] && [ -z "$control_plane" ]; then
		step "control plane (built the first time: about 5 minutes)"
		control_plane=$(go -C hack/kube run ./cmd/control-plane -build) || { failed=1; results+=("FAILED to build the control plane"); break; }
		echo "$control_plane"
	fi
	if [ -x "$module/install.sh" ]; then # what its tests need of the system
		step "what $module needs"
		"$module/install.sh" || { failed=1; results+=("FAILED $module: see above what is missing"); continue; }
	fi
	step "tests of module $module"
	run "$module"
done

step "results"
printf '%s\n' "${results[@]}"
[ -n "$race" ] || echo "WITHOUT the race detector, which needs a C compiler: install gcc or clang."
exit $failed
