package report

import (
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Duration(0), "0 ns"},
		{Duration(999), "999 ns"},
		{Duration(-1500), "-1.50 µs"},
		{Duration(12_345 * time.Microsecond), "12.3 ms"},
		{Duration(90 * time.Second), "90.0 s"},
		{Nanoseconds(8.74), "8.74 ns"},
		{Nanoseconds(1_910_000), "1.91 ms"},
		{Count(999), "999"},
		{Count(1000), "1,000"},
		{Count(1_234_567.6), "1,234,568"},
		{Bytes(273), "273 B"},
		{Bytes(1_140_000), "1.14 MB"},
		{Bytes(1_040_000_000), "1.04 GB"},
		{Percent(0), "0 %"},
		{Percent(1), "100 %"},
		{Percent(0.9999), "99.990 %"},
		{Percent(0.0001), "0.010 %"},
		{Percent(0.174), "17.4 %"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
