// Package metrics exports the figures of stores to Prometheus:
//
//	prometheus.MustRegister(metrics.NewCollector(store))
//
// # What is exported
//
// Each metric has the labels namespace and configmap, which name the map. No label has
// a key, a value, or anything else of which there may be many. docs/observability.md in
// the repository lists all metrics; dashboard.json beside this file is a Grafana
// dashboard, and alerts.yaml has alerting rules.
//
// # Several stores
//
// Stores of different maps can share a registry. Two stores of one map would export
// the same series, so registering the second fails. If you want both, say for maps of
// the same name in two clusters, give each a label of its own:
//
//	prometheus.WrapRegistererWith(prometheus.Labels{"cluster": "east"}, reg).MustRegister(metrics.NewCollector(store))
//
// # Families
//
// NewFamilyCollector exports a [mapstore.Family] as a whole, as one more map: the label
// configmap has its selector, counters are added up, and the size is that of the largest
// map. The number of series does not depend on the number of maps. For the figures of
// one of them, pass its store to NewCollector.
//
// # What it costs
//
// A scrape does no I/O, and waits neither for callbacks nor for transactions. It reads
// the figures of each store once, so that the figures of one scrape belong together,
// except for a write that happens meanwhile.
package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unrolled/mapstore/v2/pkg/mapstore"
)

// NewCollector returns a collector for the figures of these stores, which need not be
// running. A closed store is exported as unhealthy, until the collector is
// unregistered.
//
// Registering the collector fails if two of its stores are of the same ConfigMap, or if
// the registry already has a store of one of the ConfigMaps.
func NewCollector(stores ...*mapstore.Store) prometheus.Collector {
	c := &collector{}
	of := map[string]bool{}
	for _, store := range stores {
		name := store.Namespace() + "/" + store.Name()
		if of[name] {
			c.err = fmt.Errorf("two stores of the ConfigMap %s", name)
		}
		of[name] = true
		c.all = append(c.all, exported{func() reading { return read(store) }, describe(store.Namespace(), store.Name())})
	}
	return c
}

// NewFamilyCollector returns a collector for the figures of a family, which need not be
// running.
func NewFamilyCollector(family *mapstore.Family) prometheus.Collector {
	return &collector{all: []exported{{func() reading { return readFamily(family) }, describe(family.Namespace(), family.Selector())}}}
}

type collector struct {
	all []exported
	err error // why it cannot be registered
}

// exported is a store or a family with the descriptions of its metrics, in the order of
// figures.
type exported struct {
	read         func() reading
	descriptions []*prometheus.Desc
}

// describe makes the name of the map a part of each description: so the registry
// itself tells the stores of different maps from two of the same.
func describe(namespace, name string) []*prometheus.Desc {
	labels := prometheus.Labels{"namespace": namespace, "configmap": name}
	var descriptions []*prometheus.Desc
	for _, f := range figures {
		descriptions = append(descriptions, prometheus.NewDesc("mapstore_"+f.name, f.help, f.labels, labels))
	}
	return descriptions
}

// Describe is called by the registry.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	if c.err != nil {
		ch <- prometheus.NewInvalidDesc(c.err)
		return
	}
	for _, s := range c.all {
		for _, description := range s.descriptions {
			ch <- description
		}
	}
}

// Collect is called by the registry for each scrape.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.all {
		now := s.read()
		for i, f := range figures {
			f.export(s.descriptions[i], now, ch)
		}
	}
}
