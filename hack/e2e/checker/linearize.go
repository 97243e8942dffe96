package checker

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// model has the whole map as its state, and transitions as its operations.
func model(initial contents) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, input, _ any) (bool, any) {
			t := input.(transition)
			return state.(contents) == t.before, t.after
		},
		DescribeOperation: func(input, _ any) string {
			t := input.(transition)
			return difference(t.before, t.after)
		},
	}
}

// The verdicts.
const (
	linearizable    = "ok"
	notLinearizable = "violated"
	undecided       = "unknown"
)

// patience bounds porcupine's search. It decides a history of any of our tests
// within seconds, on a slow machine too.
const patience = 2 * time.Minute

// linearize asks porcupine whether there is an order of all operations, in
// keeping with when they were called and returned, in which each found what the
// one before it left. The order of versions is no part of the question, but for
// what foreign writers did:
//
//   - an acknowledged transaction is in it, whether the witness saw it or not,
//     and took effect between its call and its return;
//   - one that was not applied is not;
//   - an unknown one is in it if the witness saw it, and took effect between its
//     call and when the witness saw it;
//   - so did each foreign write, which is the step between two versions.
func (h *history) linearize(all landings) string {
	var operations []porcupine.Operation
	add := func(t transition, call, ret int64) {
		operations = append(operations, porcupine.Operation{ClientId: len(operations), Input: t, Call: call, Return: max(call, ret)})
	}
	for _, t := range h.transactions {
		landed := all.byTransaction[t.id]
		switch {
		case t.outcome == acknowledged && len(landed) > 0:
			add(h.run(landed[0]), t.call, t.ret)
		case t.outcome == acknowledged && len(t.runs) > 0:
			add(t.runs[len(t.runs)-1], t.call, t.ret)
		case t.outcome == unknown && len(landed) > 0:
			add(h.run(landed[0]), t.call, h.versions[landed[0].version].observed)
		}
	}
	for _, r := range h.syncs {
		add(transition{r.view.contents, r.view.contents}, r.call, r.ret)
	}
	calls := h.callsBehind(all)
	for i := 1; i < len(h.versions); i++ {
		before, after := h.versions[i-1].contents, h.versions[i].contents
		if len(all.byVersion[i]) == 0 && before != after {
			add(transition{before, after}, calls[i], h.versions[i].observed)
		}
	}
	switch result := porcupine.CheckOperationsTimeout(model(h.versions[0].contents), operations, patience); result {
	case porcupine.Ok:
		return linearizable
	case porcupine.Illegal:
		return notLinearizable
	case porcupine.Unknown:
		return undecided
	default:
		panic(fmt.Sprintf("porcupine says %q", result))
	}
}
