package s3store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

// The tests in this file need no server: they answer themselves, as a server in
// trouble does.

// script is an S3 server whose answers a test writes.
type script struct {
	*httptest.Server
	requests atomic.Int64
}

func answer(t *testing.T, h http.HandlerFunc) *script {
	t.Helper()
	s := &script{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/.probe") { // New asks
			fail(w, 404, "NoSuchKey")
			return
		}
		s.requests.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *script) open(t *testing.T, attempts int) *Store {
	t.Helper()
	tr := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(tr.CloseIdleConnections)
	tr.ResponseHeaderTimeout = 5 * time.Second
	st, err := New(t.Context(), aws.Config{
		Region: "us-west-2", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	}, Config{Bucket: "b", Endpoint: s.URL, MaxAttempts: attempts, HTTPClient: &http.Client{Transport: tr}, TempDir: t.TempDir(), maxBackoff: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>said so</Message></Error>`, code)
}

func TestErrorsMeanWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		status  int
		code    string
		want    error
		message string
		retried bool
	}{
		{404, "NoSuchKey", objectstore.ErrNotFound, "", false},
		{404, "NoSuchBucket", objectstore.ErrConfig, "bucket does not exist", false},
		{403, "InvalidAccessKeyId", objectstore.ErrConfig, "does not know the access key", false},
		{403, "SignatureDoesNotMatch", objectstore.ErrConfig, "secret key is wrong", false},
		{403, "AccessDenied", objectstore.ErrConfig, "lack a right", false},
		{400, "ExpiredToken", objectstore.ErrConfig, "token has expired", false},
		{403, "RequestTimeTooSkewed", objectstore.ErrConfig, "clock", false},
		{301, "PermanentRedirect", objectstore.ErrConfig, "another region", false},
		{400, "AuthorizationHeaderMalformed", objectstore.ErrConfig, "region is wrong", false},
		{503, "SlowDown", objectstore.ErrUnavailable, "fewer requests", true},
		{500, "InternalError", objectstore.ErrUnavailable, "", true},
		{503, "ServiceUnavailable", objectstore.ErrUnavailable, "", true},
		{400, "RequestTimeout", objectstore.ErrUnavailable, "too slow", true},
		{429, "TooManyRequests", objectstore.ErrUnavailable, "", false},
		{507, "XMinioStorageFull", objectstore.ErrFull, "disks are full", false},
		{403, "QuotaExceeded", objectstore.ErrFull, "quota", false},
		{418, "Teapot", objectstore.ErrConfig, "refuses", false},
	} {
		t.Run(c.code, func(t *testing.T) {
			srv := answer(t, func(w http.ResponseWriter, _ *http.Request) { fail(w, c.status, c.code) })
			s := srv.open(t, 2)
			_, err := s.Get(t.Context(), "a")
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.message) {
				t.Errorf("Get = %v, want %v with %q", err, c.want, c.message)
			}
			if objectstore.Retryable(err) != (c.want == objectstore.ErrUnavailable) {
				t.Errorf("Retryable = %v", objectstore.Retryable(err))
			}
			if n := srv.requests.Load(); (n > 1) != c.retried {
				t.Errorf("%d requests, retried should be %v", n, c.retried)
			}
			if c.code == "NoSuchKey" {
				return
			}
			if _, err := s.Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, c.want) {
				t.Errorf("Put = %v, want %v", err, c.want)
			}
			if err := s.Delete(t.Context(), "a"); !errors.Is(err, c.want) {
				t.Errorf("Delete = %v, want %v", err, c.want)
			}
			if err := s.List(t.Context(), "", nil); !errors.Is(err, c.want) {
				t.Errorf("List = %v, want %v", err, c.want)
			}
		})
	}
}

func TestSlowDownPasses(t *testing.T) {
	var n atomic.Int64
	var got bytes.Buffer
	srv := answer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if n.Add(1) <= 2 {
			fail(w, 503, "SlowDown")
			return
		}
		got.Write(b)
	})
	body := storetest.Bytes(2<<20, 1) // from a spooled file
	if _, err := srv.open(t, 4).Put(t.Context(), "a", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), body) {
		t.Errorf("the third attempt sent %d other bytes", got.Len())
	}
}

func TestConnectionResetDuringPut(t *testing.T) {
	var n atomic.Int64
	var got bytes.Buffer
	srv := answer(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			_, _ = io.CopyN(io.Discard, r.Body, 100_000)
			reset(t, w)
			return
		}
		_, _ = got.ReadFrom(r.Body)
	})
	body := storetest.Bytes(5<<20, 2)
	if _, err := srv.open(t, 3).Put(t.Context(), "a", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), body) {
		t.Errorf("the second attempt sent %d other bytes", got.Len())
	}
}

// reset ends the connection of w by a TCP reset.
func reset(t *testing.T, w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// object serves body as S3 would, and breaks every connection after cut bytes.
func object(t *testing.T, body []byte, etag func() string, cut int) http.HandlerFunc {
	sum := sha256.Sum256(body)
	return func(w http.ResponseWriter, r *http.Request) {
		if m := r.Header.Get("If-Match"); m != "" && m != etag() {
			fail(w, 412, "PreconditionFailed")
			return
		}
		from := 0
		if rng := r.Header.Get("Range"); rng != "" {
			lo, _, _ := strings.Cut(strings.TrimPrefix(rng, "bytes="), "-")
			from, _ = strconv.Atoi(lo)
		}
		w.Header().Set("ETag", etag())
		w.Header().Set("x-amz-meta-sha256", hex.EncodeToString(sum[:]))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		end := min(len(body), from+cut)
		_, _ = w.Write(body[from:end])
		if end < len(body) {
			w.(http.Flusher).Flush()
			reset(t, w)
		}
	}
}

func TestConnectionResetDuringGet(t *testing.T) {
	body := storetest.Bytes(1<<20, 3)
	srv := answer(t, object(t, body, func() string { return `"1"` }, 150_000))
	r, err := srv.open(t, 2).Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, body) {
		t.Errorf("read %d of %d bytes, %v", len(got), len(body), err)
	}
	if n := srv.requests.Load(); n < 7 {
		t.Errorf("only %d requests", n)
	}
}

func TestReplacedWhileRead(t *testing.T) {
	body := storetest.Bytes(1<<20, 4)
	var version atomic.Int64
	srv := answer(t, object(t, body, func() string { return fmt.Sprintf(`"%d"`, version.Load()) }, 150_000))
	r, err := srv.open(t, 2).Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
		t.Fatal(err)
	}
	version.Add(1)
	if _, err := io.ReadAll(r); !errors.Is(err, errReplaced) {
		t.Errorf("ReadAll = %v, want errReplaced", err)
	}
}

func TestConnectionThatNeverRecovers(t *testing.T) {
	body := storetest.Bytes(1<<20, 5)
	var n atomic.Int64
	serve := object(t, body, func() string { return `"1"` }, 1000)
	srv := answer(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 1 {
			reset(t, w)
			return
		}
		serve(w, r)
	})
	r, err := srv.open(t, 1).Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := io.ReadAll(r); !objectstore.Retryable(err) {
		t.Errorf("ReadAll = %v, want ErrUnavailable", err)
	}
}

func TestBodyOfAnotherContent(t *testing.T) {
	body := storetest.Bytes(100_000, 6)
	serve := object(t, body, func() string { return `"1"` }, 1<<30)
	srv := answer(t, func(w http.ResponseWriter, r *http.Request) {
		serve(headerFixer{w}, r)
	})
	r, err := srv.open(t, 1).Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := io.ReadAll(r); !errors.Is(err, objectstore.ErrCorrupt) {
		t.Errorf("ReadAll = %v, want ErrCorrupt", err)
	}
}

// headerFixer changes a byte of every body.
type headerFixer struct{ http.ResponseWriter }

func (h headerFixer) Write(b []byte) (int, error) {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return h.ResponseWriter.Write(b)
}

func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, err = New(t.Context(), aws.Config{
		Region: "us-west-2", Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	}, Config{Bucket: "b", Endpoint: "http://" + addr, MaxAttempts: 1})
	if !objectstore.Retryable(err) {
		t.Errorf("New = %v, want ErrUnavailable", err)
	}
}

func TestNoCredentials(t *testing.T) {
	srv := answer(t, func(http.ResponseWriter, *http.Request) {})
	_, err := New(t.Context(), aws.Config{Region: "us-west-2", Credentials: aws.NewCredentialsCache(
		aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no source has any")
		}))}, Config{Bucket: "b", Endpoint: srv.URL, MaxAttempts: 1})
	if !errors.Is(err, objectstore.ErrConfig) || objectstore.Retryable(err) || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("New = %v, want ErrConfig", err)
	}
}

func TestSpoolGoesAway(t *testing.T) {
	srv := answer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	s := srv.open(t, 1)
	var g sync.WaitGroup
	for i := range 4 {
		g.Go(func() {
			if _, err := s.Put(t.Context(), fmt.Sprintf("k%d", i), storetest.Stream(3<<20, 1)); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	boom := errors.New("boom")
	if _, err := s.Put(t.Context(), "x", io.MultiReader(storetest.Stream(3<<20, 1), errReader{boom})); !errors.Is(err, boom) {
		t.Errorf("Put = %v", err)
	}
	if n := srv.requests.Load(); n != 4 {
		t.Errorf("%d requests; a body that fails must not be sent", n)
	}
	if l := dirNames(t, s.tempDir); len(l) != 0 {
		t.Errorf("spooled files are left: %v", l)
	}
	s.tempDir = "/no/such/dir"
	if _, err := s.Put(t.Context(), "x", storetest.Stream(3<<20, 1)); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("Put without a temporary directory = %v, want ErrConfig", err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestConfigValidate(t *testing.T) {
	if err := (Config{}).Validate(); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("Validate = %v", err)
	}
	if err := (Config{Bucket: "b", MaxAttempts: -1}).Validate(); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("Validate = %v", err)
	}
}

func dirNames(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestApplyLifecycle(t *testing.T) {
	var body, refuse string
	srv := answer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, ok := r.URL.Query()["lifecycle"]
		switch {
		case !ok:
		case refuse != "":
			w.WriteHeader(http.StatusNotImplemented)
			_, _ = io.WriteString(w, "<Error><Code>"+refuse+"</Code></Error>")
		case r.Method == http.MethodPut:
			body = string(b)
		case body == "":
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>")
		default:
			_, _ = io.WriteString(w, body)
		}
	})
	s := srv.open(t, 1)
	words, err := s.ApplyLifecycle(t.Context(), objectstore.DefaultRetention())
	if err != nil {
		t.Fatal(err)
	}
	if len(words) != 5 || words[1] != "inputs/ is removed after 7 days" {
		t.Errorf("it says %q", words)
	}
	for _, want := range []string{
		"<Days>7</Days>", "<Prefix>inputs/</Prefix>", "<Days>3</Days>", "<Prefix>intermediates/</Prefix>",
		"<Days>30</Days>", "<Prefix>outputs/</Prefix>", "<Days>1</Days>", "<Prefix>temporary/</Prefix>",
		"<DaysAfterInitiation>1</DaysAfterInitiation>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("rules lack %s:\n%s", want, body)
		}
	}
	if strings.Contains(body, "library") {
		t.Errorf("rules expire the library:\n%s", body)
	}
	// An operator's rule stays; ours are replaced, also by none.
	body = strings.Replace(body, "<Rule>", `<Rule><ID>own</ID><Status>Enabled</Status><Filter><Prefix>reports/</Prefix></Filter><Expiration><Days>5</Days></Expiration></Rule><Rule>`, 1)
	if _, err := s.ApplyLifecycle(t.Context(), objectstore.Retention{objectstore.Outputs: 36 * time.Hour, objectstore.Inputs: 0}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(body, "<Rule>"); n != 3 || !strings.Contains(body, "<Prefix>reports/</Prefix>") || !strings.Contains(body, "<Days>2</Days>") || strings.Contains(body, "inputs/") {
		t.Errorf("%d rules:\n%s", n, body)
	}
	if _, err := s.ApplyLifecycle(t.Context(), objectstore.Retention{"nonsense": time.Hour}); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("ApplyLifecycle(unknown class) = %v", err)
	}
	refuse = "NotImplemented"
	if _, err := s.ApplyLifecycle(t.Context(), nil); !errors.Is(err, objectstore.ErrConfig) || !strings.Contains(err.Error(), "the server lacks this operation") {
		t.Errorf("ApplyLifecycle on a server without rules = %v", err)
	}
}

// TestClockSkew has a server whose clock is two hours ahead: the SDK learns that
// from the first answer and signs the second request by the server's time.
func TestClockSkew(t *testing.T) {
	ahead := time.Now().UTC().Add(2 * time.Hour)
	srv := answer(t, func(w http.ResponseWriter, r *http.Request) {
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Date", ahead.Format(http.TimeFormat))
		if ahead.Sub(signed) > 15*time.Minute {
			fail(w, 403, "RequestTimeTooSkewed")
		}
	})
	if _, err := srv.open(t, 3).Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Errorf("Put = %v", err)
	}
	if n := srv.requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}
