package s3store

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

// The tests in this file need a real S3 server; test.sh starts one.

type server struct {
	endpoint, key, secret, region string
	client                        *http.Client
}

func realServer(t testing.TB) server {
	t.Helper()
	srv := server{
		endpoint: os.Getenv("S3_TEST_ENDPOINT"), key: os.Getenv("S3_TEST_ACCESS_KEY"),
		secret: os.Getenv("S3_TEST_SECRET_KEY"), region: os.Getenv("S3_TEST_REGION"),
	}
	if srv.endpoint == "" {
		t.Skip("S3_TEST_ENDPOINT is empty: run objectstore/s3store/test.sh for the tests against a real server")
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	if ca := os.Getenv("S3_TEST_CA"); ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			t.Fatalf("no certificate in %s", ca)
		}
		tr.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	tr.ResponseHeaderTimeout = 10 * time.Second // as production has, but shorter
	srv.client = &http.Client{Transport: tr}
	t.Cleanup(tr.CloseIdleConnections)
	return srv
}

func (s server) aws(key, secret string) aws.Config {
	return aws.Config{Region: s.region, Credentials: credentials.NewStaticCredentialsProvider(key, secret, "")}
}

func (s server) config(bucket string) Config {
	return Config{Bucket: bucket, Endpoint: s.endpoint, HTTPClient: s.client}
}

const testBucket = "storetest"

// openReal opens the bucket of the tests, and makes it at first.
func openReal(t testing.TB, srv server) *Store {
	t.Helper()
	cfg := srv.config(testBucket)
	s, err := New(t.Context(), srv.aws(srv.key, srv.secret), cfg)
	if errors.Is(err, objectstore.ErrConfig) {
		client := s3.NewFromConfig(srv.aws(srv.key, srv.secret), cfg.options)
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(testBucket)}); err != nil {
			t.Fatal(err)
		}
		s, err = New(t.Context(), srv.aws(srv.key, srv.secret), cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	srv := realServer(t)
	storetest.Run(t, func(t *testing.T) objectstore.Store { return openReal(t, srv) },
		storetest.NoNesting)
}

// TestChild finds the server where its parent found it.
func TestChild(t *testing.T) {
	storetest.Child(t, func(t *testing.T) objectstore.Store { return openReal(t, realServer(t)) })
}

func TestKilledWriter(t *testing.T) { storetest.Killed(t, openReal(t, realServer(t)), "TestChild") }

func TestLarge(t *testing.T) {
	openReal(t, realServer(t))
	storetest.Large(t, "TestChild")
}

func TestWrongCredentials(t *testing.T) {
	srv := realServer(t)
	openReal(t, srv)
	for name, cred := range map[string][2]string{
		"secret": {srv.key, "wrong"}, "key": {"nobody", srv.secret},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(t.Context(), srv.aws(cred[0], cred[1]), srv.config(testBucket))
			if !errors.Is(err, objectstore.ErrConfig) || objectstore.Retryable(err) || !strings.Contains(err.Error(), map[string]string{"secret": "secret key is wrong", "key": "does not know the access key"}[name]) {
				t.Errorf("New = %v", err)
			}
		})
	}
	// GET and PUT answer with a body that says more than HEAD does.
	bad := openReal(t, srv)
	bad.client = s3.NewFromConfig(srv.aws(srv.key, "wrong"), srv.config(testBucket).options)
	_, err := bad.Put(t.Context(), "temporary/x", strings.NewReader("x"))
	if !errors.Is(err, objectstore.ErrConfig) || !strings.Contains(err.Error(), "secret key is wrong") {
		t.Errorf("Put = %v", err)
	}
}

func TestMissingBucket(t *testing.T) {
	srv := realServer(t)
	_, err := New(t.Context(), srv.aws(srv.key, srv.secret), srv.config("no-such-bucket"))
	if !errors.Is(err, objectstore.ErrConfig) || errors.Is(err, objectstore.ErrNotFound) || !strings.Contains(err.Error(), "bucket does not exist") {
		t.Errorf("New = %v", err)
	}
	s := openReal(t, srv)
	s.bucket = "no-such-bucket"
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, objectstore.ErrConfig) || errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get = %v, want ErrConfig", err)
	}
	if _, err := s.Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("Put = %v, want ErrConfig", err)
	}
	if err := s.Delete(t.Context(), "a"); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("Delete = %v, want ErrConfig", err)
	}
}

