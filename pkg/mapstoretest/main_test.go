package mapstoretest_test

import (
	"os"
	"testing"

	"github.com/unrolled/mapstore/v2/pkg/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }
