package stats

import "testing"

func TestPercentile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, test := range []struct {
		samples []int
		p       float64
		want    int
	}{
		{nil, 50, 0},
		{[]int{7}, 0, 7},
		{[]int{7}, 99, 7},
		{[]int{3, 1, 2}, 50, 2},
		{[]int{4, 3, 2, 1}, 50, 2},
		{hundred, 1, 1},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	} {
		if got := Percentile(test.samples, test.p); got != test.want {
			t.Errorf("Percentile(%v, %v) = %d, want %d", test.samples, test.p, got, test.want)
		}
	}
}

// One bad moment, which touches both, does not show in the ratio.
func TestARatioIsThatOfNeighbours(t *testing.T) {
	if got := Ratio([]float64{1, 100, 1.2}, []float64{1, 100, 1}); got != 1 {
		t.Errorf("Ratio = %v, want 1", got)
	}
}
