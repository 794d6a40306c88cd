package objectstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

func TestRetry(t *testing.T) {
	policy := objectstore.RetryPolicy{Attempts: 3, Base: time.Millisecond}
	content := func(t *testing.T, s objectstore.Store) string {
		t.Helper()
		r, err := s.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, failing := range map[string]func(objectstore.Full, int) *storetest.Failing{
		"that did nothing": storetest.FailAndNotPersist, "that took effect": storetest.FailButPersist,
	} {
		t.Run("it repeats a Put "+name, func(t *testing.T) {
			f := failing(new(storetest.Memory), 2)
			s := objectstore.Retry(f, policy)
			src := strings.NewReader("skipped content")
			if _, err := src.Seek(8, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Put(t.Context(), "a", src); err != nil {
				t.Fatal(err)
			}
			if got := content(t, s); got != "content" || f.Calls("put") != 3 {
				t.Errorf("stored %q by %d calls", got, f.Calls("put"))
			}
			if _, err := s.Stat(t.Context(), "a"); err != nil {
				t.Errorf("Stat = %v", err)
			}
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Errorf("Delete = %v", err)
			}
		})
	}
	t.Run("it gives up", func(t *testing.T) {
		f := storetest.FailAndNotPersist(new(storetest.Memory), 100)
		if _, err := objectstore.Retry(f, policy).Get(t.Context(), "a"); !errors.Is(err, storetest.ErrInjected) || f.Calls("get") != 3 {
			t.Errorf("Get = %v after %d calls", err, f.Calls("get"))
		}
	})
	t.Run("it does not repeat what cannot be read again", func(t *testing.T) {
		f := storetest.FailAndNotPersist(new(storetest.Memory), 1)
		if _, err := objectstore.Retry(f, policy).Put(t.Context(), "a", io.MultiReader(strings.NewReader("x"))); !errors.Is(err, storetest.ErrInjected) || f.Calls("put") != 1 {
			t.Errorf("Put = %v after %d calls", err, f.Calls("put"))
		}
	})
	t.Run("it does not repeat what is permanent", func(t *testing.T) {
		f := &storetest.Failing{Full: new(storetest.Memory)}
		if _, err := objectstore.Retry(f, policy).Get(t.Context(), "a"); !errors.Is(err, objectstore.ErrNotFound) || f.Calls("get") != 1 {
			t.Errorf("Get = %v after %d calls", err, f.Calls("get"))
		}
	})
	t.Run("it stops with the context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		f := storetest.FailAndNotPersist(new(storetest.Memory), 100)
		s := objectstore.Retry(f, objectstore.RetryPolicy{Attempts: 100, Base: time.Hour, Max: time.Hour})
		if _, err := s.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get = %v", err)
		}
	})
}

func TestObserve(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s := objectstore.Observe(new(storetest.Memory), "memory", func(o objectstore.Operation) {
		mu.Lock()
		defer mu.Unlock()
		if o.Duration < 0 {
			t.Errorf("%s took %v", o.Name, o.Duration)
		}
		got = append(got, fmt.Sprint(o.Name, " ", o.Backend, " ", o.Status, " ", o.Bytes))
	})
	ctx := t.Context()
	_, _ = s.Put(ctx, "a", strings.NewReader("hello"))
	_, _ = s.Put(ctx, "../a", strings.NewReader("hello"))
	_, _ = s.Create(ctx, "a", strings.NewReader("hello"))
	_, _ = s.Get(ctx, "none")
	r, err := s.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(r, make([]byte, 3))
	_ = r.Close()
	_ = r.Close()
	r, err = s.GetRange(ctx, "a", 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r)
	_ = r.Close()
	_, _ = s.Stat(ctx, "a")
	_ = s.List(ctx, "", func(objectstore.Info) bool { return true })
	_ = s.Delete(ctx, "a")
	want := "put memory ok 5, put memory invalid_key 0, create memory exists 0, get memory not_found 0, get memory ok 3, " +
		"range memory ok 2, stat memory ok 0, list memory ok 0, delete memory ok 0"
	if g := strings.Join(got, ", "); g != want {
		t.Errorf("observed\n%s\nwant\n%s", g, want)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, "ok"},
		{objectstore.ErrNotFound, "not_found"},
		{objectstore.ErrExists, "exists"},
		{objectstore.ErrInvalidKey, "invalid_key"},
		{objectstore.ErrFull, "full"},
		{objectstore.ErrCorrupt, "corrupt"},
		{objectstore.ErrConfig, "config"},
		{objectstore.ErrUnavailable, "unavailable"},
		{context.Canceled, "canceled"},
		{io.ErrUnexpectedEOF, "error"},
	} {
		err := c.err
		if err != nil {
			err = fmt.Errorf("put a: %w", err)
		}
		if got := objectstore.Status(err); got != c.want {
			t.Errorf("Status(%v) = %s, want %s", c.err, got, c.want)
		}
	}
}

