package vision

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/semaphore"
)

// A Pool bounds the memory of concurrent decoding: the pictures being decoded
// together have at most its number of pixels; others wait. A context cannot
// interrupt a decoder, so the bound is on pixels rather than on time.
type Pool struct {
	sem *semaphore.Weighted
	max int64
}

// NewPool returns a pool for at most pixels at a time; 0 means 50,000,000, that
// is one picture of the largest accepted size or four of 12 megapixels. A
// progressive JPEG counts three times, as it needs three times the memory.
func NewPool(pixels int64) *Pool {
	if pixels <= 0 {
		pixels = 50_000_000
	}
	return &Pool{semaphore.NewWeighted(pixels), pixels}
}

// Read is the package's Read within the pool. While it waits for room it
// returns early with ctx's error when ctx ends.
func (p *Pool) Read(ctx context.Context, data []byte, lim Limits) (Picture, error) {
	lim = lim.withDefaults()
	h, m, err := inspect(bytes.NewReader(data), int64(len(data)), lim)
	if err != nil {
		return Picture{}, err
	}
	cost := int64(h.Width) * int64(h.Height)
	if h.Progressive {
		cost *= 3
	}
	cost = min(cost, p.max)
	if err := p.sem.Acquire(ctx, cost); err != nil {
		return Picture{}, fmt.Errorf("wait for room to decode: %w", err)
	}
	defer p.sem.Release(cost)
	return decode(data, h, m, lim)
}

// ReadFrom is Read on a stream; it reads at most Limits.Bytes plus one byte.
func (p *Pool) ReadFrom(ctx context.Context, r io.Reader, lim Limits) (Picture, error) {
	data, err := readAll(r, lim.withDefaults().Bytes)
	if err != nil {
		return Picture{}, err
	}
	return p.Read(ctx, data, lim)
}
