package dirstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

func openDir(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objectstore.Store { return openDir(t, t.TempDir()) })
}

const dirEnv = "DIRSTORE_TEST_DIR"

func TestChild(t *testing.T) {
	storetest.Child(t, func(t *testing.T) objectstore.Store { return openDir(t, os.Getenv(dirEnv)) })
}

func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	storetest.Killed(t, s, "TestChild", dirEnv+"="+dir)
	if left := temps(t, dir); len(left) != 0 {
		t.Errorf("temporary files are left: %q", left)
	}
}

func TestLarge(t *testing.T) { storetest.Large(t, "TestChild", dirEnv+"="+t.TempDir()) }

func temps(t *testing.T, dir string) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, tmpDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestFailedPutLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	boom := errors.New("boom")
	_, err := s.Put(t.Context(), "a/b/c", io.MultiReader(storetest.Stream(300_000, 1), iotestErr{boom}))
	if !errors.Is(err, boom) {
		t.Errorf("Put = %v", err)
	}
	if left := temps(t, dir); len(left) != 0 {
		t.Errorf("temporary files are left: %q", left)
	}
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

// TestDamage changes every part of a file and reads it.
func TestDamage(t *testing.T) {
	const size = 3*blockSize + 100
	body := storetest.Bytes(size, 2)
	for name, damage := range map[string]func(b []byte) []byte{
		"a bit of the first block": func(b []byte) []byte { b[0] ^= 1; return b },
		"a bit of the last block":  func(b []byte) []byte { b[size-1] ^= 128; return b },
		"a bit of a block sum":     func(b []byte) []byte { b[size] ^= 1; return b },
		"a bit of the digest":      func(b []byte) []byte { b[len(b)-footerSize] ^= 1; return b },
		"a bit of the size":        func(b []byte) []byte { b[len(b)-footerSize+39] ^= 1; return b },
		"the magic":                func(b []byte) []byte { b[len(b)-1] = 0; return b },
		"the last byte is missing": func(b []byte) []byte { return b[:len(b)-1] },
		"the second half is zero":  func(b []byte) []byte { clear(b[len(b)/2:]); return b },
		"only the footer is left":  func(b []byte) []byte { return b[len(b)-footerSize:] },
		"nothing is left":          func([]byte) []byte { return nil },
		"two blocks are exchanged": func(b []byte) []byte {
			return append(append(bytes.Clone(b[blockSize:2*blockSize]), b[:blockSize]...), b[2*blockSize:]...)
		},
		"a block is there twice":       func(b []byte) []byte { copy(b[blockSize:], b[:blockSize]); return b },
		"something was appended":       func(b []byte) []byte { return append(b, "more"...) },
		"another footer is at the end": func(b []byte) []byte { return append(b, b[len(b)-footerSize:]...) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openDir(t, dir)
			if _, err := s.Put(t.Context(), "a/b", bytes.NewReader(body)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, fileName("a/b"))
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := s.Get(t.Context(), "a/b")
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
				_ = r.Close()
			}
			if !errors.Is(err, objectstore.ErrCorrupt) || objectstore.Retryable(err) {
				t.Errorf("Get = %v, want ErrCorrupt", err)
			}
			if !bytes.HasPrefix(body, got) {
				t.Error("damaged bytes were handed on")
			}
			n := 0
			if err := s.List(t.Context(), "", func(i objectstore.Info) bool { n++; return i.Key == "a/b" }); err != nil || n != 1 {
				t.Errorf("List = %d objects, %v", n, err)
			}
			if _, err := s.Put(t.Context(), "a/b", bytes.NewReader(body)); err != nil {
				t.Errorf("Put over it = %v", err)
			}
		})
	}
}

func TestSymlinksDoNotLeadOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := openDir(t, dir)
	if err := os.Symlink(outside, filepath.Join(dir, objectsDir, "out")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "out/x", strings.NewReader("x")); err == nil {
		t.Error("Put through a symbolic link succeeded")
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside there are %v, %v", left, err)
	}
	if _, err := s.Get(t.Context(), "out/x"); err == nil {
		t.Error("Get through a symbolic link succeeded")
	}
}

