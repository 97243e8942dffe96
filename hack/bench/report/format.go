package report

import (
	"fmt"
	"strconv"
	"time"
)

// Duration writes d with three digits and the unit that suits it.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < time.Millisecond:
		return digits(float64(d)/float64(time.Microsecond)) + " µs"
	case d < time.Second:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	default:
		return digits(d.Seconds()) + " s"
	}
}

// Nanoseconds writes a time that may be a fraction of one.
func Nanoseconds(ns float64) string {
	if ns < 1000 {
		return digits(ns) + " ns"
	}
	return Duration(time.Duration(ns))
}

// Count writes a number with a comma between thousands.
func Count[T ~int | ~int64 | ~float64](n T) string {
	s := strconv.FormatInt(int64(float64(n)+0.5), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes writes a number of bytes.
func Bytes(n float64) string {
	switch {
	case n < 10_000:
		return Count(n) + " B"
	case n < 1_000_000:
		return digits(n/1000) + " kB"
	case n < 1_000_000_000:
		return digits(n/1_000_000) + " MB"
	default:
		return digits(n/1_000_000_000) + " GB"
	}
}

// Times writes a ratio.
func Times(ratio float64) string { return fmt.Sprintf("%.2fx", ratio) }

// Percent writes a share. A share that is not quite all, or not quite nothing,
// does not look as if it were.
func Percent(share float64) string {
	if share > 0 && share < 0.001 || share > 0.999 && share < 1 {
		return fmt.Sprintf("%.3f %%", 100*share)
	}
	return digits(100*share) + " %"
}

// digits writes x with three digits, or more if it is that large.
func digits(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.0f", x)
	}
}
