// Package dirstore keeps objects in a directory of the local file system, for
// one machine or a shared mount. A person can look at the files with any
// program: each object is one file whose content starts at its first byte.
//
// Layout: <root>/objects/<key>@ holds the object, followed by a trailer with
// its digest and the checksums of its blocks; <root>/tmp holds writes under way.
// The suffix is outside the alphabet of keys, so that the keys "a" and "a/b" do
// not collide. Content and digest change together, by one rename.
//
// Every operation goes through os.Root, so that no key and no symbolic link
// leads out of the directory.
package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/videomsg/videomsg/objectstore"
)

const (
	objectsDir = "objects"
	tmpDir     = "tmp"
	suffix     = "@"
	// maxElem keeps a path element, with its suffix, below the 255 bytes that file
	// systems allow; longer elements are continued in a subdirectory.
	maxElem  = 200
	contMark = "+"
)

// Store implements objectstore.Store in a directory. Several processes may use
// one directory.
type Store struct{ root *os.Root }

// Open opens the store in dir and makes what is missing. It returns an
// objectstore.ErrConfig when dir cannot be written. The caller closes it.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, classify(err))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, classify(err))
	}
	s := &Store{root}
	for _, d := range []string{objectsDir, tmpDir} {
		if err := root.MkdirAll(d, 0o700); err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", dir, classify(err)), root.Close())
		}
	}
	// A directory that only reads would fail at the first upload; say so now.
	if err := s.probe(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, classify(err)), root.Close())
	}
	return s, nil
}

func (s *Store) probe() error {
	f, name, err := s.createTemp()
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), s.root.Remove(name))
}

// Close releases the directory; readers that are open stay usable.
func (s *Store) Close() error { return s.root.Close() }

// Delete implements objectstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, "delete", key); err != nil {
		return err
	}
	name := fileName(key)
	err := s.root.Remove(name)
	if err == nil {
		err = s.syncDir(path.Dir(name))
	}
	if err = s.classify(err); errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	// Empty directories are only untidy: a writer may be about to use one, and
	// Remove refuses one that is not empty.
	for d := path.Dir(name); d != objectsDir; d = path.Dir(d) {
		if s.root.Remove(d) != nil {
			break
		}
	}
	return nil
}

// Stat implements objectstore.Stater.
func (s *Store) Stat(ctx context.Context, key string) (objectstore.Info, error) {
	if err := check(ctx, "stat", key); err != nil {
		return objectstore.Info{}, err
	}
	f, t, err := s.open(key)
	if err != nil {
		return objectstore.Info{}, fmt.Errorf("stat %s: %w", key, err)
	}
	return t.info(key), f.Close()
}

// List implements objectstore.Lister. An object that disappears meanwhile is
// left out; one whose file is damaged is listed without a digest.
func (s *Store) List(ctx context.Context, prefix string, yield func(objectstore.Info) bool) error {
	err := fs.WalkDir(s.root.FS(), objectsDir, func(name string, d fs.DirEntry, err error) error {
		if cerr := ctx.Err(); cerr != nil {
			return cerr
		}
		if errors.Is(err, fs.ErrNotExist) && name != objectsDir {
			return nil
		}
		if err != nil || name == objectsDir {
			return err
		}
		if d.IsDir() {
			if dir := dirKey(name); !strings.HasPrefix(dir, prefix) && !strings.HasPrefix(prefix, dir) {
				return fs.SkipDir
			}
			return nil
		}
		key, ok := keyOf(name)
		if !ok || !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := s.describe(key, d)
		if errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !yield(info) {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %q: %w", prefix, s.classify(err))
	}
	return nil
}

func (s *Store) describe(key string, d fs.DirEntry) (objectstore.Info, error) {
	f, t, err := s.open(key)
	if errors.Is(err, objectstore.ErrCorrupt) {
		fi, err := d.Info()
		if err != nil {
			return objectstore.Info{}, err
		}
		return objectstore.Info{Key: key, Size: fi.Size(), ModTime: fi.ModTime()}, nil
	}
	if err != nil {
		return objectstore.Info{}, err
	}
	return t.info(key), f.Close()
}

// Scavenge implements objectstore.Scavenger: it removes temporary files that
// nobody has written to for age.
func (s *Store) Scavenge(ctx context.Context, age time.Duration) (objectstore.Scavenged, error) {
	var n objectstore.Scavenged
	err := fs.WalkDir(s.root.FS(), tmpDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		fi, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || time.Since(fi.ModTime()) < age {
			return err
		}
		if err := s.root.Remove(name); err != nil {
			return err
		}
		n.Parts++
		n.Bytes += fi.Size()
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("scavenge: %w", s.classify(err))
	}
	return n, nil
}

func check(ctx context.Context, op, key string) error {
	if err := objectstore.CheckKey(key); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return nil
}

// fileName maps a key to its file, which keyOf reverses.
func fileName(key string) string {
	var b strings.Builder
	b.WriteString(objectsDir)
	for elem := range strings.SplitSeq(key, "/") {
		for b.WriteByte('/'); len(elem) > maxElem; elem = elem[maxElem:] {
			b.WriteString(elem[:maxElem] + contMark + "/")
		}
		b.WriteString(elem)
	}
	return b.String() + suffix
}

func keyOf(name string) (string, bool) {
	name, ok := strings.CutSuffix(name, suffix)
	return dirKey(name), ok
}

func dirKey(name string) string {
	name = strings.TrimPrefix(name, objectsDir+"/")
	return strings.TrimSuffix(strings.ReplaceAll(name, contMark+"/", ""), contMark)
}

// classify is the function classify for a name in the store: when nothing at all
// is there any more, an operator must act.
func (s *Store) classify(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := s.root.Lstat(objectsDir); errors.Is(gone, fs.ErrNotExist) {
			return fmt.Errorf("the store's directory was removed or is not mounted: %w: %w", objectstore.ErrConfig, err)
		}
	}
	return classify(err)
}

// classify marks an error of the file system with what it means for the caller.
func classify(err error) error {
	var mark error
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		mark = objectstore.ErrNotFound
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		mark = objectstore.ErrFull
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrClosed):
		mark = objectstore.ErrConfig
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EINTR),
		errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EBUSY):
		mark = objectstore.ErrUnavailable
	case errors.Is(err, syscall.EIO):
		mark = objectstore.ErrCorrupt
	}
	if mark == nil || errors.Is(err, mark) {
		return err
	}
	return fmt.Errorf("%w: %w", mark, err)
}

var _ interface {
	objectstore.Store
	objectstore.Creator
	objectstore.RangeGetter
	objectstore.Stater
	objectstore.Lister
	objectstore.Scavenger
	io.Closer
} = (*Store)(nil)
