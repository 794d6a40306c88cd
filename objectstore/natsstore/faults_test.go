package natsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

const urlEnv = "NATSSTORE_TEST_URL"

func TestChild(t *testing.T) {
	storetest.Child(t, func(t *testing.T) objectstore.Store {
		nc, err := nats.Connect(os.Getenv(urlEnv))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(t.Context(), js, "blobs")
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestKilledWriter(t *testing.T) {
	srv := startServer(t, t.TempDir())
	s := newBucket(t, connect(t, srv), "blobs")
	storetest.Killed(t, s, "TestChild", urlEnv+"="+srv.ClientURL())
	wantChunks(t, s, 0, 2)
}

func TestLarge(t *testing.T) {
	srv := startServer(t, t.TempDir())
	newBucket(t, connect(t, srv), "blobs")
	storetest.Large(t, "TestChild", urlEnv+"="+srv.ClientURL())
}

// wantChunks checks how many chunk messages, or at least how many objects with
// chunks, the bucket holds; a negative number is not checked.
func wantChunks(t *testing.T, s *Store, chunks, objects int) {
	t.Helper()
	got, err := s.chunkSubjects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, k := range got {
		n += k
	}
	if chunks > 0 && n != chunks || objects >= 0 && len(got) != objects {
		t.Errorf("the bucket holds %d chunks of %d objects, want %d of %d", n, len(got), chunks, objects)
	}
}

func read(t *testing.T, s *Store, key string) []byte {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNothingIsLeftBehind(t *testing.T) {
	srv := startServer(t, t.TempDir())
	s := newBucket(t, connect(t, srv), "blobs")
	t.Run("by 8 writers of a key", func(t *testing.T) {
		var g sync.WaitGroup
		for i := range 8 {
			g.Go(func() {
				if _, err := s.Put(t.Context(), "same", storetest.Stream(600_000, uint64(i))); err != nil {
					t.Error(err)
				}
			})
		}
		g.Wait()
		wantChunks(t, s, 3, 1)
	})
	t.Run("by replacing", func(t *testing.T) {
		for i := range 3 {
			if _, err := s.Put(t.Context(), "same", storetest.Stream(300_000, uint64(i))); err != nil {
				t.Fatal(err)
			}
		}
		wantChunks(t, s, 2, 1)
	})
	t.Run("by a reader that fails", func(t *testing.T) {
		boom := errors.New("boom")
		if _, err := s.Put(t.Context(), "fail", io.MultiReader(storetest.Stream(3<<20, 1), iotest.ErrReader(boom))); !errors.Is(err, boom) {
			t.Errorf("Put = %v", err)
		}
		wantChunks(t, s, 2, 1)
	})
	t.Run("by a context that ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		if _, err := s.Put(ctx, "cancel", readerFunc(func(b []byte) (int, error) {
			if n += len(b); n > 2<<20 {
				cancel()
			}
			return len(b), nil
		})); !errors.Is(err, context.Canceled) {
			t.Errorf("Put = %v", err)
		}
		wantChunks(t, s, 2, 1)
	})
	t.Run("by Create that comes second", func(t *testing.T) {
		if _, err := s.Create(t.Context(), "same", storetest.Stream(900_000, 1)); !errors.Is(err, objectstore.ErrExists) {
			t.Errorf("Create = %v", err)
		}
		wantChunks(t, s, 2, 1)
	})
	t.Run("by deleting", func(t *testing.T) {
		if err := s.Delete(t.Context(), "same"); err != nil {
			t.Fatal(err)
		}
		st, err := s.js.Stream(t.Context(), s.stream())
		if err != nil {
			t.Fatal(err)
		}
		if n := st.CachedInfo().State.Msgs; n != 0 {
			t.Errorf("%d messages are left after everything was deleted", n)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestStockClient exchanges objects with the client library, and so with the
// `nats object` commands.
func TestStockClient(t *testing.T) {
	srv := startServer(t, t.TempDir())
	js := connect(t, srv)
	s := newBucket(t, js, "blobs")
	stock, err := js.ObjectStore(t.Context(), "blobs")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, chunkSize, 5<<20 + 3} {
		body := storetest.Bytes(n, uint64(n))
		key := fmt.Sprintf("outputs/t/%d", n)
		info, err := s.Put(t.Context(), key, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := stock.GetBytes(t.Context(), key); err != nil || !bytes.Equal(got, body) {
			t.Errorf("the stock client got %d of %d bytes, %v", len(got), n, err)
		}
		other := key + ".stock"
		if _, err := stock.PutBytes(t.Context(), other, body); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, other); !bytes.Equal(got, body) {
			t.Errorf("got %d other bytes from the stock client's %d", len(got), n)
		}
		if st, err := s.Stat(t.Context(), other); err != nil || st.SHA256 != info.SHA256 || st.Size != int64(n) {
			t.Errorf("Stat of the stock client's = %+v, %v", st, err)
		}
		if n > 300_000 {
			r, err := s.GetRange(t.Context(), other, 200_000, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body[200_000:200_000+1<<20]) {
				t.Errorf("range of the stock client's = %d bytes, %v", len(got), err)
			}
			_ = r.Close()
		}
	}
	list, err := stock.List(t.Context())
	if err != nil || len(list) != 8 {
		t.Errorf("the stock client lists %d, %v; want 8", len(list), err)
	}
	if err := stock.Delete(t.Context(), "outputs/t/1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "outputs/t/1"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get of what the stock client deleted = %v", err)
	}
	if _, err := stock.AddLink(t.Context(), "link", &jetstream.ObjectInfo{ObjectMeta: jetstream.ObjectMeta{Name: "outputs/t/0"}, Bucket: "blobs"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "link"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get of a link = %v", err)
	}
}

func TestSlowReaderHasNoDeadline(t *testing.T) {
	t.Parallel()
	srv := startServer(t, t.TempDir())
	s := newBucket(t, connect(t, srv), "blobs")
	body := storetest.Bytes(9<<20, 1)
	if _, err := s.Put(t.Context(), "slow", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), "slow")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var got bytes.Buffer
	for range 3 { // longer than the client's default timeout of 5 s
		if _, err := io.CopyN(&got, r, 2<<20); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1800 * time.Millisecond)
	}
	if _, err := io.Copy(&got, r); err != nil || !bytes.Equal(got.Bytes(), body) {
		t.Errorf("read %d of %d, %v", got.Len(), len(body), err)
	}
}

func TestNewRefusesBuckets(t *testing.T) {
	srv := startServer(t, t.TempDir())
	js := connect(t, srv)
	if _, err := New(t.Context(), js, "missing"); !errors.Is(err, objectstore.ErrConfig) || objectstore.Retryable(err) {
		t.Errorf("New(missing) = %v, want ErrConfig", err)
	}
	if _, err := js.CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{Bucket: "ttl", TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), js, "ttl"); !errors.Is(err, objectstore.ErrConfig) || !strings.Contains(err.Error(), "1h") {
		t.Errorf("New(bucket with TTL) = %v, want ErrConfig", err)
	}
}

