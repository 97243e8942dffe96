// Package remote is one ConfigMap on the API server. Each method makes one request,
// returns soon after its ctx ends, whatever a credential plugin, a resolver or a proxy
// is doing, and says what became of the request: see [Fate].
//
// The client may be any kubernetes.Interface. How much is known about a request depends
// on it:
//
//   - With client-go's own clientset, requests wait for its rate limit here, where a ctx
//     ends the wait, and client-go does not resend any on its own, so no answer is hidden.
//   - If its transport is that of net/http, with nothing in front of it but what
//     client-go puts there, it is known whether a request has a connection yet, and so
//     whether it can have been sent.
//   - With any other client, such as a fake or a transport of your own, a request counts
//     as sent as soon as the client has it.
package remote
