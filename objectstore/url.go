package objectstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Errors of LinkSigner.Verify.
var (
	// ErrLinkExpired says that a signed link was good once.
	ErrLinkExpired = errors.New("link expired")
	// ErrLinkInvalid says that a link was never signed, or was changed.
	ErrLinkInvalid = errors.New("link not valid")
)

// A LinkSigner makes and checks expiring links to what the gateway serves
// itself, whatever the backend. A link is
// <prefix>/<key>?expires=<unix seconds>&signature=<base64url>, signed by
// HMAC-SHA-256 over a label, the expiry and the key. It grants reading of what
// the key names and nothing else.
//
// Its methods may be called concurrently.
type LinkSigner struct {
	prefix string
	keys   [][]byte
	now    func() time.Time
}

// linkLabel keeps signatures apart from others that are made with the same key.
const linkLabel = "videomsg-object-link-v1\n"

// NewLinkSigner makes links below prefix, which is a path or a whole URL without
// a trailing slash. It signs with the first of keys and accepts all, so that a
// key can be replaced while links are out; each must have 32 bytes or more. now
// is time.Now outside tests.
func NewLinkSigner(prefix string, now func() time.Time, keys ...[]byte) (*LinkSigner, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("link signer without a key: %w", ErrConfig)
	}
	for _, k := range keys {
		if len(k) < 32 {
			return nil, fmt.Errorf("link signer: a key of %d bytes is shorter than 32: %w", len(k), ErrConfig)
		}
	}
	return &LinkSigner{strings.TrimSuffix(prefix, "/"), keys, now}, nil
}

// Sign returns a link to key that expires after ttl, which is rounded up to
// whole seconds.
func (l *LinkSigner) Sign(key string, ttl time.Duration) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	if ttl <= 0 {
		return "", fmt.Errorf("sign %s: lifetime %v is not positive", key, ttl)
	}
	expires := l.now().Add(ttl + time.Second - 1).Unix()
	q := url.Values{
		"expires":   {strconv.FormatInt(expires, 10)},
		"signature": {base64.RawURLEncoding.EncodeToString(sum(l.keys[0], key, expires))},
	}
	return l.prefix + "/" + key + "?" + q.Encode(), nil
}

// Verify checks the query of a request for key. It returns ErrLinkExpired only
// for a signature that was valid; everything else is ErrLinkInvalid.
func (l *LinkSigner) Verify(key string, query url.Values) (expires time.Time, err error) {
	if len(query["expires"]) != 1 || len(query["signature"]) != 1 || CheckKey(key) != nil {
		return time.Time{}, ErrLinkInvalid
	}
	unix, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	if err != nil || strconv.FormatInt(unix, 10) != query.Get("expires") {
		return time.Time{}, ErrLinkInvalid
	}
	got, err := base64.RawURLEncoding.Strict().DecodeString(query.Get("signature"))
	if err != nil {
		return time.Time{}, ErrLinkInvalid
	}
	good := false
	for _, k := range l.keys {
		good = hmac.Equal(got, sum(k, key, unix)) || good
	}
	if !good {
		return time.Time{}, ErrLinkInvalid
	}
	expires = time.Unix(unix, 0)
	if !l.now().Before(expires) {
		return expires, ErrLinkExpired
	}
	return expires, nil
}

func sum(secret []byte, key string, expires int64) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(linkLabel + strconv.FormatInt(expires, 10) + "\n" + key)) // a hash takes everything
	return h.Sum(nil)
}