func TestFullBucket(t *testing.T) {
	srv := startServer(t, t.TempDir())
	js := connect(t, srv)
	if _, err := js.CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{Bucket: "small", MaxBytes: 3 << 20}); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), js, "small")
	if err != nil {
		t.Fatal(err)
	}
	body := storetest.Bytes(1<<20, 1)
	if _, err := s.Put(t.Context(), "a", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "a", storetest.Stream(8<<20, 2)); !errors.Is(err, objectstore.ErrFull) || objectstore.Retryable(err) {
		t.Errorf("Put into a full bucket = %v, want ErrFull", err)
	}
	if !bytes.Equal(read(t, s, "a"), body) {
		t.Error("the old content is gone")
	}
	wantChunks(t, s, 4, 1)
	sp, err := s.Space(t.Context())
	if err != nil || sp.Total != 3<<20 || sp.Free < 1<<20 || sp.Free > 2<<20 {
		t.Errorf("Space = %+v, %v", sp, err)
	}
	if _, err := s.Put(t.Context(), "b", bytes.NewReader(body)); err != nil {
		t.Errorf("Put of what fits = %v", err)
	}
	// Without a limit of its own a bucket is never short, whatever it is guarded with.
	unlimited := newBucket(t, js, "unlimited")
	if sp, err := unlimited.Space(t.Context()); err != nil || sp != (objectstore.Space{Free: math.MaxInt64, Total: math.MaxInt64}) {
		t.Errorf("Space without a limit = %+v, %v", sp, err)
	}
	if err := objectstore.NewGuard(unlimited.Space, 1<<40, 0, time.Minute).Check(t.Context(), 1<<40); err != nil {
		t.Errorf("Check without a limit = %v", err)
	}
	if err := js.DeleteObjectStore(t.Context(), "unlimited"); err != nil {
		t.Fatal(err)
	}
	_, err = unlimited.Space(t.Context())
	if !errors.Is(err, objectstore.ErrConfig) || objectstore.Retryable(err) {
		t.Errorf("Space of a missing bucket = %v, want ErrConfig", err)
	}
	if err := objectstore.NewGuard(unlimited.Space, 0, 0, time.Minute).Check(t.Context(), 0); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Errorf("Check of a missing bucket = %v, want ErrUnavailable", err)
	}
}

