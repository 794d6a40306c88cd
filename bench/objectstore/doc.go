// Package objectstore measures the blob stores against the bare client of each
// backend: os.File, the stock JetStream object store, the S3 SDK. Both sides move
// the same bytes in the same run, in turns, and promise the same durability.
//
//	go test ./bench/objectstore -run '^$' -bench . -benchtime 1x
//
// S3 needs a server: objectstore/s3store/test.sh -bench starts one.
package objectstore
