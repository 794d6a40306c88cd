package dirstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/videomsg/videomsg/objectstore"
)

// Put implements objectstore.Store: a temporary file is written, synced and
// renamed, and the directory is synced, before it returns.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	if err := check(ctx, "put", key); err != nil {
		return objectstore.Info{}, err
	}
	info, err := s.put(ctx, key, r, s.root.Rename)
	if err != nil {
		return objectstore.Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	return info, nil
}

// Create implements objectstore.Creator by a hard link, which fails on a name
// that exists.
func (s *Store) Create(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	if err := check(ctx, "create", key); err != nil {
		return objectstore.Info{}, err
	}
	info, err := s.put(ctx, key, r, s.link)
	if err != nil {
		return objectstore.Info{}, fmt.Errorf("create %s: %w", key, err)
	}
	return info, nil
}

func (s *Store) link(tmp, name string) error {
	err := s.root.Link(tmp, name)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", objectstore.ErrExists, err)
	}
	if err == nil {
		_ = s.root.Remove(tmp) // one that stays is found by Scavenge
	}
	return err
}

// put writes r to a temporary file, which place then gives its name.
func (s *Store) put(ctx context.Context, key string, r io.Reader, place func(tmp, name string) error) (_ objectstore.Info, err error) {
	f, tmp, err := s.createTemp()
	if err != nil {
		return objectstore.Info{}, s.classify(err)
	}
	defer func() {
		if err != nil {
			// What cannot be removed now is found by Scavenge.
			_ = f.Close()
			_ = s.root.Remove(tmp)
		}
	}()
	t, err := copyBlocks(ctx, &flusher{f: f}, r)
	if err != nil {
		return objectstore.Info{}, err
	}
	if _, err := f.Write(t.encode()); err != nil {
		return objectstore.Info{}, classify(err)
	}
	if err := f.Sync(); err != nil {
		return objectstore.Info{}, classify(err)
	}
	fi, err := f.Stat()
	if err != nil {
		return objectstore.Info{}, classify(err)
	}
	t.modTime = fi.ModTime()
	if err := f.Close(); err != nil {
		return objectstore.Info{}, classify(err)
	}
	if err := ctx.Err(); err != nil {
		return objectstore.Info{}, err
	}
	if err := s.publish(tmp, fileName(key), place); err != nil {
		return objectstore.Info{}, s.classify(err)
	}
	return t.info(key), nil
}

func (s *Store) createTemp() (*os.File, string, error) {
	name := tmpDir + "/" + rand.Text()
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return f, name, err
}

// flushEvery is how much may be written before the disk is told to begin.
const flushEvery = 8 << 20

// flusher writes to a file and starts its way to the disk early.
type flusher struct {
	f                *os.File
	written, flushed int64
}

func (w *flusher) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if w.written += int64(n); w.written-w.flushed >= flushEvery {
		startWriteback(w.f, w.flushed, w.written-w.flushed)
		w.flushed = w.written
	}
	return n, err
}

// copyBlocks writes r to w and returns the trailer. The digest is computed
// beside the writing, on another core: two buffers travel between the two.
func copyBlocks(ctx context.Context, w io.Writer, r io.Reader) (trailer, error) {
	t := trailer{block: blockSize}
	h := sha256.New()
	free, full := make(chan []byte, 2), make(chan []byte, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := range full {
			h.Write(b)
			free <- b[:blockSize]
		}
	}()
	free <- make([]byte, blockSize)
	second := false
	var err error
	for err == nil {
		var b []byte
		select {
		case b = <-free:
		default:
			if second {
				b = <-free
			} else {
				b, second = make([]byte, blockSize), true
			}
		}
		var n int
		n, err = objectstore.ReadFull(ctx, r, b)
		if n == 0 || err != nil && err != io.EOF {
			free <- b
			break
		}
		full <- b[:n]
		t.size += int64(n)
		t.sums = binary.BigEndian.AppendUint32(t.sums, crc32.Checksum(b[:n], castagnoli))
		if _, werr := w.Write(b[:n]); werr != nil {
			err = classify(werr)
		}
	}
	close(full)
	<-done
	if err != io.EOF {
		return trailer{}, err
	}
	h.Sum(t.sha256[:0])
	return t, nil
}

// publish makes tmp appear as name and syncs the directories on the way, so that the
// name survives a power failure like the content.
func (s *Store) publish(tmp, name string, place func(tmp, name string) error) error {
	dir := path.Dir(name)
	for try := 0; ; try++ {
		made, err := s.mkdirs(dir)
		if err == nil {
			err = place(tmp, name)
		}
		if err == nil {
			return s.syncDirs(dir, made)
		}
		// Delete may have removed the directory, empty for a moment.
		if !errors.Is(err, fs.ErrNotExist) || try == 20 {
			return err
		}
	}
}

// mkdirs makes dir and returns how many of its levels were missing.
func (s *Store) mkdirs(dir string) (made int, err error) {
	err = s.root.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) && dir != objectsDir {
		if made, err = s.mkdirs(path.Dir(dir)); err != nil {
			return made, err
		}
		err = s.root.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return made, nil
	}
	return made + 1, err
}

// syncDirs syncs dir and the parents in which its missing levels were made.
func (s *Store) syncDirs(dir string, made int) error {
	for ; ; made-- {
		err := s.syncDir(dir)
		if err != nil || made <= 0 {
			return err
		}
		dir = path.Dir(dir)
	}
}

func (s *Store) syncDir(dir string) error {
	d, err := s.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted with all that was in it
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