// TestClassify says for what the client and the server report whether it is
// worth trying again.
func TestClassify(t *testing.T) {
	api := func(status int, code jetstream.ErrorCode) error {
		return &jetstream.APIError{Code: status, ErrorCode: code, Description: "said so"}
	}
	for _, c := range []struct {
		name string
		err  error
		want error // nil: neither of the kinds
	}{
		{"wrong credentials", nats.ErrAuthorization, objectstore.ErrConfig},
		{"expired credentials", nats.ErrAuthExpired, objectstore.ErrConfig},
		{"expired account", nats.ErrAccountAuthExpired, objectstore.ErrConfig},
		{"revoked credentials", nats.ErrAuthRevoked, objectstore.ErrConfig},
		{"missing right", nats.ErrPermissionViolation, objectstore.ErrConfig},
		{"closed connection", nats.ErrConnectionClosed, objectstore.ErrConfig},
		{"small messages only", nats.ErrMaxPayload, objectstore.ErrConfig},
		{"missing bucket", api(404, codeStreamNotFound), objectstore.ErrConfig},
		{"no JetStream", api(503, codeNotEnabled), objectstore.ErrConfig},
		{"no JetStream in the account", api(503, codeNotEnabledForAccount), objectstore.ErrConfig},
		{"no leader", api(503, 10008), objectstore.ErrUnavailable},
		{"too many requests", api(429, 10169), objectstore.ErrUnavailable},
		{"request timeout", api(408, 0), objectstore.ErrUnavailable},
		{"no answer", nats.ErrTimeout, objectstore.ErrUnavailable},
		{"nobody listens", nats.ErrNoResponders, objectstore.ErrUnavailable},
		{"connection broke", nats.ErrDisconnected, objectstore.ErrUnavailable},
		{"reset", syscall.ECONNRESET, objectstore.ErrUnavailable},
		{"deadline of one call", context.DeadlineExceeded, objectstore.ErrUnavailable},
		{"full bucket", api(503, codeStorageExceeded), objectstore.ErrFull},
		{"full account", api(503, codeInsufficientResources), objectstore.ErrFull},
		{"full disk", api(503, codeStreamStoreFailed), objectstore.ErrFull},
		{"missing message", api(404, codeMessageNotFound), objectstore.ErrNotFound},
		{"malformed request", api(400, 10003), nil},
		{"caller went away", context.Canceled, nil},
	} {
		err := classify(c.err)
		if !errors.Is(err, c.err) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: classify(%v) = %v, want %v", c.name, c.err, err, c.want)
		}
		if objectstore.Retryable(err) != (c.want == objectstore.ErrUnavailable) {
			t.Errorf("%s: Retryable = %v", c.name, objectstore.Retryable(err))
		}
	}
}

