// Package httpsink posts Posts to a URL, as they came from X, byte for byte, or in
// the form that a receiver wants ([Encode]).
//
// One Post is the body of a POST with Content-Type application/json. A batch
// ([tweetstream.Batch]) is one with application/x-ndjson: one message a line.
// Package sources/httpsource is the other end in Go; anything else that takes
// POSTs will do. A receiver should go by the Post's id, for the same Posts may
// come again: when an answer got lost, or when a connection that was kept open
// turned out to be dead. Idempotency-Key is the Post's id, or one of all ids of a
// batch: it is the same whenever the same Posts come again. With [Secret] requests
// are signed, see https://www.standardwebhooks.com, and webhook-id is the same as
// Idempotency-Key.
//
// # What an answer means
//
//   - 2xx: delivered, at once when the status has come. What follows is read only
//     so that the connection can be used again: 64 KiB at most, for a second at
//     most. 207 is another matter, see below.
//   - 400, 413, 415, 422: the Post's fault ([tweetstream.Permanent]). A batch is
//     split until the Post at fault stands alone, so that 413 makes batches
//     smaller and a receiver that knows no batches gets single Posts. A receiver
//     that refuses all Posts, one after the other, is told to [Logger].
//   - Any answer but a 2xx with Retry-After, in seconds or as a date by the
//     receiver's own clock: the batch comes again then
//     ([tweetstream.RetryAfter]), after a second at least and five minutes at
//     most. After 429 without it, the batch comes again after a second, and then
//     after twice the time before.
//   - Anything else, redirects too, and no answer at all: the receiver's fault,
//     and the same batch comes again. Redirects are not followed.
//
// [Classify] changes this.
//
// An answer of application/json may name messages of a batch, by their line,
// counted from 1, by their index, counted from 0, or by the Post's id:
//
//	{"messages": [{"line": 2, "error": "…"}, {"index": 5}, {"id": "17", "status": 503}]}
//
// With 207 the others are delivered; with 400, 413, 415 or 422 nothing of the
// batch is, and the others come again without those that are refused. A message
// without a status, or with one of these four, is refused; with any other than 2xx
// it comes again.
//
// # Secrets
//
// A user and password in the URL become Basic authentication; tokens go into
// [Header]. Over plain http they are sent to this machine only. Errors show
// method, scheme, host and path, and a short piece of the answer. They show
// neither the credentials and the query of the URL, nor values of headers, nor
// the Posts; elements of the path of twenty characters or more, which are secrets
// with many chat services, are left out too. [Secret] and [Header] take what a
// file or the environment holds; keep them out of the URL.
package httpsink