type signing struct{ *storetest.Memory }

func (signing) SignedURL(context.Context, string, objectstore.Link) (string, error) {
	return "signed", nil
}

func TestAs(t *testing.T) {
	s := objectstore.Observe(objectstore.Retry(signing{new(storetest.Memory)}, objectstore.RetryPolicy{}), "x", func(objectstore.Operation) {})
	u, ok := objectstore.As[objectstore.URLSigner](s)
	if !ok {
		t.Fatal("the signer is not found through its decorators")
	}
	if got, err := u.SignedURL(t.Context(), "a", objectstore.Link{Life: time.Hour}); got != "signed" || err != nil {
		t.Errorf("SignedURL = %q, %v", got, err)
	}
	if _, ok := objectstore.As[objectstore.URLSigner](new(storetest.Memory)); ok {
		t.Error("a signer is found where none is")
	}
}

type erasing struct {
	objectstore.Full
	erased *[]string
}

func (e erasing) Erase(ctx context.Context, key string) error {
	*e.erased = append(*e.erased, key)
	return e.Delete(ctx, key)
}

func TestErase(t *testing.T) {
	var erased []string
	memory := new(storetest.Memory)
	able := objectstore.Guarded(objectstore.Observe(objectstore.Retry(erasing{memory, &erased}, objectstore.RetryPolicy{}), "x", func(objectstore.Operation) {}),
		objectstore.NewGuard(func(context.Context) (objectstore.Space, error) { return objectstore.Space{}, nil }, 0, 0, time.Hour))
	for _, s := range []objectstore.Store{able, memory} {
		if _, err := memory.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if err := objectstore.Erase(t.Context(), s, "a"); err != nil {
			t.Error(err)
		}
		if _, err := memory.Stat(t.Context(), "a"); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("after Erase: %v", err)
		}
	}
	if len(erased) != 1 || erased[0] != "a" {
		t.Errorf("%q were overwritten, want a once", erased)
	}
}

func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sp objectstore.Space
		var fail error
		calls := 0
		g := objectstore.NewGuard(func(context.Context) (objectstore.Space, error) { calls++; return sp, fail }, 1000, 5, time.Minute)
		for _, c := range []struct {
			free, total, size int64
			want              error
		}{
			{1000, 10_000, 0, nil},
			{999, 10_000, 0, objectstore.ErrFull},
			{1500, 10_000, 501, objectstore.ErrFull},
			{1500, 10_000, 500, nil},
			{4999, 100_000, 0, objectstore.ErrFull},
			{5000, 100_000, 0, nil},
			{0, 0, 0, objectstore.ErrFull},
			{1 << 40, 1 << 40, -1, objectstore.ErrFull},
		} {
			sp = objectstore.Space{Free: c.free, Total: c.total}
			time.Sleep(time.Minute)
			if err := g.Check(t.Context(), c.size); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("Check(%d) with %d of %d = %v, want %v", c.size, c.free, c.total, err, c.want)
			}
		}
		before := calls
		for range 10 {
			_ = g.Check(t.Context(), 0)
		}
		if calls != before {
			t.Errorf("%d measurements within a minute", calls-before)
		}
		time.Sleep(time.Minute)
		fail = errors.New("no such disk")
		if err := g.Check(t.Context(), 0); !objectstore.Retryable(err) || !errors.Is(err, fail) {
			t.Errorf("Check = %v", err)
		}
	})
}

func TestGuarded(t *testing.T) {
	full := true
	g := objectstore.NewGuard(func(context.Context) (objectstore.Space, error) {
		if full {
			return objectstore.Space{Free: 1, Total: 100}, nil
		}
		return objectstore.Space{Free: 100, Total: 100}, nil
	}, 10, 0, 0)
	s := objectstore.Guarded(new(storetest.Memory), g)
	if _, err := s.Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, objectstore.ErrFull) {
		t.Errorf("Put = %v, want ErrFull", err)
	}
	if _, err := s.Create(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, objectstore.ErrFull) {
		t.Errorf("Create = %v, want ErrFull", err)
	}
	full = false
	if _, err := s.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Errorf("Put = %v", err)
	}
	full = true
	if _, err := s.Get(t.Context(), "a"); err != nil {
		t.Errorf("a full store cannot be read: %v", err)
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Errorf("a full store cannot be emptied: %v", err)
	}
}