// TestEraseOverwrites looks for an object's bytes in the server's files.
func TestEraseOverwrites(t *testing.T) {
	dir := t.TempDir()
	srv := startServer(t, dir)
	s := newBucket(t, connect(t, srv), "blobs")
	word := func(i byte) []byte { return bytes.Repeat([]byte{'#', i, '%'}, 20) }
	put := func(key string, i byte, size int) {
		t.Helper()
		body := append(bytes.Repeat([]byte("."), size), word(i)...)
		if _, err := s.Put(t.Context(), key, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	put("a", 'a', 10)
	put("kept", 'k', 10)
	put("b", 'b', 3*chunkSize)
	put("c", 'c', 10)
	onDisk := func(i byte) bool {
		found := false
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			found = found || bytes.Contains(data, word(i))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, i := range []byte("akbc") {
		if !onDisk(i) {
			t.Fatalf("%c is not where the test looks", i)
		}
	}
	film := make([]byte, 0, (3*blockChunks-8)*chunkSize)
	for len(film) < cap(film) {
		film = append(film, bytes.Repeat(word('f'), chunkSize/len(word('f')))...)
		film = append(film, make([]byte, chunkSize-len(film)%chunkSize)...)
	}
	if _, err := s.Put(t.Context(), "film", bytes.NewReader(film)); err != nil {
		t.Fatal(err)
	}
	put("d", 'd', 10)
	if m, err := s.meta(t.Context(), "film"); err != nil || len(shared(m.places)) != 2*blockChunks || len(m.places) <= 2*blockChunks {
		t.Fatalf("%d of %d chunks share a block, %v", len(shared(m.places)), len(m.places), err)
	}
	if !onDisk('f') {
		t.Fatal("the film is not where the test looks")
	}
	for _, key := range []string{"a", "b", "film", "none"} {
		if err := s.Erase(t.Context(), key); err != nil {
			t.Errorf("Erase(%s) = %v", key, err)
		}
		if _, err := s.Get(t.Context(), key); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("Get(%s) = %v", key, err)
		}
	}
	if err := s.deleteMsg(t.Context(), 1, true); err != nil {
		t.Errorf("erasing what is gone = %v", err)
	}
	put("many", 'm', 5*chunkSize)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() { errs <- s.Erase(t.Context(), "many") }()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("several Erase at once: %v", err)
		}
	}
	put("half", 'h', 2*chunkSize) // whose eraser is killed after its first step
	half, err := s.meta(t.Context(), "half")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.swapMeta(t.Context(), deleted(half), false); err != nil {
		t.Fatal(err)
	}
	if err := s.Erase(t.Context(), "half"); err != nil {
		t.Error(err)
	}
	if onDisk('a') || onDisk('b') || onDisk('f') || onDisk('m') || onDisk('h') {
		t.Error("what was erased is still on the disk")
	}
	if err := s.Delete(t.Context(), "c"); err != nil {
		t.Error(err)
	}
	if !onDisk('c') || !bytes.HasSuffix(read(t, s, "kept"), word('k')) || !bytes.HasSuffix(read(t, s, "d"), word('d')) {
		t.Error("more is gone than was erased")
	}
	wantChunks(t, s, 2, 2)
}

func TestShared(t *testing.T) {
	run := func(from uint64, n int) (out []uint64) {
		for i := range n {
			out = append(out, from+uint64(i))
		}
		return out
	}
	for _, c := range []struct {
		places []uint64
		want   int
	}{
		{nil, 0},
		{run(5, 1), 1},
		{run(1, 2*blockChunks), 2 * blockChunks},
		{run(1, 1000), 2 * blockChunks},
		{append(run(1, 500), run(600, 500)...), 4 * blockChunks},
		{[]uint64{1, 3, 5, 7}, 4},
	} {
		if got := len(shared(c.places)); got != c.want {
			t.Errorf("%d of %d places are shared, want %d", got, len(c.places), c.want)
		}
	}
}

