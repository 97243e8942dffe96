package main

import (
	"fmt"
	"strings"
)

// A mutant is one way to break a promise.
type mutant struct {
	promises string // their numbers
	breaks   string // what the store does wrong, in plain words
	file     string
	old      string // occurs exactly once in file
	new      string
	caughtBy test
}

// A test is one that must fail when the mutant is in place.
type test struct{ dir, name string }

func watch(name string) test    { return test{"pkg/watch", name} }
func mapstore(name string) test { return test{"pkg/mapstore", name} }
func group(name string) test    { return test{"pkg/internal/group", name} }
func ledger(name string) test   { return test{"pkg/internal/ledger", name} }
func typed(name string) test    { return test{"pkg/typed", name} }
func kit(name string) test      { return test{"pkg/mapstoretest", name} }

// e2e is a test on a real API server.
func e2e(name string) test { return test{"hack/e2e", name} }

// row is a row of the fault matrix.
func row(name string) test { return subtest("hack/e2e/faults", "TestTheMatrix", name) }

// conformance is a property that each API server and its stores have.
func conformance(name string) test { return subtest("pkg/mapstoretest", "TestConformance", name) }

func subtest(dir, of, name string) test {
	return test{dir, of + "/" + strings.ReplaceAll(name, " ", "_")}
}

func (m mutant) String() string {
	return fmt.Sprintf("promise %-5s %-72s %s", m.promises, m.breaks, m.caughtBy)
}

func (t test) String() string { return t.dir + " " + t.name }

// top returns the test that t is a subtest of, or else t.
func (t test) top() test {
	t.name, _, _ = strings.Cut(t.name, "/")
	return t
}

// pattern is what go test's -run takes to run t alone.
func (t test) pattern() string { return "^" + strings.ReplaceAll(t.name, "/", "$/^") + "$" }