// do sends one plain request, as a browser would.
func do(t *testing.T, srv server, method, url string, body []byte, header map[string]string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := srv.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

func TestPresignedGet(t *testing.T) {
	srv := realServer(t)
	s := openReal(t, srv)
	want := storetest.Bytes(300_000, 1)
	if _, err := s.Put(t.Context(), "outputs/t/video.mp4", bytes.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	url, err := s.SignedURL(t.Context(), "outputs/t/video.mp4", objectstore.Link{Life: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	long, err := s.SignedURL(t.Context(), "outputs/t/video.mp4", objectstore.Link{Life: time.Hour, ContentType: "video/mp4", ContentDisposition: `attachment; filename="a.mp4"`})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.client.Get(long)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || err != nil || !bytes.Equal(got, want) ||
		resp.Header.Get("Content-Type") != "video/mp4" || resp.Header.Get("Content-Disposition") != `attachment; filename="a.mp4"` {
		t.Errorf("GET = %s, %v, %d bytes, %v", resp.Status, err, len(got), resp.Header)
	}
	if code, got := do(t, srv, "GET", long, nil, map[string]string{"Range": "bytes=100-199"}); code != 206 || !bytes.Equal(got, want[100:200]) {
		t.Errorf("GET range = %d, %d bytes", code, len(got))
	}
	if code, _ := do(t, srv, "GET", strings.Replace(long, "video.mp4", "other.mp4", 1), nil, nil); code != 403 {
		t.Errorf("GET of another key = %d, want 403", code)
	}
	if code, _ := do(t, srv, "PUT", long, []byte("x"), nil); code != 403 {
		t.Errorf("PUT to a link for GET = %d, want 403", code)
	}
	if code, _ := do(t, srv, "GET", strings.Replace(long, "X-Amz-Expires=3600", "X-Amz-Expires=9600", 1), nil, nil); code != 403 {
		t.Errorf("GET with a longer expiry = %d, want 403", code)
	}
	if code, _ := do(t, srv, "GET", long[:strings.Index(long, "?")], nil, nil); code != 403 {
		t.Errorf("GET without a signature = %d, want 403", code)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		code, _ := do(t, srv, "GET", url, nil, nil)
		if code == 403 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the link for one second still answers %d", code)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func TestPresignedPut(t *testing.T) {
	srv := realServer(t)
	s := openReal(t, srv)
	key, want := "inputs/t/photo.png", storetest.Bytes(5000, 2)
	url, err := s.SignedPutURL(t.Context(), key, "image/png", int64(len(want)), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	png := map[string]string{"Content-Type": "image/png"}
	if code, _ := do(t, srv, "PUT", url, want[:100], png); code != 403 {
		t.Errorf("PUT of another length = %d, want 403", code)
	}
	if code, _ := do(t, srv, "PUT", url, want, map[string]string{"Content-Type": "text/html"}); code != 403 {
		t.Errorf("PUT of another type = %d, want 403", code)
	}
	if code, b := do(t, srv, "PUT", url, want, png); code != 200 {
		t.Fatalf("PUT = %d %s", code, b)
	}
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get = %d bytes, %v", len(got), err)
	}
	soon, err := s.SignedPutURL(t.Context(), key, "image/png", int64(len(want)), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		code, _ := do(t, srv, "PUT", soon, want, png)
		if code == 403 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the link for one second still answers %d", code)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func TestMultipart(t *testing.T) {
	srv := realServer(t)
	s := openReal(t, srv)
	const size = multipartFrom + minPart + 12345
	key := "outputs/t/large.mp4"
	info, err := s.Put(t.Context(), key, storetest.Stream(size, 3))
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.Stat(t.Context(), key)
	if err != nil || st.SHA256 != info.SHA256 || st.Size != size {
		t.Errorf("Stat = %+v, %v; Put said %+v", st, err, info)
	}
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); n != size || err != nil { // compares the digest
		t.Errorf("read %d of %d, %v", n, size, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Create(t.Context(), key, storetest.Stream(size, 4)); !errors.Is(err, objectstore.ErrExists) {
		t.Errorf("Create of a key that is taken = %v, want ErrExists", err)
	}
	if err := s.Delete(t.Context(), key); err != nil {
		t.Error(err)
	}
	ups, err := s.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &s.bucket})
	if err != nil || len(ups.Uploads) != 0 {
		t.Errorf("%d uploads are left, %v", len(ups.Uploads), err)
	}
}

func TestScavengeAbortsUploads(t *testing.T) {
	srv := realServer(t)
	s := openReal(t, srv)
	key := "outputs/t/abandoned.mp4"
	up, err := s.client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	part := storetest.Bytes(100_000, 5)
	if _, err := s.client.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: &s.bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(part),
	}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Scavenge(t.Context(), time.Hour); err != nil || n.Parts != 0 {
		t.Errorf("Scavenge of what is young = %+v, %v", n, err)
	}
	n, err := s.Scavenge(t.Context(), 0)
	if err != nil || n.Parts != 1 || n.Bytes != int64(len(part)) {
		t.Errorf("Scavenge = %+v, %v", n, err)
	}
}

func TestCorruptOnServer(t *testing.T) {
	srv := realServer(t)
	s := openReal(t, srv)
	key, body := "temporary/t/corrupt", storetest.Bytes(100_000, 6)
	// Another content under the digest of this one is what bit rot looks like.
	if err := s.putWhole(t.Context(), key, &spool{
		ReaderAt: bytes.NewReader(body), size: int64(len(body)), sha256: strings.Repeat("0", 64),
	}, nil); err == nil && strings.HasPrefix(srv.endpoint, "http://") {
		t.Error("the server took a body that is not what was signed")
	}
	for field, sum := range map[string]string{sumField: strings.Repeat("0", 64), crcField: "00000000"} {
		if _, err := s.client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body), Metadata: map[string]string{field: sum},
		}); err != nil {
			t.Fatal(err)
		}
		r, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, objectstore.ErrCorrupt) {
			t.Errorf("ReadAll with another %s = %v, want ErrCorrupt", field, err)
		}
		_ = r.Close()
	}
}
