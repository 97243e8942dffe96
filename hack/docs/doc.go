// Package docs has only tests: they hold the pages for readers to the code. Each
// block of Go in them must compile, each link must lead somewhere, and the
// troubleshooting page must have every text that a store can say, and no other.
package docs
