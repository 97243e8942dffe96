// Package remote is one ConfigMap on the API server. Each method makes one request,
// returns soon after its ctx ends, whatever a credential plugin, a resolver or a
// proxy is doing, and says what became of it: see [Fate].
//
// The client may be any kubernetes.Interface. What can be told of a request depends
// on it:
//
//   - Of a clientset of client-go's, requests wait for its rate limit here, where a
//     ctx ends the wait, and writes are not resent behind our back.
//   - Where its transport is that of net/http, with nothing in front of it but what
//     client-go puts there, it is known whether a request has got a connection yet, so
//     whether it can have been sent.
//   - Of all others, such as fakes and transports of one's own, a request counts as sent
//     as soon as the client has it.
package remote
