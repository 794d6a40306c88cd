package maintain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/videomsg/videomsg/objectstore"
)

// CopyOptions says what Copy does.
type CopyOptions struct {
	Prefix string // copy only keys that begin with it
	// Workers copy at once; 0 means 4.
	Workers int
	// Progress may be nil; it is called after each object, one call at a time.
	Progress func(CopyReport)
}

// CopyReport is the answer of Copy.
type CopyReport struct {
	Copied  Amount
	Skipped Amount // already there with the same digest
	// Damaged could not be read from the source; nothing was written for them.
	Damaged []Damage
}

// Copy copies objects from one store to another and compares the digest of what
// was stored with that of what was read. It is resumable: an object that the
// target has with the same digest is skipped, so a run that was cut off is
// repeated at the cost of a listing. An object of another content is replaced.
// Damaged objects are reported and do not stop the rest.
//
// Objects are kept by age in the target from the copying on, since a store sets
// its own times.
func Copy(ctx context.Context, from, to objectstore.Full, o CopyOptions) (CopyReport, error) {
	if o.Workers <= 0 {
		o.Workers = 4
	}
	c := copier{from: from, to: to, o: o}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(o.Workers)
	err := from.List(gctx, o.Prefix, func(i objectstore.Info) bool {
		g.Go(func() error { return c.object(gctx, i.Key) })
		return gctx.Err() == nil
	})
	if werr := g.Wait(); werr != nil {
		err = werr // it is why the listing ended
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return c.r, fmt.Errorf("copy: %w", err)
	}
	return c.r, nil
}

type copier struct {
	from, to objectstore.Full
	o        CopyOptions
	mu       sync.Mutex
	r        CopyReport
}

func (c *copier) object(ctx context.Context, key string) error {
	skipped := false
	info, err := c.from.Stat(ctx, key)
	if err == nil {
		skipped, err = c.there(ctx, info)
	}
	if err == nil && !skipped {
		err = c.copy(ctx, info)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, objectstore.ErrNotFound):
		return nil // deleted meanwhile
	case errors.Is(err, objectstore.ErrCorrupt):
		c.r.Damaged = append(c.r.Damaged, Damage{key, err})
	case err != nil:
		return err
	case skipped:
		c.r.Skipped.add(info)
	default:
		c.r.Copied.add(info)
	}
	if c.o.Progress != nil {
		c.o.Progress(c.r)
	}
	return nil
}

// there reports whether the target has the object already.
func (c *copier) there(ctx context.Context, want objectstore.Info) (bool, error) {
	got, err := c.to.Stat(ctx, want.Key)
	if errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, objectstore.ErrCorrupt) {
		return false, nil
	}
	return err == nil && want.SHA256 != "" && got.SHA256 == want.SHA256 && got.Size == want.Size, err
}

func (c *copier) copy(ctx context.Context, want objectstore.Info) error {
	r, err := c.from.Get(ctx, want.Key)
	if err != nil {
		return err
	}
	d := newDigester(r)
	stored, err := c.to.Put(ctx, want.Key, d)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if err := d.compare(stored); err != nil {
		return fmt.Errorf("%s in the target: %w", want.Key, err)
	}
	return nil
}

// digester hashes what is read through it.
type digester struct {
	r io.Reader
	h hash.Hash
	n int64
}

func newDigester(r io.Reader) *digester { return &digester{r: r, h: sha256.New()} }

func (d *digester) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.h.Write(p[:n])
	d.n += int64(n)
	return n, err
}

// compare returns an ErrCorrupt unless want describes what was read. A store may
// not know the digest of an object that another program put there.
func (d *digester) compare(want objectstore.Info) error {
	got := hex.EncodeToString(d.h.Sum(nil))
	if d.n != want.Size || want.SHA256 != "" && got != want.SHA256 {
		return fmt.Errorf("read %d bytes with digest %s, recorded are %d with %s: %w", d.n, got, want.Size, want.SHA256, objectstore.ErrCorrupt)
	}
	return nil
}