func TestLinks(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	clock := func() time.Time { return now }
	k1, k2 := bytes.Repeat([]byte("1"), 32), bytes.Repeat([]byte("2"), 32)
	l, err := objectstore.NewLinkSigner("https://example.com/files/", clock, k1)
	if err != nil {
		t.Fatal(err)
	}
	const key = "outputs/t1/video.mp4"
	link, err := l.Sign(key, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, "https://example.com/files/"+key+"?") {
		t.Fatalf("Sign = %s, %v", link, err)
	}
	q := u.Query()
	if exp, err := l.Verify(key, q); err != nil || !exp.Equal(now.Add(10*time.Minute)) {
		t.Errorf("Verify = %v, %v", exp, err)
	}
	for name, c := range map[string]struct {
		key string
		q   url.Values
	}{
		"another key":     {"outputs/t2/video.mp4", q},
		"bad key":         {"../" + key, q},
		"no query":        {key, nil},
		"later expiry":    {key, url.Values{"expires": {"1900000000"}, "signature": q["signature"]}},
		"other spelling":  {key, url.Values{"expires": {"+" + q.Get("expires")}, "signature": q["signature"]}},
		"two expiries":    {key, url.Values{"expires": {q.Get("expires"), "1900000000"}, "signature": q["signature"]}},
		"no signature":    {key, url.Values{"expires": q["expires"], "signature": {""}}},
		"cut signature":   {key, url.Values{"expires": q["expires"], "signature": {q.Get("signature")[:20]}}},
		"not base64":      {key, url.Values{"expires": q["expires"], "signature": {"!!"}}},
		"number overflow": {key, url.Values{"expires": {"99999999999999999999"}, "signature": q["signature"]}},
	} {
		if _, err := l.Verify(c.key, c.q); !errors.Is(err, objectstore.ErrLinkInvalid) {
			t.Errorf("%s: Verify = %v, want ErrLinkInvalid", name, err)
		}
	}
	rotated, err := objectstore.NewLinkSigner("https://example.com/files", clock, k2, k1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rotated.Verify(key, q); err != nil {
		t.Errorf("Verify after a change of keys = %v", err)
	}
	if other, err := rotated.Sign(key, 10*time.Minute); err != nil || other == link {
		t.Errorf("the new key signs like the old one: %v", err)
	}
	gone, err := objectstore.NewLinkSigner("https://example.com/files", clock, k2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Verify(key, q); !errors.Is(err, objectstore.ErrLinkInvalid) {
		t.Errorf("Verify without the old key = %v", err)
	}
	now = now.Add(10*time.Minute - time.Second)
	if _, err := l.Verify(key, q); err != nil {
		t.Errorf("Verify a second before = %v", err)
	}
	now = now.Add(time.Second)
	if _, err := l.Verify(key, q); !errors.Is(err, objectstore.ErrLinkExpired) {
		t.Errorf("Verify at the expiry = %v, want ErrLinkExpired", err)
	}
	for _, keys := range [][][]byte{nil, {k1[:31]}, {k1, nil}} {
		if _, err := objectstore.NewLinkSigner("", clock, keys...); !errors.Is(err, objectstore.ErrConfig) {
			t.Errorf("NewLinkSigner with keys %v = %v", keys, err)
		}
	}
	if _, err := l.Sign("a b", time.Hour); !errors.Is(err, objectstore.ErrInvalidKey) {
		t.Errorf("Sign of a bad key = %v", err)
	}
	if _, err := l.Sign(key, 0); err == nil {
		t.Error("Sign for no time succeeded")
	}
}

func TestRetention(t *testing.T) {
	r := objectstore.DefaultRetention()
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	if err := (objectstore.Retention{"x": 1, objectstore.Inputs: -1}).Validate(); !errors.Is(err, objectstore.ErrConfig) ||
		!strings.Contains(err.Error(), "no such class") || !strings.Contains(err.Error(), "-1ns") {
		t.Errorf("Validate = %v", err)
	}
	for key, want := range map[string]objectstore.Class{
		"inputs/t/a": objectstore.Inputs, "inputs": "", "inputsx/a": "", "library/a": objectstore.Library, "a/inputs/b": "",
	} {
		if got := objectstore.ClassOf(key); got != want {
			t.Errorf("ClassOf(%s) = %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]string{
		"inputs/t1/a": "t1", "outputs/t2/v/x.mp4": "t2", "intermediates/t3/voice/s.wav": "t3", "inputs/a": "", "library/v/a": "", "temporary/t/a": "",
	} {
		if got := objectstore.TaskOf(key); got != want {
			t.Errorf("TaskOf(%s) = %q, want %q", key, got, want)
		}
	}
}

func FuzzCheckKey(f *testing.F) {
	for _, s := range []string{"a", "a/b", "../a", "a/../b", "画像", "a\x00", "/", strings.Repeat("a", 513)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		err := objectstore.CheckKey(key)
		if err != nil {
			if !errors.Is(err, objectstore.ErrInvalidKey) {
				t.Fatal(err)
			}
			return
		}
		if url.PathEscape(strings.ReplaceAll(key, "/", "")) != strings.ReplaceAll(key, "/", "") {
			t.Fatalf("%q needs escaping", key)
		}
		if strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.Contains("/"+key+"/", "/../") || len(key) > 512 {
			t.Fatalf("%q was accepted", key)
		}
	})
}
