package watch

// A Closer is a [Var] of any type.
type Closer interface {
	// Close ends the Var, as [Var.Close] does.
	Close()

	// Subscriptions returns the subscriptions, as [Var.Subscriptions] does.
	Subscriptions() []*Subscription

	// end closes the Var without waiting. It returns what is closed when the
	// callbacks under way have ended.
	end() (running []<-chan struct{})
}

// CloseAll closes several Vars, and waits for the callbacks of all. Called from inside
// a callback, of whichever Var, it waits for none: two callbacks that each wait for the
// other would do so for ever.
func CloseAll(vars ...Closer) {
	// Stop all before waiting for any, so that a blocked callback does not keep the
	// others from being stopped.
	var running []<-chan struct{}
	for _, v := range vars {
		running = append(running, v.end()...)
	}
	if isInsideACallback() {
		return
	}
	for _, ended := range running {
		<-ended
	}
}
