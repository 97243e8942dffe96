module github.com/unrolled/mapstore/v2

go 1.26.0
