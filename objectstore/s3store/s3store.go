// Package s3store keeps objects in a bucket of Amazon S3 or of any server that
// speaks its protocol.
//
// A write is spooled first: the protocol wants length and hash before the body,
// a body that can be sent again after a broken connection, and the sums that go
// into the object's metadata: the SHA-256 by which it is known, and the CRC-32C
// with which every read is compared. Small bodies are spooled in memory, others
// in a file without a name, which vanishes with the process. Above 64 MiB an
// object goes up in parts, and appears when all are there.
package s3store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/videomsg/videomsg/objectstore"
)

// Config says where the objects are. Only Bucket is required.
type Config struct {
	Bucket string
	// Endpoint is the URL of a server other than Amazon's. It also selects path
	// style and the checksums that every server understands.
	Endpoint string
	// PublicEndpoint is the URL under which clients reach the server, if another;
	// signed links use it.
	PublicEndpoint string
	// TempDir is where writes are spooled; empty means the system's.
	TempDir string
	// HTTPClient replaces the default transport.
	HTTPClient *http.Client
	// MaxAttempts bounds how often a request is sent; 0 means 5.
	MaxAttempts int

	maxBackoff time.Duration // shorter in tests; 0 means 5 s
}

// Validate checks c by itself.
func (c Config) Validate() error {
	var errs []error
	if c.Bucket == "" {
		errs = append(errs, fmt.Errorf("s3: bucket is empty: %w", objectstore.ErrConfig))
	}
	if c.MaxAttempts < 0 {
		errs = append(errs, fmt.Errorf("s3: %d attempts: %w", c.MaxAttempts, objectstore.ErrConfig))
	}
	return errors.Join(errs...)
}

// Store implements objectstore.Store in one bucket.
type Store struct {
	client  *s3.Client
	presign *s3.PresignClient
	bucket  string
	tempDir string
}

// New uses a bucket that exists. Region and credentials come from base, which
// main loads from the environment. It asks the server for the bucket once and
// returns an objectstore.ErrConfig that says what to mend when the bucket is
// missing or the credentials are refused.
func New(ctx context.Context, base aws.Config, c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if base.Credentials == nil {
		return nil, fmt.Errorf("open bucket %s: no credentials are configured: %w", c.Bucket, objectstore.ErrConfig)
	}
	if _, err := base.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("open bucket %s: no credentials were found: %w: %w", c.Bucket, objectstore.ErrConfig, err)
	}
	client := s3.NewFromConfig(base, c.options)
	public := client
	if c.PublicEndpoint != "" {
		pc := c
		pc.Endpoint = c.PublicEndpoint
		public = s3.NewFromConfig(base, pc.options)
	}
	s := &Store{client: client, presign: s3.NewPresignClient(public), bucket: c.Bucket, tempDir: c.TempDir}
	if err := s.probe(ctx); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", c.Bucket, err)
	}
	return s, nil
}

// probe asks for an object that does not exist. The answer to HeadBucket has no
// body that would tell a missing bucket from wrong credentials, and a listing can
// take long. Without the right to list, the answer to a missing key is "access
// denied" instead of "not found", which the store could not work with.
func (s *Store) probe(ctx context.Context) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String("temporary/.probe")})
	if err == nil {
		return out.Body.Close() // somebody stored it
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "NoSuchKey" {
		return nil
	}
	if err = s.classify(err); errors.Is(err, objectstore.ErrNotFound) {
		return fmt.Errorf("%w: %w", objectstore.ErrConfig, err)
	}
	return err
}

func (c Config) options(o *s3.Options) {
	if c.Endpoint != "" {
		o.BaseEndpoint = &c.Endpoint
		o.UsePathStyle = true
		// Older servers reject or store verbatim the trailing checksums of the
		// default; reads are compared with our own SHA-256 anyway.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
	o.DisableLogOutputChecksumValidationSkipped = true
	attempts := c.MaxAttempts
	if attempts == 0 {
		attempts = 5
	}
	o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
		r.MaxAttempts = attempts
		r.MaxBackoff = cmp.Or(c.maxBackoff, 5*time.Second)
	})
	if c.HTTPClient != nil {
		o.HTTPClient = c.HTTPClient
	} else {
		o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = 32
			t.ResponseHeaderTimeout = time.Minute
			t.ReadBufferSize, t.WriteBufferSize = 64<<10, 64<<10
		})
	}
}

