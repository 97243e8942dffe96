package contention

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	seeds   = flag.Int("seeds", 1, "how many seeds")
	only    = flag.String("only", "", "only patterns whose name contains this")
	slowNet = flag.Bool("slownet", false, "")
	who     = flag.String("who", "mapstore", "only strategies whose name contains this")
)

func TestTable(t *testing.T) {
	for _, p := range Patterns() {
		if !strings.Contains(p.Name, *only) {
			continue
		}
		for _, s := range []Strategy{Mapstore, RetryOnConflict, Patient, Limit} {
			if !strings.Contains(s.Name, *who) {
				continue
			}
			for seed := range *seeds {
				began := time.Now()
				net := Default
				if *slowNet {
					net = Network{OneWay: 3 * time.Millisecond, Handlers: 2, Handle: 3 * time.Millisecond, Commit: 4 * time.Millisecond, Fanout: 6 * time.Millisecond, Jitter: .8}
				}
				r := Run(t, s, p, net, uint64(seed))
				fmt.Printf("%-75s %-12s %6.2f bares %7.1f/s %5.2f PUTs %d patches failed %d (%v)\n", p.Name, s.Name, r.Bares(), r.PerSecond(), r.PUTsEach(), r.Patches, r.Failed(), time.Since(began).Round(time.Millisecond))
				for _, g := range r.Groups {
					fmt.Printf("      %-14s %6d p50 %v p90 %v p99 %v max %v gap %v fairness %.2f runs %d\n", g.Name, len(g.Took), g.Quantile(.5).Round(time.Microsecond*100), g.Quantile(.9).Round(time.Microsecond*100), g.Quantile(.99).Round(time.Microsecond*100), g.Quantile(1).Round(time.Microsecond*100), g.Gap.Round(time.Millisecond), g.Fairness(), g.Runs)
					for _, err := range g.Errors[:min(1, len(g.Errors))] {
						fmt.Println("        ", err)
					}
				}
			}
		}
	}
}
