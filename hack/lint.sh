#!/usr/bin/env bash
# Every check that needs no cluster. It goes on after a failure and lists all at the end.
set -uo pipefail
source "$(dirname "$0")/lib.sh"

failures=()
unchecked=()

# check TITLE MEND COMMAND... runs one check. MEND tells how to mend what it finds.
check() {
	local title=$1 mend=$2
	shift 2
	step "$title"
	"$@" && return
	failures+=("$title. $mend")
	printf 'FAILED. %s\n' "$mend"
}

# All packages of the workspace, and those that users import.
everything=(./pkg/... ./metrics/... ./controller/... ./examples/... ./hack/...)
public=(./pkg/... ./metrics/... ./controller/... ./examples/... ./hack/kube/...)

formatted() {
	local files
	files=$("$(go env GOROOT)/bin/gofmt" -l .) && [ -z "$files" ] && return
	echo "$files"
	return 1
}

vet() { compile -deps -test "${everything[@]}" && go vet "${everything[@]}"; }

golangci_lint() {
	compile_tool github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	tool golangci-lint run "${everything[@]}"
}

# What users import is what is looked at. VULNDB names another database than the public one,
# such as file:///a/copy; where none can be reached, that is said at the end.
vulnerabilities() {
	local output code
	compile_tool golang.org/x/vuln/cmd/govulncheck
	output=$(tool govulncheck ${VULNDB:+-db "$VULNDB"} ./pkg/... 2>&1)
	code=$?
	[ $code -eq 0 ] && return
	echo "$output"
	[ $code -ne 3 ] && grep -q 'fetching vulnerabilities' <<<"$output" &&
		unchecked+=("known vulnerabilities, as their database cannot be reached (VULNDB can name a copy of it)")
}

four_requirements() {
	diff <(printf '%s\n' github.com/go-logr/logr k8s.io/api k8s.io/apimachinery k8s.io/client-go) \
		<(GOWORK=off go list -m -f '{{if not (or .Indirect .Main)}}{{.Path}}{{end}}' all)
}

standard_library_only() {
	local deps
	deps=$(go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' "${mechanisms[@]}") || return
	deps=$(grep -vxE "github.com/unrolled/mapstore/v2/($(IFS='|'; echo "${mechanisms[*]#./}"))" <<<"$deps") || return 0
	echo "$deps"
	return 1
}

tidy() {
	local module failed=0
	for module in $MODULES; do
		GOWORK=off go -C "$module" mod tidy -diff || { echo "    in module $module"; failed=1; }
	done
	return $failed
}

api() { go -C hack/api run .; }

# Vet looks into the tests too.
builds_for() {
	local -x CGO_ENABLED=0 GOOS=${1%/*} GOARCH=${1#*/}
	compile -deps -test "${public[@]}" && go vet "${public[@]}"
}

# As those see it who import it: with the versions of its own go.mod.
alone() { GOWORK=off go build ./pkg/... && GOWORK=off go -C metrics build ./... && GOWORK=off go -C controller build ./...; }

check "gofmt" "Run gofmt -w on these files." formatted
check "go vet" "Mend what vet says above." vet
check "golangci-lint (built the first time: about 2 minutes)" \
	"Mend what it says above; .golangci.yaml has the rules." golangci_lint
check "govulncheck (built the first time)" "Upgrade what it names, or Go itself." vulnerabilities
check "go.mod names its four direct requirements and no more" \
	"What else a test or an example needs belongs in a nested module: who imports the store would inherit it." four_requirements
check "the mechanisms import the standard library only" \
	"What needs the imports above belongs in pkg/mapstore or pkg/internal/remote." standard_library_only
check "the exported API is that of api/v2.txt" "See above." api
check "go mod tidy changes nothing" "Run make tidy." tidy
check "the public modules build without the workspace" "Run make tidy, or require what is missing." alone
# Windows is the platform that is furthest from this one. A release has darwin too: PLATFORMS.
for platform in ${PLATFORMS:-windows/amd64}; do
	check "builds for $platform" "To see it again: GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 go vet ${public[*]}" builds_for $platform
done

if [ ${#unchecked[@]} -gt 0 ]; then
	step "NOT CHECKED"
	printf '  - %s\n' "${unchecked[@]}"
fi
if [ ${#failures[@]} -gt 0 ]; then
	step "FAILED"
	printf '  - %s\n' "${failures[@]}"
	exit 1
fi
step "all checks passed"
