package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/videomsg/videomsg/objectstore"
)

// meanings says for each error code of the protocol what it means for the caller
// and what an operator should look at.
var meanings = map[string]struct {
	mark error
	hint string
}{
	"NoSuchKey":                          {objectstore.ErrNotFound, ""},
	"NotFound":                           {objectstore.ErrNotFound, ""},
	"NoSuchUpload":                       {objectstore.ErrNotFound, ""},
	"NoSuchBucket":                       {objectstore.ErrConfig, "the bucket does not exist"},
	"InvalidAccessKeyId":                 {objectstore.ErrConfig, "the server does not know the access key"},
	"XAdminUserNotFound":                 {objectstore.ErrConfig, "the server does not know the access key"},
	"SignatureDoesNotMatch":              {objectstore.ErrConfig, "the secret key is wrong, or a proxy changes requests"},
	"AccessDenied":                       {objectstore.ErrConfig, "the credentials lack a right on the bucket"},
	"AllAccessDisabled":                  {objectstore.ErrConfig, "the account is disabled"},
	"AccountProblem":                     {objectstore.ErrConfig, "the account has a problem"},
	"Forbidden":                          {objectstore.ErrConfig, "the credentials are wrong or lack a right on the bucket"},
	"ExpiredToken":                       {objectstore.ErrConfig, "the session token has expired"},
	"ExpiredTokenException":              {objectstore.ErrConfig, "the session token has expired"},
	"InvalidToken":                       {objectstore.ErrConfig, "the session token is not valid"},
	"TokenRefreshRequired":               {objectstore.ErrConfig, "the session token must be renewed"},
	"RequestTimeTooSkewed":               {objectstore.ErrConfig, "this machine's clock and the server's differ by more than 15 minutes"},
	"RequestExpired":                     {objectstore.ErrConfig, "this machine's clock and the server's differ"},
	"PermanentRedirect":                  {objectstore.ErrConfig, "the bucket is in another region"},
	"AuthorizationHeaderMalformed":       {objectstore.ErrConfig, "the region is wrong"},
	"IllegalLocationConstraintException": {objectstore.ErrConfig, "the region is wrong"},
	"NotImplemented":                     {objectstore.ErrConfig, "the server lacks this operation"},
	"MissingContentLength":               {objectstore.ErrConfig, "a proxy removes the length of requests"},
	"XAmzContentSHA256Mismatch":          {objectstore.ErrUnavailable, "the body was damaged on the way"},
	"BadDigest":                          {objectstore.ErrUnavailable, "the body was damaged on the way"},
	"QuotaExceeded":                      {objectstore.ErrFull, "the quota is used up"},
	"XMinioStorageFull":                  {objectstore.ErrFull, "the server's disks are full"},
	"XMinioAdminBucketQuotaExceeded":     {objectstore.ErrFull, "the bucket's quota is used up"},
	"InsufficientStorage":                {objectstore.ErrFull, "the server's disks are full"},
	"StorageFull":                        {objectstore.ErrFull, "the server's disks are full"},
	"PreconditionFailed":                 {objectstore.ErrExists, ""},
	"SlowDown":                           {objectstore.ErrUnavailable, "the server asks for fewer requests"},
	"SlowDownRead":                       {objectstore.ErrUnavailable, "the server asks for fewer requests"},
	"SlowDownWrite":                      {objectstore.ErrUnavailable, "the server asks for fewer requests"},
	"ConditionalRequestConflict":         {objectstore.ErrUnavailable, "another write of the key is under way"},
	"OperationAborted":                   {objectstore.ErrUnavailable, "another operation on the key is under way"},
	// A server on a file system, busy with a neighbour of the key, or asked to make
	// a key the directory of another.
	"ExistingObjectIsDirectory": {objectstore.ErrUnavailable, "the server keeps a directory under this key"},
	"ObjectParentIsFile":        {objectstore.ErrUnavailable, "the server keeps an object above this key"},
	"RequestTimeout":            {objectstore.ErrUnavailable, "the connection was too slow"},
	"InvalidRange":              {nil, ""},
}

// classify marks an error of the SDK with what it means for the caller. The SDK
// has repeated what can be repeated by then.
func (s *Store) classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || marked(err) {
		return err
	}
	status := 0
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = resp.HTTPStatusCode()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if m, ok := meanings[api.ErrorCode()]; ok {
			return mark(err, m.mark, m.hint)
		}
	}
	if _, ok := errors.AsType[*aws.RequestCanceledError](err); ok {
		return mark(err, objectstore.ErrUnavailable, "")
	}
	switch {
	case status == http.StatusNotFound:
		return mark(err, objectstore.ErrNotFound, "")
	case status == http.StatusInsufficientStorage:
		return mark(err, objectstore.ErrFull, "the server's disks are full")
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return mark(err, objectstore.ErrUnavailable, "")
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return mark(err, objectstore.ErrConfig, "the credentials are wrong or lack a right on the bucket")
	case status >= 300:
		return mark(err, objectstore.ErrConfig, "the server refuses the request")
	}
	// No answer: refused, reset, timed out, cut off.
	return mark(err, objectstore.ErrUnavailable, "")
}

func mark(err, as error, hint string) error {
	switch {
	case as == nil:
		return err
	case hint == "":
		return fmt.Errorf("%w: %w", as, err)
	default:
		return fmt.Errorf("%s: %w: %w", hint, as, err)
	}
}

func marked(err error) bool {
	for _, e := range []error{
		objectstore.ErrNotFound, objectstore.ErrInvalidKey, objectstore.ErrFull, objectstore.ErrCorrupt,
		objectstore.ErrConfig, objectstore.ErrExists, objectstore.ErrUnavailable,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
