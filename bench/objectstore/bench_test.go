package objectstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/objectstore"
)

// bare is the same work through a backend's own client.
type bare struct {
	put func(ctx context.Context, key string, r *bytes.Reader) error
	get func(ctx context.Context, key string, w io.Writer) error
}

// backend opens a store and its bare client in one place.
type backend struct {
	name string
	open func(b *testing.B) (objectstore.Full, bare)
}

var backends = []backend{{"dir", openDir}, {"nats", openNATS}, {"s3", openS3}}

func openDir(b *testing.B) (objectstore.Full, bare) {
	dir := b.TempDir()
	s := open(b, "dir", filepath.Join(dir, "ours"))
	peer := filepath.Join(dir, "peer")
	if err := os.Mkdir(peer, 0o700); err != nil {
		b.Fatal(err)
	}
	return s, bare{
		// The least that is atomic and durable.
		put: func(_ context.Context, key string, r *bytes.Reader) error {
			f, err := os.CreateTemp(peer, "tmp-*")
			if err != nil {
				return err
			}
			_, err = io.Copy(f, struct{ io.Reader }{r})
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return err
			}
			if err := os.Rename(f.Name(), filepath.Join(peer, filepath.Base(key))); err != nil {
				return err
			}
			d, err := os.Open(peer)
			if err != nil {
				return err
			}
			return errors.Join(d.Sync(), d.Close())
		},
		get: func(_ context.Context, key string, w io.Writer) error {
			f, err := os.Open(filepath.Join(peer, filepath.Base(key)))
			if err != nil {
				return err
			}
			_, err = io.Copy(w, f)
			return errors.Join(err, f.Close())
		},
	}
}

func openNATS(b *testing.B) (objectstore.Full, bare) {
	srv, err := startServer(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	s := open(b, "nats", srv.ClientURL())
	_, peer, done, err := openBucket(b.Context(), srv.ClientURL(), "peer")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(done)
	return s, bare{
		put: func(ctx context.Context, key string, r *bytes.Reader) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			_, err := peer.Put(ctx, jetstream.ObjectMeta{Name: key}, r)
			return err
		},
		get: func(ctx context.Context, key string, w io.Writer) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			o, err := peer.Get(ctx, key)
			if err != nil {
				return err
			}
			_, err = io.Copy(w, o)
			return errors.Join(err, o.Close())
		},
	}
}

func openS3(b *testing.B) (objectstore.Full, bare) {
	endpoint := s3Endpoint(b)
	client, bucket := s3Client(endpoint), s3Bucket
	s := open(b, "s3", endpoint)
	return s, bare{
		put: func(ctx context.Context, key string, r *bytes.Reader) error {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(key + "-peer"), Body: r})
			return err
		},
		get: func(ctx context.Context, key string, w io.Writer) error {
			o, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(key + "-peer")})
			if err != nil {
				return err
			}
			_, err = io.Copy(w, o.Body)
			return errors.Join(err, o.Body.Close())
		},
	}
}

// open opens one of our stores for a benchmark.
func open(b *testing.B, name, address string) objectstore.Full {
	s, done, err := openOurs(b.Context(), name, address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(done)
	return s
}

// BenchmarkTransfer prints the throughput in MiB/s of both sides and their ratio,
// medians of interleaved rounds.
func BenchmarkTransfer(b *testing.B) {
	for _, be := range backends {
		b.Run(be.name, func(b *testing.B) {
			s, peer := be.open(b)
			for _, size := range []struct {
				name   string
				n      int
				rounds int
			}{{"1MiB", 1 << 20, 60}, {"50MiB", 50 << 20, 15}} {
				body := make([]byte, size.n)
				_, _ = rand.Read(body)
				ctx := b.Context()
				put := func() error { _, err := s.Put(ctx, "temporary/x", bytes.NewReader(body)); return err }
				get := func() error {
					r, err := s.Get(ctx, "temporary/x")
					if err != nil {
						return err
					}
					_, err = io.Copy(io.Discard, r)
					return errors.Join(err, r.Close())
				}
				report(b, be.name+"-put-"+size.name, size.n, size.rounds, put,
					func() error { return peer.put(ctx, "temporary/x", bytes.NewReader(body)) })
				report(b, be.name+"-get-"+size.name, size.n, size.rounds, get,
					func() error { return peer.get(ctx, "temporary/x", io.Discard) })
			}
		})
	}
}

func report(b *testing.B, name string, n, rounds int, ours, peer func() error) {
	b.Helper()
	time1 := func(f func() error) time.Duration {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		return time.Since(start)
	}
	var o, p []time.Duration
	var ratios []float64
	for i := range rounds + 2 {
		// In turns, and by turns first, so that neither always runs warm.
		var to, tp time.Duration
		if i%2 == 0 {
			to = time1(ours)
			tp = time1(peer)
		} else {
			tp = time1(peer)
			to = time1(ours)
		}
		if i < 2 {
			continue // warming up
		}
		o, p = append(o, to), append(p, tp)
		ratios = append(ratios, tp.Seconds()/to.Seconds())
	}
	mib := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(n) / (1 << 20) / d[len(d)/2].Seconds()
	}
	slices.Sort(ratios)
	fmt.Printf("bench: %s ours=%.0fMiB/s peer=%.0fMiB/s ratio=%.2f\n", name, mib(o), mib(p), ratios[len(ratios)/2])
}

// BenchmarkConcurrentPuts stores 200 objects of 1 MiB at once. None may fail.
func BenchmarkConcurrentPuts(b *testing.B) {
	const n, size = 200, 1 << 20
	for _, be := range backends {
		b.Run(be.name, func(b *testing.B) {
			s, peer := be.open(b)
			body := make([]byte, size)
			_, _ = rand.Read(body)
			all := func(put func(i int) error) (time.Duration, int) {
				var g sync.WaitGroup
				var mu sync.Mutex
				failed := 0
				start := time.Now()
				for i := range n {
					g.Go(func() {
						if err := put(i); err != nil {
							mu.Lock()
							if failed++; failed == 1 {
								b.Logf("first failure: %v", err)
							}
							mu.Unlock()
						}
					})
				}
				g.Wait()
				return time.Since(start), failed
			}
			ours, failed := all(func(i int) error {
				_, err := s.Put(b.Context(), fmt.Sprintf("temporary/c%d", i), bytes.NewReader(body))
				return err
			})
			if failed > 0 {
				b.Errorf("%d of %d puts failed", failed, n)
			}
			bareTime, bareFailed := all(func(i int) error {
				return peer.put(b.Context(), fmt.Sprintf("temporary/c%d", i), bytes.NewReader(body))
			})
			fmt.Printf("bench: %s-200-puts-1MiB ours=%.0fMiB/s peer=%.0fMiB/s ratio=%.2f failed=%d peer_failed=%d\n", be.name,
				n/ours.Seconds(), n/bareTime.Seconds(), bareTime.Seconds()/ours.Seconds(), failed, bareFailed)
		})
	}
}
