package provenance

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// movie is the outline of an MP4 file.
func movie() []byte {
	atom := func(name string, n int) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(8+n))
		return append(append(b, name...), bytes.Repeat([]byte{7}, n)...)
	}
	large := append([]byte{0, 0, 0, 1, 'm', 'd', 'a', 't', 0, 0, 0, 0, 0, 0, 0, 26}, bytes.Repeat([]byte{9}, 10)...)
	return slices.Concat(atom("ftyp", 16), atom("moov", 100), large, atom("uuid", 20))
}

func signed(t testing.TB) (file []byte, key ed25519.PrivateKey) {
	t.Helper()
	dir := t.TempDir()
	key, err := Key(filepath.Join(dir, "keys", "k.pem"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "v.mp4")
	if err := os.WriteFile(path, movie(), 0o600); err != nil {
		t.Fatal(err)
	}
	record := Record{Task: "t1", SourceType: Composite, Generator: "videomsg <&>", Engines: map[string]string{"video": "portrait"}}
	if _, err := Sign(path, record, key); err != nil {
		t.Fatal(err)
	}
	file, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file, key
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func TestASignedFileVerifies(t *testing.T) {
	file, key := signed(t)
	v, err := Verify(bytes.NewReader(file), public(key))
	if err != nil || !v.OK() || v.Record.Task != "t1" || !v.Record.Synthetic {
		t.Errorf("%+v, %v", v, err)
	}
	for _, want := range []string{"digitalsourcetype/compositeSynthetic<", "videomsg &lt;&amp;&gt;"} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("no %q in the file", want)
		}
	}
	if !bytes.HasPrefix(file, movie()) {
		t.Error("the video itself was changed")
	}
	other, _ := Key(filepath.Join(t.TempDir(), "k"))
	if v, err := Verify(bytes.NewReader(file), public(other)); err != nil || v.Known || !v.Signed || !v.Intact {
		t.Errorf("with another key: %+v, %v", v, err)
	}
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	file, key := signed(t)
	for i := range file {
		c := slices.Clone(file)
		c[i] ^= 1
		if v, err := Verify(bytes.NewReader(c), public(key)); err == nil && v.OK() {
			t.Fatalf("byte %d of %d can be changed", i, len(file))
		}
	}
	for i := range file {
		if v, err := Verify(bytes.NewReader(file[:i]), public(key)); err == nil && v.OK() {
			t.Fatalf("can be cut at %d", i)
		}
	}
	if v, err := Verify(bytes.NewReader(append(slices.Clone(file), 0)), public(key)); err != nil || v.OK() {
		t.Errorf("something can be added: %v", err)
	}
}

func TestARecordCannotMoveToAnotherFile(t *testing.T) {
	file, key := signed(t)
	at := bytes.Index(file, boxRecord[:]) - 8
	other := append(movie(), file[at:]...)
	if v, err := Verify(bytes.NewReader(other), public(key)); err != nil || v.Intact || !v.Signed {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestFilesWithoutARecord(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte("hello, this is text"), "movie": movie(), "short": movie()[:5],
		"size to the end": {0, 0, 0, 0, 'f', 't', 'y', 'p'}, "negative size": {0, 0, 0, 1, 'f', 't', 'y', 'p', 255, 255, 255, 255, 255, 255, 255, 255},
	} {
		if _, err := Verify(bytes.NewReader(b)); !errors.Is(err, ErrNoRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := append(movie(), box(boxRecord, nil)...)
	binary.BigEndian.PutUint32(huge[len(huge)-24:], 1<<31)
	if _, err := Verify(bytes.NewReader(huge)); !errors.Is(err, ErrDamaged) {
		t.Errorf("huge: %v", err)
	}
	if _, err := Verify(bytes.NewReader(append(movie(), box(boxRecord, []byte("{}"))...))); !errors.Is(err, ErrDamaged) {
		t.Errorf("empty record: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	file, key := signed(f)
	f.Add(file)
	f.Add(movie())
	video := file[:bytes.Index(file, boxRecord[:])-8]
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := Verify(bytes.NewReader(b), public(key)); err == nil && v.OK() && !bytes.HasPrefix(b, video) {
			t.Error("a forgery verifies")
		}
	})
}

func TestProcessesAgreeOnAKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.pem")
	keys := make([]ed25519.PrivateKey, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = Key(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys[1:] {
		if !k.Equal(keys[0]) {
			t.Fatal("different keys")
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Key(path); err == nil || !strings.Contains(err.Error(), "PEM") {
		t.Errorf("a damaged key: %v", err)
	}
}
