package s3store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/videomsg/videomsg/objectstore"
)

// resumes is how often a reader may be cut off without a byte in between.
const resumes = 4

var errReplaced = errors.New("object was replaced while it was read")

// Get implements objectstore.Store. A connection that breaks in the middle is
// resumed where it broke, on the same content. What is read is compared with the
// CRC-32C that Put recorded, which costs no throughput, or else with the SHA-256;
// an object that another program stored with neither is checked for its length
// only.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := check(ctx, "get", key); err != nil {
		return nil, err
	}
	r := &reader{s: s, ctx: ctx, key: key, end: -1}
	out, err := r.open()
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	r.end = aws.ToInt64(out.ContentLength)
	if want := out.Metadata[crcField]; want != "" {
		r.want, r.sum = want, crc32.New(castagnoli)
	} else if want := out.Metadata[sumField]; want != "" {
		r.want, r.sum = want, sha256.New()
	}
	return r, nil
}

// GetRange implements objectstore.RangeGetter.
func (s *Store) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := check(ctx, "get", key); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, fmt.Errorf("get %s: offset %d is negative", key, off)
	}
	if n == 0 {
		// The protocol has no empty range, but the key must exist.
		if _, err := s.Stat(ctx, key); err != nil {
			return nil, err
		}
		return &reader{s: s, ctx: ctx, key: key}, nil
	}
	r := &reader{s: s, ctx: ctx, key: key, pos: off, end: -1, ranged: true}
	if n > 0 && off+n > off {
		r.end = off + n
	}
	out, err := r.open()
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "InvalidRange" {
		return &reader{s: s, ctx: ctx, key: key}, nil // at or past the end
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	r.end = off + aws.ToInt64(out.ContentLength)
	return r, nil
}

// reader reads pos..end of an object.
type reader struct {
	s        *Store
	ctx      context.Context // of Get: ends the reading
	key      string
	pos, end int64
	ranged   bool
	etag     *string
	body     io.ReadCloser
	sum      hash.Hash // nil when there is nothing to compare with
	want     string
	failures int // since the last byte
	err      error
}

// open asks for pos..end, or for everything from pos on when end is negative.
func (r *reader) open() (*s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: &r.s.bucket, Key: &r.key, IfMatch: r.etag}
	switch {
	case r.pos == 0 && !r.ranged:
	case r.end < 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", r.pos))
	default:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", r.pos, r.end-1))
	}
	out, err := r.s.client.GetObject(r.ctx, in)
	if err != nil {
		err = r.s.classify(err)
		if r.etag != nil && (errors.Is(err, objectstore.ErrExists) || errors.Is(err, objectstore.ErrNotFound)) {
			return nil, errReplaced
		}
		return nil, err
	}
	if r.body != nil {
		_ = r.body.Close() // it has failed already
	}
	r.body, r.etag = out.Body, out.ETag
	return out, nil
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.err == nil {
		if r.err = r.ctx.Err(); r.err != nil {
			break
		}
		if r.pos >= r.end {
			if r.err = r.finish(); r.err == nil {
				r.err = io.EOF
			}
			break
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.pos)])
		if n > 0 {
			if r.sum != nil {
				r.sum.Write(p[:n])
			}
			r.pos += int64(n)
			r.failures = 0
			return n, nil
		}
		if err != nil {
			r.err = r.resume(err)
		}
	}
	switch r.err {
	case io.EOF, os.ErrClosed:
		return 0, r.err
	}
	return 0, fmt.Errorf("get %s at %d: %w", r.key, r.pos, r.err)
}

// resume opens the rest after the connection broke with cause.
func (r *reader) resume(cause error) error {
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if cause == io.EOF {
		cause = io.ErrUnexpectedEOF
	}
	if r.failures++; r.failures > resumes {
		return fmt.Errorf("%w: %w", objectstore.ErrUnavailable, cause)
	}
	t := time.NewTimer(time.Duration(r.failures-1) * 200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	_, err := r.open()
	return err
}

func (r *reader) finish() error {
	if r.sum == nil {
		return nil
	}
	if got := hex.EncodeToString(r.sum.Sum(nil)); got != r.want {
		return fmt.Errorf("checksum %s is not the recorded %s: %w", got, r.want, objectstore.ErrCorrupt)
	}
	return nil
}

func (r *reader) Close() error {
	r.err = os.ErrClosed
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}
