module github.com/unrolled/mapstore/v2/hack/mutants

go 1.26.0

require go.uber.org/goleak v1.3.0