func TestFileNames(t *testing.T) {
	long := strings.Repeat("x", 512)
	seen := map[string]string{}
	for _, key := range []string{"a", "a/b", "a.b", long, long[:200], long[:201], long[:200] + "/" + long[:1], "a/" + long[:400] + "/b"} {
		name := fileName(key)
		if other, ok := seen[name]; ok {
			t.Errorf("%.20q and %.20q share %s", key, other, name)
		}
		seen[name] = key
		if got, ok := keyOf(name); !ok || got != key {
			t.Errorf("keyOf(fileName(%.20q)) = %.20q, %v", key, got, ok)
		}
		for elem := range strings.SplitSeq(name, "/") {
			if len(elem) > 255 {
				t.Errorf("element of %d bytes", len(elem))
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(file); err == nil {
		t.Errorf("Open(file) = %v", s)
	}
	if os.Getuid() != 0 {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, objectstore.ErrConfig) {
			t.Errorf("Open(read-only directory) = %v, want ErrConfig", err)
		}
	}
}

// A directory that is taken away while the store is open is not an empty store:
// a sweep would call every task one without blobs.
func TestDirectoryIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openDir(t, dir)
	if _, err := s.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"put":      func() error { _, err := s.Put(t.Context(), "a/b", strings.NewReader("x")); return err },
		"create":   func() error { _, err := s.Create(t.Context(), "c", strings.NewReader("x")); return err },
		"get":      func() error { _, err := s.Get(t.Context(), "a/b"); return err },
		"stat":     func() error { _, err := s.Stat(t.Context(), "a/b"); return err },
		"delete":   func() error { return s.Delete(t.Context(), "a/b") },
		"list":     func() error { return s.List(t.Context(), "", func(objectstore.Info) bool { return true }) },
		"scavenge": func() error { _, err := s.Scavenge(t.Context(), 0); return err },
	} {
		err := call()
		if !errors.Is(err, objectstore.ErrConfig) || errors.Is(err, objectstore.ErrNotFound) || objectstore.Retryable(err) || !strings.Contains(err.Error(), "not mounted") {
			t.Errorf("%s = %v, want ErrConfig", name, err)
		}
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{syscall.ENOSPC, objectstore.ErrFull},
		{syscall.EDQUOT, objectstore.ErrFull},
		{syscall.EROFS, objectstore.ErrConfig},
		{syscall.EACCES, objectstore.ErrConfig},
		{syscall.EPERM, objectstore.ErrConfig},
		{syscall.EMFILE, objectstore.ErrUnavailable},
		{syscall.ESTALE, objectstore.ErrUnavailable},
		{syscall.EIO, objectstore.ErrCorrupt},
		{syscall.ENOENT, objectstore.ErrNotFound},
	} {
		err := classify(&fs.PathError{Op: "write", Path: "x", Err: c.err})
		if !errors.Is(err, c.want) || !errors.Is(err, c.err) {
			t.Errorf("classify(%v) = %v, want %v", c.err, err, c.want)
		}
		if objectstore.Retryable(err) != (c.want == objectstore.ErrUnavailable) {
			t.Errorf("%v: Retryable = %v", c.err, objectstore.Retryable(err))
		}
	}
}

// FuzzTrailer gives the reader arbitrary files.
func FuzzTrailer(f *testing.F) {
	good := func(n int) []byte {
		var b bytes.Buffer
		body := storetest.Bytes(n, 3)
		t, err := copyBlocks(f.Context(), &b, bytes.NewReader(body))
		if err != nil {
			f.Fatal(err)
		}
		return append(b.Bytes(), t.encode()...)
	}
	f.Add(good(0))
	f.Add(good(1))
	f.Add(good(blockSize + 1))
	f.Add([]byte(magic))
	f.Add(make([]byte, footerSize))
	dir := f.TempDir()
	s := openDir(f, dir)
	if err := os.MkdirAll(filepath.Join(dir, objectsDir), 0o700); err != nil {
		f.Fatal(err)
	}
	n := 0
	f.Fuzz(func(t *testing.T, b []byte) {
		n++
		key := fmt.Sprintf("f%d", n)
		file := filepath.Join(dir, fileName(key))
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Remove(file) }()
		r, err := s.Get(t.Context(), key)
		if err != nil {
			if !errors.Is(err, objectstore.ErrCorrupt) {
				t.Fatalf("Get = %v, want ErrCorrupt", err)
			}
			return
		}
		got, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil && !errors.Is(err, objectstore.ErrCorrupt) {
			t.Fatalf("ReadAll = %v, want ErrCorrupt", err)
		}
		if !bytes.HasPrefix(b, got) {
			t.Fatal("read what is not in the file")
		}
	})
}
