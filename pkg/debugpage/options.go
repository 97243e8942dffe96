package debugpage

import (
	"fmt"
	"os"
	"time"
)

// Options are the options of [New]. The zero value is the recommended one.
type Options struct {
	// Values says whether the page shows values. Default: HideValues.
	Values Values

	// Changes is how many changes the page remembers. Default, also for negative
	// numbers: 50. Each takes up to 4 kB, or 8 kB with values.
	Changes int

	// Viewers is how many browsers can get live updates at the same time; others get
	// the page as of its loading. Default, also for negative numbers: 200.
	Viewers int

	// Instance names this process, for pages of several processes behind one address.
	// Default: the host name, which in a pod is the pod's name.
	Instance string
}

// Values says whether the page shows values.
type Values int

const (
	// HideValues shows the keys and the sizes of their values, but no value.
	HideValues Values = iota
	// ShowValuesToAllWhoReachThePage shows every value, also the beginnings of old and
	// new values in the last changes, to anyone who can send the page a request. The
	// page authenticates nobody.
	ShowValuesToAllWhoReachThePage
)

const (
	defaultChanges = 50
	defaultViewers = 200

	// interval is the time between two updates of the live page.
	interval = 500 * time.Millisecond
	// writeTimeout is how long a browser may read nothing before it is disconnected.
	writeTimeout = 10 * time.Second
)

func (o Options) withDefaults() Options {
	switch o.Values {
	case HideValues, ShowValuesToAllWhoReachThePage:
	default:
		panic(fmt.Sprintf("debugpage: unknown Options.Values %d", o.Values))
	}
	if o.Changes <= 0 {
		o.Changes = defaultChanges
	}
	if o.Viewers <= 0 {
		o.Viewers = defaultViewers
	}
	if o.Instance == "" {
		o.Instance, _ = os.Hostname() // without it the page has one line less
	}
	return o
}

func (o Options) showValues() bool { return o.Values == ShowValuesToAllWhoReachThePage }
