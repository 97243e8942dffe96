// Package mapstoretest tests code that uses a store, without a cluster and in
// milliseconds. It has an API server in memory that handles ConfigMaps as a real one
// does. A test can write to it as somebody else would, and make its requests fail.
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
// For a test that needs only a store with contents, there is [NewStore]. For code
// that makes its own store, there is a client from [API.Client], a rest.Config from
// [API.Config], and a file for mapstore.Open from [API.Kubeconfig]. Everything that
// the package starts ends with the test.
//
// # Faults
//
// [API.Fail] lets requests of some verbs, or all, meet a [Fault] until its [Failure]
// ends; [API.FailNext] lets the next few meet it. Faults differ in what the client
// can know of its request afterwards. A request that meets [Refused] was never sent.
// One that meets [LostRequest] was not applied and one that meets [LostAnswer] was;
// the client cannot tell the two apart. [Hang] gives no answer, and [Answer] gives
// any answer that a server, an admission policy or a quota may give. [API.Rewind]
// restores the cluster from a backup. [API.Peer] is another connection to the same
// cluster, with faults of its own: one of two stores can be cut off.
//
// # Time
//
// Only Kubeconfig uses the network, so everything else runs in a bubble of
// testing/synctest: there an outage of an hour takes milliseconds, and bookmarks,
// deadlines and backoffs come at their times. Make the API inside the bubble, with
// the bubble's t. For informers to run there, the package replaces one of
// client-go's error handlers, which would sleep until the bubble's clock reaches the
// start of the process.
//
// # Where it is like a real API server
//
// Resource versions count the commits of the whole cluster. An update with a stale
// version or a wrong UID is a conflict; one that changes nothing keeps the version
// and is no event. Names, keys, metadata, the 1 MiB of values and the immutability
// of a map are validated, by Kubernetes' own code where it is public. An object that
// is too large for etcd is refused in etcd's words. Server-side apply and managed
// fields are a real server's code. A watch begins at a revision, with the current
// state, or with initial events and their bookmark. It selects by name, namespace
// and label, brings a bookmark each minute, ends after its timeout, and gets 410
// Gone when it begins before an [API.Compact]. Each request needs its right; an
// apply that creates needs the right to create. [Conformance] tests the same
// properties on this server and on real ones.
//
// # Where it differs
//
//   - It serves ConfigMaps and SelfSubjectAccessReviews only, and every namespace
//     exists. Anything else is not found.
//   - It has no admission and no conversion. Each client is the user
//     "test", who may do everything that [Forbidden] does not deny.
//   - Answers are JSON, even for a client that prefers protobuf. Tables and metadata
//     alone are not offered. A list has all its items on one page.
//   - It refuses JSON patches (RFC 6902) and deletecollection, but takes merge
//     patches, strategic merge patches and apply.
//   - It refuses a read at a future revision at once, not after three seconds. It
//     keeps its history until Compact, not for minutes.
//   - The finalizers have one field manager, and so have the owner references.
//   - It computes the size of an object in etcd to within some hundred bytes.
//
// # For people
//
// The command apiserver, in the folder of that name, is this server with a kubeconfig, for
// kubectl and for programs that you try by hand:
//
//	go run github.com/unrolled/mapstore/v2/pkg/mapstoretest/apiserver
package mapstoretest
