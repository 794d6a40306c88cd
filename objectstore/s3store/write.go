package s3store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"github.com/videomsg/videomsg/objectstore"
)

const (
	// sumField and crcField are the object's metadata entries with its SHA-256, by
	// which it is known, and its CRC-32C, by which reads are checked; both in hex.
	sumField = "sha256"
	crcField = "crc32c"
	// Objects above multipartFrom go up in parts. S3 allows 10,000 parts.
	multipartFrom = 64 << 20
	minPart       = 16 << 20
	maxParts      = 10_000
	partsAtOnce   = 3
	abortTimeout  = 30 * time.Second
)

// Put implements objectstore.Store.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	return s.store(ctx, "put", key, r, nil)
}

// Create implements objectstore.Creator by a conditional write.
func (s *Store) Create(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	return s.store(ctx, "create", key, r, aws.String("*"))
}

func (s *Store) store(ctx context.Context, op, key string, r io.Reader, ifNoneMatch *string) (objectstore.Info, error) {
	if err := check(ctx, op, key); err != nil {
		return objectstore.Info{}, err
	}
	body, err := newSpool(ctx, s.tempDir, r)
	if err != nil {
		return objectstore.Info{}, fmt.Errorf("%s %s: %w", op, key, err)
	}
	if body.size <= multipartFrom {
		err = s.putWhole(ctx, key, body, ifNoneMatch)
	} else {
		err = s.putParts(ctx, key, body, ifNoneMatch)
	}
	if err = errors.Join(s.classify(err), body.Close()); err != nil {
		return objectstore.Info{}, fmt.Errorf("%s %s: %w", op, key, err)
	}
	return objectstore.Info{Key: key, Size: body.size, SHA256: body.sha256, ModTime: time.Now()}, nil
}

func (s *Store) putWhole(ctx context.Context, key string, body *spool, ifNoneMatch *string) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, IfNoneMatch: ifNoneMatch,
		Body:          io.NewSectionReader(body, 0, body.size),
		ContentLength: &body.size,
		Metadata:      body.metadata(),
	}, signedHash(body.sha256))
	return err
}

func (s *spool) metadata() map[string]string {
	return map[string]string{sumField: s.sha256, crcField: s.crc32c}
}

// signedHash signs the request with a hash of its body that is known already, so
// that the server refuses a body that was damaged on the way without our hashing
// it again. Over https the SDK leaves the body to TLS instead.
func signedHash(sum string) func(*s3.Options) {
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("KnownPayloadHash",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				return next.HandleInitialize(v4.SetPayloadHash(ctx, sum), in)
			}), middleware.Before)
	})
}

func (s *Store) putParts(ctx context.Context, key string, body *spool, ifNoneMatch *string) (err error) {
	up, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, Metadata: body.metadata(),
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// Its context may be over. What stays is Scavenge's, and the bucket's
			// lifecycle rule's.
			actx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
			defer cancel()
			_ = s.abort(actx, key, up.UploadId)
		}
	}()
	size := max(minPart, (body.size+maxParts-1)/maxParts)
	parts := make([]types.CompletedPart, (body.size+size-1)/size)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(partsAtOnce)
	for i := range parts {
		g.Go(func() error {
			off := int64(i) * size
			part := io.NewSectionReader(body, off, min(size, body.size-off))
			h := sha256.New()
			if _, err := io.Copy(h, part); err != nil {
				return fmt.Errorf("spool: %w", err)
			}
			if _, err := part.Seek(0, io.SeekStart); err != nil {
				return err
			}
			number := int32(i + 1)
			out, err := s.client.UploadPart(gctx, &s3.UploadPartInput{
				Bucket: &s.bucket, Key: &key, UploadId: up.UploadId, PartNumber: &number,
				Body: part, ContentLength: aws.Int64(part.Size()),
			}, signedHash(hex.EncodeToString(h.Sum(nil))))
			if err != nil {
				return err
			}
			parts[i] = types.CompletedPart{ETag: out.ETag, PartNumber: &number, ChecksumCRC32: out.ChecksumCRC32}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, UploadId: up.UploadId, IfNoneMatch: ifNoneMatch,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

func (s *Store) abort(ctx context.Context, key string, upload *string) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: upload})
	return s.classify(err)
}
