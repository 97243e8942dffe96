package watch

// A Closer is a [Var] of any type.
type Closer interface {
	// Close ends the Var, as [Var.Close] does.
	Close()

	// Subscriptions returns the subscriptions, as [Var.Subscriptions] does.
	Subscriptions() []*Subscription

	// end closes the Var without waiting. It returns channels that are closed when
	// the callbacks that are running have ended, and whether the caller is inside one.
	end() (running []<-chan struct{}, inside bool)
}

// CloseAll closes several Vars as if they were one: if a callback of any of them calls
// it, it waits for no callback of any. If the Vars were closed one by one, two callbacks
// that each close all would deadlock.
func CloseAll(vars ...Closer) {
	// Stop all before waiting for any, so that a blocked callback does not keep the
	// others from being stopped.
	var running []<-chan struct{}
	inside := false
	for _, v := range vars {
		r, in := v.end()
		running = append(running, r...)
		inside = inside || in
	}
	if inside {
		return
	}
	for _, ended := range running {
		<-ended
	}
}