var mutants = []mutant{
	// 4 and 9: a start without the API server
	{"4", "a version that a backup has becomes the base of a write",
		"pkg/mapstore/replica.go",
		"	case now.isRestored(): // the same version",
		"	case false: // the same version",
		mapstore("TestTheFirstAnswerAfterARestoreIsAQuorumRead")},
	{"9", "Open takes a denial for an outage",
		"pkg/internal/remote/fate.go",
		"	return code < 500 && code != http.StatusRequestTimeout",
		"	return code < 0 && code != http.StatusRequestTimeout",
		mapstore("TestOpenStartsFromABackupOnlyIfTheServerCannotBeReached")},
	{"9", "a backup claims to be as new as the moment in which it was written",
		"pkg/mapstore/keeper.go",
		"	return k.source.lastContact(), false",
		"	return time.Now(), true",
		mapstore("TestABackupIsAsOldAsTheStateInIt")},
	{"9", "a file that is damaged is read",
		"pkg/internal/backup/state.go",
		"	if sha256.Sum256(body) != [sha256.Size]byte(sum) {",
		"	if false && sum != nil {",
		test{"pkg/internal/backup", "TestADamagedFileIsNeverAState"}},

	// 1: atomic
	{"1", "a transaction writes into the map that readers have",
		"pkg/mapstore/draft.go",
		"d.data = maps.Clone(d.data)",
		"d.data = d.data",
		mapstore("TestTransactionsBehaveAsAMap")},
	{"1", "a version becomes visible key by key",
		"pkg/mapstore/sink.go",
		"		k.install(newSnapshot(cm))",
		"		half := newSnapshot(cm)\n		half.data = k.local.load().data\n		k.install(half)\n		for key, value := range cm.Data {\n			half.data[key] = value\n			time.Sleep(time.Millisecond)\n		}",
		e2e("TestHistoriesAreLinearizable/stores_among_themselves")},

	// 2: monotonic
	{"2", "revisions are compared as text, so that 9 is newer than 10",
		"pkg/mapstore/replica.go",
		"	order, err := resourceversion.CompareResourceVersion(a, b)\n	return err != nil || order > 0",
		"	return a > b",
		mapstore("FuzzReplica")},
	{"2", "a quorum read that is answered late turns back time",
		"pkg/mapstore/replica.go",
		"older(next.revision, asked.revision) && older(",
		"older(",
		mapstore("TestOnlyAQuorumReadFromBeforeWhatWasSeenTurnsBackTime")},
	{"2", "the state is read from the server's cache, which may lag",
		"pkg/internal/remote/map.go",
		"metav1.ListOptions{FieldSelector: m.selector()}",
		"metav1.ListOptions{FieldSelector: m.selector(), ResourceVersion: \"0\"}",
		row("switched to and fro between API servers, one lags 500 ms")},

	// 3: read your writes
	{"3", "a write's answer is not installed, only what the watch brings",
		"pkg/mapstore/resolve.go",
		"m.local.install(r.applied, m.draft.base.rewinds).rewinds",
		"m.draft.base.rewinds",
		conformance("promise 3: a store reads its writes, and others do from their revision on")},
	{"3", "Sync answers from the copy",
		"pkg/mapstore/read.go",
		"	if err := s.source.refresh(ctx, remote.Once); err != nil {",
		"	if err := ctx.Err(); err != nil {",
		conformance("promise 3: Sync sees what anybody has written before")},
	{"3", "WaitFor takes any answer of the server as a sign of the revision",
		"pkg/mapstore/read.go",
		"return err == nil && !older(list.ResourceVersion, revision)",
		"return err == nil && list != nil",
		mapstore("TestWaitForAsksUntilItIsAnswered")},

	// 4: no lost update
	{"4", "the Update carries no resource version",
		"pkg/internal/remote/map.go",
		"	g := &gate{allow: beforeSend}\n",
		"	object.ResourceVersion = \"\"\n	g := &gate{allow: beforeSend}\n",
		e2e("TestHistoriesAreLinearizable/stores_among_themselves")},
	{"4", "a conflict ends the write instead of running it again",
		"pkg/internal/remote/fate.go",
		"		return Conflict\n",
		"		return Rejected\n",
		mapstore("TestManyStoresLoseNoUpdate")},
	{"4", "an error counts that was caused by values that are not committed",
		"pkg/internal/group/batch.go",
		"		case draft.Changed():\n",
		"		case false:\n",
		group("TestAFunctionThatFailsOnWhatIsNotCommittedRunsAgain")},
	{"4", "nobody waits for a turn to write",
		"pkg/internal/ledger/turns.go",
		"		if now.Before(turn) {",
		"		if turn.IsZero() {",
		ledger("TestAStoreWithAPlaceWaitsOneSlotForEachBeforeIt")},
	{"4", "strangers send whatever happens",
		"pkg/internal/ledger/lots.go",
		"	l.won = draw(1<<l.odds) == 0",
		"	l.won = true",
		ledger("TestTheOddsOfAStrangerFallWithLossesAndRiseInSilence")},
	{"4", "nobody respects a hold",
		"pkg/internal/ledger/turns.go",
		"	if end := t.holds.end(s); now.Before(end) {",
		"	if end := t.holds.end(s); end.IsZero() && now.IsZero() {",
		ledger("TestOthersRespectAHold")},

	// 5: three outcomes
	{"5", "after a lost answer the write is reported as not applied",
		"pkg/internal/ledger/resolver.go",
		"	case e.Kind == Lost && r.commit.id != \"\":\n		r.lost = e.Err\n",
		"	case e.Kind == Lost && r.commit.id != \"\":\n		return r.report(Unavailable, e.Err)\n",
		ledger("TestEveryOrderOfEvents")},
	{"5", "after a 409 fn runs again, and the ledger is not read",
		"pkg/internal/ledger/resolver.go",
		"	case r.lost != nil, e.Kind == Conflict:\n",
		"	case e.Kind == Conflict:\n		return r.report(Superseded, e.Err)\n	case r.lost != nil:\n",
		ledger("TestEveryOrderOfEvents")},
	{"5", "a write whose ctx ends in flight is reported as not applied",
		"pkg/mapstore/commit.go",
		"	if outcome.InFlight {",
		"	if false {",
		mapstore("TestStatsCountWhatBecameOfWrites")},
	{"5", "a request that the server cannot handle is sent for ever",
		"pkg/internal/ledger/resolver.go",
		"r.sent > maxSends && !r.fenced",
		"false",
		ledger("TestTranscripts")},
	{"5", "those who give up take a request away from those who wait, again and again",
		"pkg/internal/group/batch.go",
		"c.hold == least && c.voids >= maxVoids",
		"false && c.hold == least",
		group("TestWhoWaitsIsNotStarvedByThoseWhoGiveUp")},
	{"5", "a fence that a policy has taken everything off counts as one",
		"pkg/internal/ledger/resolver.go",
		"r.fenced && e.Version.Revision == r.commit.base.Revision",
		"false",
		ledger("TestTranscripts")},
	{"5", "a commit vouches for an older ledger that was put back",
		"pkg/mapstore/snapshot.go",
		"	if s.putBack {",
		"	if false {",
		mapstore("TestALedgerThatIsPutBackDoublesNothing")},

	{"5", "what a webhook that is down has answered counts as lost",
		"pkg/internal/remote/fate.go",
		"	case apierrors.IsTooManyRequests(err), isBeforeStorage(err):",
		"	case apierrors.IsTooManyRequests(err):",
		mapstore("TestWhatWasAnsweredIsNotOfUnknownOutcome")},
	{"5", "the ledger takes more room than other annotations leave",
		"pkg/internal/ledger/ids.go",
		"Length-1, (room-len(id))/(idLength+1))",
		"Length-1)",
		mapstore("TestTheLedgerFitsBesideOtherAnnotations")},
	{"5", "an old denial answers a new question",
		"pkg/mapstore/link.go",
		" && l.asked.After(since)",
		"",
		mapstore("TestADenialIsYoungerThanTheQuestion")},

	// 6: acknowledged is durable
	{"6, 5", "a write whose answer was lost is acknowledged",
		"pkg/internal/ledger/resolver.go",
		"	case e.Kind == Lost && r.commit.id != \"\":\n		r.lost = e.Err\n",
		"	case e.Kind == Lost && r.commit.id != \"\":\n		return r.report(Committed, nil)\n",
		ledger("TestTranscripts")},
	{"6", "a write is acknowledged before its answer has come",
		"pkg/mapstore/task.go",
		"		answer, fate, err := m.remote.Update(ctx, object, func() bool { return m.maySend(t, changes) }, func() { m.source.suspect(ctx) })\n",
		"		go m.remote.Update(context.WithoutCancel(ctx), object, func() bool { return true }, nil)\n		answer, fate, err := object, remote.Applied, error(nil)\n		m.maySend(t, changes)\n",
		e2e("TestHistoriesAreLinearizable/stores_among_themselves")},

	// 7: subscriptions
	{"7", "the first Change starts from the current state, not from empty",
		"pkg/mapstore/subscribe.go",
		"		change.Old, change.Reset = &Snapshot{}, false",
		"		change.Reset = false",
		mapstore("TestAFilteredChainIsUnbroken")},
	{"7", "a version that alters metadata only moves a chain on",
		"pkg/mapstore/subscribe.go",
		"	if ok || len(c.filters) > 0 {\n		c.last = now\n	}",
		"	c.last = now",
		mapstore("TestAChainWithoutFiltersLeavesNothingOut")},
	{"10", "a subscription that hears nothing keeps an old version",
		"pkg/mapstore/subscribe.go",
		"	if ok || len(c.filters) > 0 {",
		"	if ok {",
		mapstore("TestSubscribersWhoHearNothingNewCostNothingOfTheirOwn")},
	{"7, 10", "each version queues a call while one is running",
		"pkg/watch/subscription.go",
		"	case s.running:\n		s.again, s.next = true, now",
		"	case s.running:\n		s.owner.schedule(s)",
		watch("TestASlowCallbackSeesOneConflatedStepAndCostsOnlyItself")},
	{"7", "Stop does not wait for the callback that is running",
		"pkg/watch/subscription.go",
		"	} else if !own {\n		<-ended",
		"	} else if !own {",
		watch("TestStopAndCloseWaitForTheCallbackThatIsRunning")},

	// 8: deletion, recreation, rollback
	{"8", "a recreated map is no Reset",
		"pkg/mapstore/replica.go",
		"recreated := now.uid != \"\" && next.uid != now.uid",
		"recreated := false",
		e2e("TestHistoriesAreLinearizable/beside_foreign_writers")},
	{"8", "a watch continues though the server may have gone back in time",
		"pkg/mapstore/source.go",
		"	if !src.listed {",
		"	if false {",
		mapstore("TestARewoundServerIsAReset")},

	// 9: available
	{"9", "the copy is emptied when the contact is lost",
		"pkg/mapstore/source.go",
		"	next.err, next.asked = err, src.asked\n",
		"	next.err, next.asked = err, src.asked\n	src.local.current.Store(&Snapshot{})\n",
		row("connections refused")},
	{"9", "a list that works hides a watch that is forbidden",
		"pkg/mapstore/source.go",
		"			src.listed = err == nil\n",
		"			if src.listed = err == nil; src.listed {\n				src.connected()\n			}\n",
		kit("TestARightThatIsMissingIsNamedAndItsReturnIsNoticed/watch")},
	{"9", "a store waits for a server that has fallen silent",
		"pkg/mapstore/source.go",
		"time.AfterFunc(src.maxSilence(), stop)",
		"time.AfterFunc(24*time.Hour, stop)",
		row("half-open: watches bring nothing, all else works; StaleAfter 4 s")},
	{"9", "frames take the reopening of their watch back",
		"pkg/mapstore/source.go",
		"	if w := src.open.Load(); w != nil {\n		w.stop()\n",
		"	if w := src.open.Load(); w != nil && w.idle != nil {\n		w.idle.Reset(0)\n",
		mapstore("TestFramesAtTheReopeningLeaveNobodyDeaf")},
	{"9", "a watch that a proxy does not answer yet is no watch",
		"pkg/mapstore/source.go",
		"			counts = true\n			src.connected()\n",
		"",
		mapstore("TestAProxyThatKeepsTheAnswerToAWatchBack")},
	{"9", "a slow write reopens the watch",
		"pkg/mapstore/source.go",
		"	if !isBusy && src.contact.Load() == heard && ctx.Err() == nil {",
		"	if _ = isBusy; ctx.Err() == nil {",
		mapstore("TestASlowWriteKeepsTheWatch")},
	{"9", "the wait for the client's limit counts as silence",
		"pkg/internal/remote/call.go",
		"		if limiter == nil || throttle(ctx, t, limiter, &a.err) {\n			began := time.Now()\n",
		"		t.sent()\n		if limiter == nil || throttle(ctx, t, limiter, &a.err) {\n			began := time.Now()\n",
		mapstore("TestManyStoresOnOneLimitedClientAllSync")},
	{"5", "what the server undid counts as applied if its answer is lost",
		"pkg/mapstore/resolve.go",
		"		outcome.Kind, outcome.Err = ledger.Refused, errUndone\n",
		"",
		mapstore("TestAWriteThatTheServerUndoesIsNotApplied")},
	{"5", "a request has no time to be sent",
		"pkg/internal/remote/trace.go",
		"	t.bound(t.timeouts.FirstByte+t.sending, errSilent)",
		"	t.bound(t.timeouts.FirstByte, errSilent)",
		mapstore("TestASlowLinkIsNoDeadNetwork")},

	// 10: bounded
	{"10", "a subscription holds a goroutine while it is idle",
		"pkg/watch/subscription.go",
		"	for _, opt := range opts {",
		"	go func() { select {} }()\n	for _, opt := range opts {",
		watch("TestIdleSubscriptionsHoldNoGoroutine")},
	{"10", "a subscription that was stopped is kept",
		"pkg/watch/var.go",
		"	delete(v.followers, f)\n",
		"",
		watch("TestASubscriptionThatWasStoppedIsLetGo")},
	{"10", "the ledger grows",
		"pkg/internal/ledger/ids.go",
		"min(len(ids), Length-1, ",
		"min(len(ids), ",
		ledger("FuzzIDs")},
	{"10", "Close leaves connections behind",
		"pkg/mapstore/store.go",
		"	s.release()\n",
		"",
		e2e("TestOpenAndCloseLeaveNoGoroutine")},

	// 11: errors before the network
	{"11", "keys are not checked",
		"pkg/mapstore/validate.go",
		"validation.IsConfigMapKey(key); len(problems) > 0",
		"validation.IsConfigMapKey(key); false",
		e2e("TestBadArgumentsAreFoundLocally")},
	{"11", "one byte too much is let through",
		"pkg/mapstore/validate.go",
		"	if next.values > maxValueBytes &&",
		"	if next.values > maxValueBytes+1 &&",
		mapstore("TestLimits")},
	{"11", "keys do not count, only values do",
		"pkg/mapstore/validate.go",
		"total > maxObjectBytes &&",
		"false &&",
		e2e("TestWhatPassesTheLocalLimitFitsIntoEtcd")},

	// 12: no value is ever logged
	{"12", "an error quotes the value",
		"pkg/mapstore/write.go",
		"a value of %d bytes, of %d for all\", ErrTooLarge, len(value),",
		"a value of %.20q, of %d for all\", ErrTooLarge, value,",
		e2e("TestNoValueIsEverLoggedOrPutIntoAnError")},

	// Found first by these mutants, each with a test of its own since.
	{"12", "what a callback panics with is logged by default",
		"pkg/watch/subscription.go",
		"fmt.Sprintf(\"%T\", recovered)",
		"fmt.Sprint(recovered)",
		watch("TestWithoutOnPanicTheLogHasTheStackButNotWhatThePanicSaid")},
	{"12", "client-go may log what it sends and receives",
		"pkg/mapstore/store.go",
		"return logr.NewContext(ctx, logr.Discard())",
		"return ctx }\n\nvar _ = logr.Discard\n\nfunc _() {",
		e2e("TestClientGosOwnLogHasNoValue")},

	// typed values
	{"3", "what a Value has written shows in Load some time later",
		"pkg/typed/value.go",
		"	v.examine(written.Sequence(), written)\n	now := v.bound.store.Snapshot()\n	v.examine(now.Sequence(), now)\n",
		"",
		typed("TestAValueReadsItsOwnWriteBehindWhichABadTextCame")},
	{"3", "WaitUntil of a Value returns one that does not fit",
		"pkg/typed/bound.go",
		"return cond(now.value)",
		"return cond(now.value) || true",
		typed("TestWaitUntilReturnsTheFirstValueThatFits")},
	{"4", "a transaction changes the T that Load returns",
		"pkg/typed/value.go",
		"	value, err := v.codec.decode(text)\n",
		"	value, err := v.decode(text, v.bound.states.Load(), nil)\n",
		typed("TestUpdateGivesEachRunAValueOfItsOwn")},
	{"7", "what is made of a store's versions lives on when the store is closed",
		"pkg/mapstore/view.go",
		"		all = append(all, v.Var, v.progress)\n",
		"		all = append(all, v.progress)\n",
		mapstore("TestAViewEndsWithDetachAndWithTheStore")},
	{"7", "a callback of a Value that blocks shows nowhere",
		"pkg/mapstore/stats.go",
		"append(s.current.Subscriptions(), s.views.subscriptions()...)",
		"s.current.Subscriptions()",
		typed("TestACallbackOfAValueThatBlocksShows")},
	{"7", "a callback is told of what a Value does not show yet",
		"pkg/mapstore/subscribe.go",
		"ok && s.views.settle(context.Background(), now)",
		"ok",
		typed("TestInACallbackOfTheStoreEveryValueIsAsNew")},
	{"3", "WaitForSync returns while a Value is at its default",
		"pkg/mapstore/store.go",
		"		s.views.settle(ctx, s.Snapshot())\n",
		"",
		typed("TestAfterWaitForSyncNoValueIsAtItsDefault")},
	{"10", "a codec that blocks holds up everybody for as long as it blocks",
		"pkg/mapstore/view.go",
		"left -= time.Since(now.begun)",
		"left -= 0",
		typed("TestACodecThatBlocksDelaysOthersForASecond")},
	{"9", "a key that disappears takes a required value with it",
		"pkg/typed/value.go",
		"	case v.options&Required != 0:\n",
		"	case false:\n",
		typed("TestAKeyThatDisappearsLeavesWhatItsOptionSays")},
	{"9", "a rejected text takes the last good value away",
		"pkg/typed/bound.go",
		"	if !next.good {",
		"	if false {",
		typed("TestARejectedTextLeavesTheLastGoodValue")},
	{"9", "a rejected key keeps back the others of a struct",
		"pkg/typed/rejected.go",
		"		if !ok {\n			return nil\n		}",
		"		if true || !ok {\n			return nil\n		}",
		typed("TestARejectedKeyHidesNoOtherKey")},
	{"12", "a codec quotes what it cannot read",
		"pkg/typed/codec_scalar.go",
		"			return value, complain(complaint, text)",
		"			return value, Reject(err.Error())",
		typed("TestNoCodecQuotesTheText")},
	{"12", "what a check says of a value is shown, whatever it quotes",
		"pkg/typed/rejected.go",
		"an error of type %T (",
		"an error of type %v (",
		typed("TestARejectedValueHasAReasonThatQuotesNothing")},
}
