#!/usr/bin/env bash
# test.sh GROUP... runs groups of tests, see below. ARGS has further arguments of go test.
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
control_plane= # the process that builds it

# group NAME FORMAT PACKAGES_AT_A_TIME ARG... runs one group. ARGs are those of go test.
group() {
	local name=$1 format=$2 parallel=$3 verdict=passed
	shift 3
	step "tests: $name"
	compile -deps -test "$@"
	# A line for each top-level test or package, and all that failed ones wrote.
	tool gotestsum --format="$format" --format-hide-empty-pkg -- -p=$parallel -count=1 -timeout=20m ${ARGS:-} "$@" |
		tee "$log" | awk '!/^(PASS|SKIP) ([^ ]*\.)?(Test|Fuzz)[^ ]*\// { print; fflush() }' || verdict=FAILED
	[ $verdict = passed ] || failed=1
	results+=("$(printf '%s %-14s %s' $verdict "$name" "$(sed -n 's/^DONE //p' "$log")")")
}

# The control plane is built behind what does not need it. The first time that takes minutes.
begin_control_plane() {
	[ -n "$control_plane" ] && return
	step "control plane: built in the background, the first time 5 to 10 minutes"
	nice go run ./hack/kube/cmd/control-plane -build &
	control_plane=$!
}

await_control_plane() {
	begin_control_plane
	wait "$control_plane" && return
	failed=1
	results+=("FAILED to build the control plane: see above")
	return 1
}

haproxy() {
	hack/kube/install-haproxy.sh || results+=("WITHOUT HAProxy, and what needs it: see above")
}

step "gotestsum"
compile_tool gotest.tools/gotestsum
tool gotestsum --version || exit

for name in "$@"; do
	case $name in
	unit) # what knows no Kubernetes comes first: it takes seconds, also from nothing
		group mechanisms pkgname 2 $race "${mechanisms[@]}"
		[ "$*" = unit ] || begin_control_plane
		mapfile -t others < <(go list ./pkg/... | grep -vxF "$(go list "${mechanisms[@]}")")
		group unit pkgname 2 $race "${others[@]}"
		group contention testname 1 ./hack/contention # in virtual time, so that the race detector would only slow it down
		;;
	cluster) # one package at a time: their control planes share the cores
		haproxy
		await_control_plane && group cluster testname 1 $race ./hack/e2e/... ./examples/... ./metrics/... ./controller/...
		;;
	e2e)
		haproxy
		await_control_plane && group e2e testname 1 $race ./hack/e2e/...
		;;
	tools) # without the race detector: all that is about concurrency in them runs in the group cluster, too
		begin_control_plane
		haproxy
		hack/browser/install.sh || { failed=1; results+=("FAILED hack/browser: see above what is missing"); }
		await_control_plane && group tools testname 1 ./hack/{api,bench,browser,docs,kube,metrics,mutants,wire}/...
		;;
	oldest-client) # with the versions of go.mod, as a user may have them; all else runs with the newest
		GOWORK=off group oldest-client pkgname 2 -short ./pkg/...
		;;
	*)
		echo "test.sh: no group is named $name" >&2
		exit 2
		;;
	esac
done

step "results"
printf '%s\n' "${results[@]}"
[ -n "$race" ] || echo "WITHOUT the race detector, which needs a C compiler: install gcc or clang."
exit $failed