// TestDamagedDisk flips bytes of a chunk in the server's files.
func TestDamagedDisk(t *testing.T) {
	dir := t.TempDir()
	srv := startServer(t, dir)
	s := newBucket(t, connect(t, srv), "blobs")
	body := bytes.Repeat([]byte("needle in a haystack "), 60_000)
	if _, err := s.Put(t.Context(), "a", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	srv.Shutdown()
	srv.WaitForShutdown()
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "OBJ_blobs", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("blocks: %v, %v", blocks, err)
	}
	b, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b[600_000:], []byte("needle"))
	if at < 0 {
		t.Fatal("no content in the block")
	}
	copy(b[600_000+at:], "noodle")
	if err := os.WriteFile(blocks[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	s2, err := New(t.Context(), connect(t, startServer(t, dir)), "blobs")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s2.Get(t.Context(), "a")
	var got []byte
	if err == nil {
		got, err = io.ReadAll(r)
		_ = r.Close()
	}
	// A server that drops the damaged part of its log loses the object instead.
	if !errors.Is(err, objectstore.ErrCorrupt) && !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get = %d bytes, %v; want ErrCorrupt", len(got), err)
	}
	if bytes.Contains(got, []byte("noodle")) {
		t.Error("damaged bytes were handed on")
	}
	t.Logf("Get = %d bytes, %v", len(got), err)
}

// TestConnectionBreaks cuts the connection several times in the middle of a Put:
// chunks and acknowledgements get lost, and the object must come out whole, in
// order and without a chunk too many. The same is done to a Get.
func TestConnectionBreaks(t *testing.T) {
	t.Parallel()
	srv := startServer(t, t.TempDir())
	p := startProxy(t, srv.ClientURL())
	direct := newBucket(t, connect(t, srv), "blobs")
	nc, err := nats.Connect("nats://"+p.Addr().String(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), js, "blobs")
	if err != nil {
		t.Fatal(err)
	}
	body := storetest.Bytes(12<<20, 1)
	p.up.cutAt.Store(1 << 20)
	if _, err := s.Put(t.Context(), "a", bytes.NewReader(body)); err != nil {
		t.Fatalf("Put through %d cuts = %v", p.up.cuts.Load(), err)
	}
	if p.up.cuts.Load() < 3 {
		t.Errorf("only %d cuts", p.up.cuts.Load())
	}
	p.down.cutAt.Store(p.down.bytes.Load() + 1<<20)
	if !bytes.Equal(read(t, s, "a"), body) {
		t.Errorf("Get through %d cuts: the content differs", p.down.cuts.Load())
	}
	if p.down.cuts.Load() < 1 {
		t.Error("Get was not cut")
	}
	if !bytes.Equal(read(t, direct, "a"), body) {
		t.Error("the content differs")
	}
	wantChunks(t, direct, 48, 1)
	stock, err := connect(t, srv).ObjectStore(t.Context(), "blobs")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stock.GetBytes(t.Context(), "a"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("the stock client got %d bytes, %v", len(got), err)
	}
}

// TestServerRestartsDuringPut stops the server in the middle of a Put and starts
// it again on the same directory and port.
func TestServerRestartsDuringPut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := startServer(t, dir)
	_, port, err := net.SplitHostPort(srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := newBucket(t, connect(t, srv), "blobs")
	body := storetest.Bytes(8<<20, 2)
	src, n, restarted := bytes.NewReader(body), 0, false
	var srv2 *server.Server
	_, err = s.Put(t.Context(), "a", readerFunc(func(b []byte) (int, error) {
		if n > 4<<20 && !restarted {
			restarted = true
			srv.Shutdown()
			srv.WaitForShutdown()
			fixed, err := strconv.Atoi(port)
			if err != nil {
				return 0, err
			}
			srv2 = startServerAt(t, dir, fixed)
		}
		k, err := src.Read(b)
		n += k
		return k, err
	}))
	if err != nil {
		t.Fatalf("Put across a restart = %v", err)
	}
	check := newBucket(t, connect(t, srv2), "blobs")
	if !bytes.Equal(read(t, check, "a"), body) {
		t.Error("the content differs")
	}
	wantChunks(t, check, 32, 1)
}

