module github.com/unrolled/mapstore/v2/hack/mutants

go 1.26.0
