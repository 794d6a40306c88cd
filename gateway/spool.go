package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/videomsg/videomsg/objectstore"
)

// A store may need megabytes for each write under way, so few are let in at
// once. A client that sends slowly keeps its place as long as it likes; whoever
// finds no place free waits on disk instead, and goes through places that no
// client can hold.
const (
	directUploads  = 8
	spooledUploads = 4
)

// put stores what a client sends.
func (g *Gateway) put(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	select {
	case g.direct <- struct{}{}:
		defer func() { <-g.direct }()
		return g.Blobs.Put(ctx, key, r)
	default:
	}
	f, err := os.CreateTemp(g.Temp, "upload-*")
	if err != nil {
		return objectstore.Info{}, full(err)
	}
	defer f.Close()         //nolint:errcheck // it has no name any more
	_ = os.Remove(f.Name()) // gone with the process, whatever ends it
	_, err = io.Copy(struct{ io.Writer }{f}, r)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return objectstore.Info{}, full(err)
	}
	select {
	case g.spooled <- struct{}{}:
		defer func() { <-g.spooled }()
	case <-ctx.Done():
		return objectstore.Info{}, ctx.Err()
	}
	return g.Blobs.Put(ctx, key, f)
}

// full tells a full disk from other trouble.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("spool upload: %w: %w", objectstore.ErrFull, err)
	}
	return fmt.Errorf("spool upload: %w", err)
}
