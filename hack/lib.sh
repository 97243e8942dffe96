# Shell functions of the Makefile, lint.sh and test.sh.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
: "${MODULES:?comes from the Makefile: run make lint, make test or the like}"
trap 'exit 130' INT # what runs ends in peace: do not go on with the next

step() { printf '\n==> [%d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

# has_code reports whether the module has packages, not only a go.mod that pins versions.
has_code() { [ -n "$(find "$1" -name '*.go' -print -quit)" ]; }

# compile MODULE ARG... compiles packages into Go's cache, where a later go command finds
# them, and shows how far it is. It leaves it to that command to say what is wrong.
compile() {
	go -C "$1" list -export -v "${@:2}" 2>&1 >/dev/null |
		awk '(/^go: downloading / || !/ /) && ++n % 100 == 0 { print "    " n " modules and packages so far"; fflush() }' || true
}

# tool runs a tool that hack/tools pins, in the current folder.
tool() { go tool -modfile="$root/hack/tools/go.mod" "$@"; }
