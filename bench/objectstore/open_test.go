package objectstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/objectstore/s3store"
)

// openOurs opens our store at a directory, a NATS server or an S3 endpoint.
func openOurs(ctx context.Context, name, address string) (objectstore.Full, func(), error) {
	switch name {
	case "dir":
		s, err := dirstore.Open(address)
		if err != nil {
			return nil, nil, err
		}
		return s, func() { _ = s.Close() }, nil
	case "nats":
		js, _, done, err := openBucket(ctx, address, "ours")
		if err != nil {
			return nil, nil, err
		}
		s, err := natsstore.New(ctx, js, "ours")
		return s, done, err
	case "s3":
		bucket := s3Bucket
		if _, err := s3Client(address).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil && !strings.Contains(err.Error(), "BucketAlready") {
			return nil, nil, err
		}
		s, err := s3store.New(ctx, s3Config(), s3store.Config{Bucket: bucket, Endpoint: address})
		return s, func() {}, err
	}
	return nil, nil, fmt.Errorf("no store %q", name)
}

func startServer(dir string) (*server.Server, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName: "bench", JetStream: true, StoreDir: dir, Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
		SyncInterval: time.Second,
	})
	if err != nil {
		return nil, err
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		srv.Shutdown()
		return nil, errors.New("server is not ready")
	}
	return srv, nil
}

// openBucket makes a bucket if it is missing, on a connection of its own.
func openBucket(ctx context.Context, url, bucket string) (jetstream.JetStream, jetstream.ObjectStore, func(), error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, nil, nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, nil, err
	}
	o, err := js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: bucket})
	if err != nil {
		nc.Close()
		return nil, nil, nil, err
	}
	return js, o, nc.Close, nil
}

const s3Bucket = "bench"

func s3Endpoint(b *testing.B) string {
	endpoint := os.Getenv("S3_TEST_ENDPOINT")
	if endpoint == "" {
		b.Skip("S3_TEST_ENDPOINT is empty: run objectstore/s3store/test.sh -bench")
	}
	return endpoint
}

func s3Config() aws.Config {
	return aws.Config{
		Region:      os.Getenv("S3_TEST_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("S3_TEST_ACCESS_KEY"), os.Getenv("S3_TEST_SECRET_KEY"), ""),
	}
}

func s3Client(endpoint string) *s3.Client {
	return s3.NewFromConfig(s3Config(), func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &endpoint, true })
}
