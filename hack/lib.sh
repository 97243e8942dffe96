# Shell functions of the Makefile, lint.sh and test.sh.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
: "${MODULES:?comes from the Makefile: run make lint, make test or the like}"
trap 'exit 130' INT # what runs ends in peace: do not go on with the next

step() { printf '\n==> [%d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

# compile ARG... compiles packages into Go's cache, where a later go command finds them,
# and shows how far it is. It leaves it to that command to say what is wrong.
compile() {
	go list -export -v "$@" 2>&1 >/dev/null |
		awk '(/^go: downloading / || !/ /) && ++n % 100 == 0 { print "    " n " modules and packages so far"; fflush() }' || true
}

# tool runs a tool that hack/tools pins, in the current folder. It is built outside the workspace: in
# there its dependencies would be of the versions that all others need.
tool() {
	local built
	built=$(tool_path "$1") || return
	"$built" "${@:2}"
}

tool_path() { GOWORK=off go -C "$root/hack/tools" tool -n "$1"; }

compile_tool() { (cd "$root/hack/tools" && GOWORK=off compile "$1"); }

# What knows no Kubernetes: these may import the standard library and one another.
mechanisms=(./pkg/watch ./pkg/internal/backoff ./pkg/internal/backup ./pkg/internal/group ./pkg/internal/ledger ./pkg/internal/panics ./pkg/internal/roster ./pkg/internal/leak)