// Delete implements objectstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, "delete", key); err != nil {
		return err
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	if err = s.classify(err); err != nil && !errors.Is(err, objectstore.ErrNotFound) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// Stat implements objectstore.Stater. SHA256 is empty for an object that another
// program stored.
func (s *Store) Stat(ctx context.Context, key string) (objectstore.Info, error) {
	if err := check(ctx, "stat", key); err != nil {
		return objectstore.Info{}, err
	}
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return objectstore.Info{}, fmt.Errorf("stat %s: %w", key, s.classify(err))
	}
	return objectstore.Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), SHA256: out.Metadata[sumField],
		ModTime: aws.ToTime(out.LastModified),
	}, nil
}

// List implements objectstore.Lister.
func (s *Store) List(ctx context.Context, prefix string, yield func(objectstore.Info) bool) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list %q: %w", prefix, s.classify(err))
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if objectstore.CheckKey(key) != nil {
				continue // a directory marker or another program's object
			}
			if !yield(objectstore.Info{Key: key, Size: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified)}) {
				return nil
			}
		}
	}
	return nil
}

// Scavenge implements objectstore.Scavenger: it aborts uploads in parts that
// were begun age ago.
func (s *Store) Scavenge(ctx context.Context, age time.Duration) (objectstore.Scavenged, error) {
	var n objectstore.Scavenged
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return n, fmt.Errorf("scavenge bucket %s: %w", s.bucket, s.classify(err))
		}
		for _, u := range page.Uploads {
			if time.Since(aws.ToTime(u.Initiated)) < age {
				continue
			}
			size, err := s.uploaded(ctx, u)
			if err == nil {
				err = s.abort(ctx, aws.ToString(u.Key), u.UploadId)
			}
			if errors.Is(err, objectstore.ErrNotFound) {
				continue // finished or aborted meanwhile
			}
			if err != nil {
				return n, fmt.Errorf("scavenge %s: %w", aws.ToString(u.Key), err)
			}
			n.Parts++
			n.Bytes += size
		}
	}
	return n, nil
}

func (s *Store) uploaded(ctx context.Context, u types.MultipartUpload) (size int64, err error) {
	pages := s3.NewListPartsPaginator(s.client, &s3.ListPartsInput{Bucket: &s.bucket, Key: u.Key, UploadId: u.UploadId})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, s.classify(err)
		}
		for _, p := range page.Parts {
			size += aws.ToInt64(p.Size)
		}
	}
	return size, nil
}

// SignedURL implements objectstore.URLSigner. The link also serves ranges, but
// not HEAD. S3 allows at most 7 days, and less under temporary credentials.
func (s *Store) SignedURL(ctx context.Context, key string, l objectstore.Link) (string, error) {
	if err := checkSign(ctx, key, l.Life); err != nil {
		return "", err
	}
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: &key}
	if l.ContentType != "" {
		in.ResponseContentType = &l.ContentType
	}
	if l.ContentDisposition != "" {
		in.ResponseContentDisposition = &l.ContentDisposition
	}
	req, err := s.presign.PresignGetObject(ctx, in, s3.WithPresignExpires(l.Life))
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", key, s.classify(err))
	}
	return req.URL, nil
}

// SignedPutURL makes a link that stores exactly size bytes of the media type
// under key until ttl has passed. The client must send the headers Content-Type
// and Content-Length accordingly. Such an object has no recorded SHA-256.
func (s *Store) SignedPutURL(ctx context.Context, key, mediaType string, size int64, ttl time.Duration) (string, error) {
	if err := checkSign(ctx, key, ttl); err != nil {
		return "", err
	}
	if size < 0 {
		return "", fmt.Errorf("sign %s: size %d is negative", key, size)
	}
	req, err := s.presign.PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, ContentType: &mediaType, ContentLength: &size,
	}, s3.WithPresignExpires(ttl))
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", key, s.classify(err))
	}
	return req.URL, nil
}

func checkSign(ctx context.Context, key string, ttl time.Duration) error {
	if err := check(ctx, "sign", key); err != nil {
		return err
	}
	if ttl < time.Second || ttl > 7*24*time.Hour {
		return fmt.Errorf("sign %s: %v is not 1 s to 7 days", key, ttl)
	}
	return nil
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

var _ interface {
	objectstore.Store
	objectstore.Creator
	objectstore.RangeGetter
	objectstore.Stater
	objectstore.Lister
	objectstore.URLSigner
	objectstore.Scavenger
} = (*Store)(nil)
