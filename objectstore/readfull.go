package objectstore

import (
	"context"
	"fmt"
	"io"
)

// maxEmptyReads is how often a reader may return nothing in a row.
const maxEmptyReads = 100

// ReadFull fills b from r for a backend that stores block by block. It returns
// fewer bytes only with an error: io.EOF at the end of r, also when some came
// before it, the reader's own, io.ErrNoProgress for one that returns nothing for
// ever, or that of ctx, which is asked before every read.
func ReadFull(ctx context.Context, r io.Reader, b []byte) (n int, err error) {
	for empty := 0; n < len(b) && err == nil; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		var k int
		k, err = r.Read(b[n:])
		if k < 0 || k > len(b)-n {
			return n, fmt.Errorf("reader returned %d of %d bytes", k, len(b)-n)
		}
		if n += k; k > 0 {
			empty = 0
		} else if empty++; empty == maxEmptyReads && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}
