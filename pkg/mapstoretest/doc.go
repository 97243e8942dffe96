// Package mapstoretest tests code that uses a store, without a cluster and in
// milliseconds: on an API server in memory that treats ConfigMaps as a real one
// does, that others can write to behind the code's back, and that breaks when a
// test tells it to.
//
//	func TestTheLimitFollowsTheMap(t *testing.T) {
//		api := mapstoretest.NewAPI(t)
//		limiter := NewLimiter(api.Open(t, "settings", mapstore.Options{}))
//
//		api.ConfigMap("default", "settings").Set("limit", "20") // somebody else writes
//		…
//		outage := api.Fail(mapstoretest.Refused())              // the API server is away
//		…
//		outage.End()
//	}
//
// A test that needs only a store with contents takes [NewStore]. Code that makes
// its store itself gets a client from [API.Client], a rest.Config from
// [API.Config], or, for mapstore.Open, a file from [API.Kubeconfig]. All that
// the kit starts ends with the test.
//
// # Faults
//
// [API.Fail] lets requests of some verbs, or all, meet a [Fault] until its
// [Failure] ends; [API.FailNext] lets the next few meet it. Faults are told apart
// by what a client can know of its request afterwards: [Refused] was never sent,
// [LostRequest] was not applied and [LostAnswer] was, which look the same to the
// client, [Hang] gives no answer, and [Answer] gives whatever answer a server,
// an admission policy or a quota may have. [API.Rewind] restores the cluster from
// a backup. [API.Peer] is a further way to the same cluster, whose faults are its
// own: so one of two stores is cut off and the other is not.
//
// # Time
//
// Nothing but Kubeconfig uses the network, so all of it runs in a bubble of
// testing/synctest: there an outage of an hour takes milliseconds, and bookmarks,
// deadlines and backoffs come when they should. Make the API inside the bubble,
// with the bubble's t. So that informers run there, too, the package replaces one
// of client-go's error handlers, which would sleep until the bubble's time has
// come to that of the process.
//
// # Where it is like a real API server
//
// Resource versions count the whole cluster's commits, and guard updates; a stale
// one is a conflict, and so is a wrong UID. An update that changes nothing keeps
// its version, and nobody hears of it. Names, keys, metadata and the 1 MiB of
// values are validated, by Kubernetes' own code where it is public; immutable
// maps are; an object that etcd would find too large is refused in etcd's words.
// Server-side apply and managed fields are the code of a real server. A watch
// begins at a revision, at what there is, or with initial events and their
// bookmark; it selects by name, namespace and label, brings a bookmark each
// minute, ends after its timeout, and meets 410 Gone when it begins before a
// [API.Compact]. Rights are asked for each request, of whoever asks by
// SelfSubjectAccessReview, and for apply as for a create where it creates.
// [Conformance] holds the server in memory and real ones to the same list.
//
// # Where it differs
//
//   - There are ConfigMaps and SelfSubjectAccessReviews, and every namespace
//     exists. Anything else is not found.
//   - There is no admission, no conversion, no discovery, and whoever asks is the
//     user "test", who may do everything but what [Forbidden] denies.
//   - Answers are JSON, also where a client would rather have protobuf. Tables and
//     metadata alone are not offered. A list has all its items on one page.
//   - JSON patches (RFC 6902) and deletecollection are refused; merge patches,
//     strategic merge patches and apply are not.
//   - A read at a revision that is yet to come is refused at once, not after three
//     seconds. History is kept until Compact, not for minutes.
//   - Finalizers and owner references have one field manager each as a whole.
//   - The size that etcd would see is exact to some hundred bytes.
package mapstoretest
