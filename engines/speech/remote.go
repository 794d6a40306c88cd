package speech

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/videomsg/videomsg/engines"
)

// Limits on what is read from a service.
const (
	maxJSON  = 8 << 20
	maxSound = 256 << 20 // ten minutes at 48 kHz stereo 32 bit
	maxTold  = 300       // characters of a service's complaint that are kept
)

// A remote is one service: its base URL and how to call it. It is safe for
// concurrent use.
type remote struct {
	name string // for errors
	base *url.URL
	http *http.Client
}

func newRemote(name, base string, c *http.Client) (remote, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil {
		return remote{}, fmt.Errorf("parse address of %s: %w", name, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return remote{}, fmt.Errorf("address of %s is %q: want http or https and a host", name, base)
	}
	if c == nil {
		return remote{}, fmt.Errorf("no http client for %s", name)
	}
	return remote{name: name, base: u, http: c}, nil
}

// A call is one request to a remote.
type call struct {
	method, path string
	query        url.Values
	body         []byte
	contentType  string
	timeout      time.Duration // of one try
	tries        int           // at most; 0 is 1
	limit        int64         // bytes of the answer; 0 is maxJSON
}

// A statusError is an answer that is not 2xx.
type statusError struct {
	status int
	told   string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.told) }

// Unwrap says what a chain makes of the status: the service is not to blame for
// refusing what we sent, except when it asks for patience.
func (e *statusError) Unwrap() error {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return nil
	}
	if e.status >= 400 && e.status < 500 {
		return engines.ErrPermanent
	}
	return nil
}

// do sends c and returns the body of a 2xx answer. Connection errors and 500,
// 502, 503 and 504 are tried again with a short, jittered delay. The error says
// method, path, status and what the service told, never more than 300 characters
// of it.
func (r remote) do(ctx context.Context, c call) (body []byte, contentType string, err error) {
	for try := 1; ; try++ {
		body, contentType, err = r.once(ctx, c)
		if err == nil || try >= c.tries || ctx.Err() != nil || !again(err) {
			break
		}
		wait := time.NewTimer(time.Duration(try)*200*time.Millisecond + rand.N(200*time.Millisecond))
		select {
		case <-ctx.Done():
			wait.Stop()
		case <-wait.C:
		}
	}
	if err != nil {
		err = fmt.Errorf("%s %s of %s: %w", c.method, c.path, r.name, err)
		if refused(err) {
			err = fmt.Errorf("%w: %w", err, engines.ErrUnavailable)
		}
	}
	return body, contentType, err
}

func (r remote) once(ctx context.Context, c call) ([]byte, string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %s: %w", c.timeout, context.DeadlineExceeded))
	defer cancel()
	u := r.base.JoinPath(c.path)
	u.RawQuery = c.query.Encode()
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, "", err
	}
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	res, err := r.http.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // its text repeats the address, with the message in it
		}
		return nil, "", because(ctx, err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	limit := c.limit
	if limit == 0 {
		limit = maxJSON
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, "", because(ctx, fmt.Errorf("read answer after %d bytes: %w", len(body), err))
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, "", &statusError{res.StatusCode, told(body)}
	}
	if int64(len(body)) > limit {
		return nil, "", fmt.Errorf("answer of more than %d bytes", limit)
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	return body, kind, nil
}

// because puts the reason for the end of ctx in front of what it made fail.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func again(err error) bool {
	if s, ok := errors.AsType[*statusError](err); ok {
		return s.status == 500 || s.status >= 502 && s.status <= 504
	}
	// Another try of what took all its time would take it again.
	return !errors.Is(err, context.DeadlineExceeded)
}

func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// json calls and decodes the answer into v.
func (r remote) json(ctx context.Context, c call, v any) error {
	body, kind, err := r.do(ctx, c)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s %s of %s: answer of type %q is not what was asked for: %w: %s", c.method, c.path, r.name, kind, err, told(body))
	}
	return nil
}

// told extracts what a service says in an error body: {"detail": string, list or
// object}, {"message": …}, {"error": …}, a bare JSON string, or plain text.
func told(body []byte) string {
	body = body[:min(len(body), 64<<10)]
	var v any
	if json.Unmarshal(body, &v) != nil {
		return short(strings.ToValidUTF8(string(body), "?"))
	}
	if m, ok := v.(map[string]any); ok {
		for _, k := range []string{"detail", "message", "error"} {
			if d, ok := m[k]; ok && d != nil {
				v = d
				break
			}
		}
	}
	if l, ok := v.([]any); ok {
		var msgs []string
		for _, x := range l {
			if m, ok := x.(map[string]any); ok {
				if msg, ok := m["msg"].(string); ok {
					msgs = append(msgs, msg)
				}
			}
		}
		if msgs != nil {
			return short(strings.Join(msgs, "; "))
		}
	}
	if s, ok := v.(string); ok {
		return short(s)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return short(string(b))
}

// short makes one line of at most maxTold characters.
func short(s string) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > maxTold {
		r = append(r[:maxTold], '…')
	}
	return string(r)
}