// TestBucketIsMadeAnewDuringPut is the case in which the stock client reports
// success and stores a damaged object.
func TestBucketIsMadeAnewDuringPut(t *testing.T) {
	t.Parallel()
	srv := startServer(t, t.TempDir())
	js := connect(t, srv)
	s := newBucket(t, js, "blobs")
	src, n, done := storetest.Stream(8<<20, 3), 0, false
	_, err := s.Put(t.Context(), "a", readerFunc(func(b []byte) (int, error) {
		if n > 5<<20 && !done {
			done = true
			if err := js.DeleteObjectStore(t.Context(), "blobs"); err != nil {
				return 0, err
			}
			if _, err := js.CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{Bucket: "blobs"}); err != nil {
				return 0, err
			}
		}
		k, err := src.Read(b)
		n += k
		return k, err
	}))
	if !objectstore.Retryable(err) {
		t.Errorf("Put = %v, want a failure that may be retried", err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	if _, err := s.Put(t.Context(), "a", storetest.Stream(1<<20, 4)); err != nil {
		t.Errorf("the next Put = %v", err)
	}
}

func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	srv, err := server.NewServer(&server.Options{
		ServerName: "auth", JetStream: true, StoreDir: t.TempDir(), Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
		Users: []*server.User{
			{Username: "admin", Password: "p"},
			{Username: "reader", Password: "p", Permissions: &server.Permissions{Publish: &server.SubjectPermission{
				Allow: []string{"$JS.API.STREAM.INFO.OBJ_blobs", "$JS.API.DIRECT.GET.OBJ_blobs.>", "$JS.API.DIRECT.GET.OBJ_blobs"},
			}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(5 * time.Second) {
		t.Fatal("not ready")
	}
	_, err = nats.Connect(srv.ClientURL(), nats.UserInfo("admin", "wrong"))
	if err = classify(err); !errors.Is(err, objectstore.ErrConfig) || objectstore.Retryable(err) {
		t.Errorf("wrong password = %v, want ErrConfig", err)
	}
	open := func(user string) *Store {
		nc, err := nats.Connect(srv.ClientURL(), nats.UserInfo(user, "p"), nats.PermissionErrOnSubscribe(true))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if user == "admin" {
			return newBucket(t, js, "blobs")
		}
		s, err := New(t.Context(), js, "blobs")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	admin := open("admin")
	if _, err := admin.Put(t.Context(), "a", strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	// These rights are enough to read, and no more.
	reader := open("reader")
	if got := read(t, reader, "a"); string(got) != "abc" {
		t.Errorf("read %q", got)
	}
	_, err = reader.Put(t.Context(), "b", strings.NewReader("abc"))
	if !errors.Is(err, objectstore.ErrConfig) || objectstore.Retryable(err) || !strings.Contains(err.Error(), "ermissions") {
		t.Errorf("Put without the right = %v, want ErrConfig", err)
	}
	if err := admin.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		places []uint64
		want   string
	}{
		{nil, ""},
		{[]uint64{7}, "7"},
		{[]uint64{1, 2, 3, 4}, "1*4"},
		{[]uint64{812, 813, 814, 815, 817}, "812,1*3,2"},
		{[]uint64{1, 1<<63 + 5}, "1,9223372036854775812"},
	} {
		got := encodePlaces(c.places)
		if got != c.want {
			t.Errorf("encodePlaces(%v) = %q, want %q", c.places, got, c.want)
		}
		if c.places == nil {
			continue
		}
		back, err := decodePlaces(got, len(c.places))
		if err != nil || fmt.Sprint(back) != fmt.Sprint(c.places) {
			t.Errorf("decodePlaces(%q) = %v, %v", got, back, err)
		}
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add("812,1*3,2", 5)
	f.Add("1*1000000000", 3)
	f.Add("18446744073709551615,1", 2)
	f.Add("0", 1)
	f.Add(",", -1)
	f.Fuzz(func(t *testing.T, list string, n int) {
		places, err := decodePlaces(list, n)
		if err != nil {
			return
		}
		if len(places) != n {
			t.Fatalf("%d places, want %d", len(places), n)
		}
		for i := 1; i < n; i++ {
			if places[i] <= places[i-1] {
				t.Fatalf("places do not rise: %v", places)
			}
		}
	})
}
