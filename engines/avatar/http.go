package avatar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/videomsg/videomsg/engines"
)

// Limits on what is read from a service.
const (
	maxJSON   = 4 << 20
	maxResult = 512 << 20
	maxTold   = 300 // characters of a complaint that are kept
)

// A remote is one service.
type remote struct {
	name string // for errors
	base *url.URL
	http *http.Client
	auth func(*http.Request)
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

// A callError is a call that did not give what was asked for.
type callError struct {
	call   string // method and path
	status int    // 0: no answer
	kind   string // the service's own word for it
	told   string
	wait   time.Duration // what Retry-After asks for
	sent   bool          // the request has left this machine
	err    error
}

func (e *callError) Error() string {
	s := e.call + ": "
	if e.status != 0 {
		s += fmt.Sprintf("status %d: ", e.status)
	}
	if e.kind != "" {
		s += e.kind + ": "
	}
	if e.err != nil {
		return s + e.err.Error()
	}
	return s + e.told
}

// Unwrap gives the cause, and says that a refusal is no matter of patience.
func (e *callError) Unwrap() []error {
	var errs []error
	if e.err != nil {
		errs = append(errs, e.err)
	}
	if e.status >= 400 && e.status < 500 && !e.patience() {
		errs = append(errs, engines.ErrPermanent)
	}
	return errs
}

// patience reports whether the same call may succeed later.
func (e *callError) patience() bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.status == 0 || e.status >= 500 || e.status < 300
}

// A request is one call.
type request struct {
	method, path string
	query        url.Values
	body         []byte
	contentType  string
	timeout      time.Duration
}

// json calls and decodes a 2xx answer into out, unless that is nil. Every error
// is a *callError.
func (r remote) json(ctx context.Context, q request, out any) error {
	name := q.method + " " + q.path + " of " + r.name
	ctx, cancel := context.WithTimeoutCause(ctx, q.timeout, fmt.Errorf("no answer within %s: %w", q.timeout, context.DeadlineExceeded))
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	fail := func(e *callError) error { e.call, e.sent = name, sent.Load(); return e }
	u := r.base.JoinPath(q.path)
	u.RawQuery = q.query.Encode()
	req, err := http.NewRequestWithContext(ctx, q.method, u.String(), bytes.NewReader(q.body))
	if err != nil {
		return fail(&callError{err: err})
	}
	if q.contentType != "" {
		req.Header.Set("Content-Type", q.contentType)
	}
	req.Header.Set("Accept", "application/json")
	if r.auth != nil {
		r.auth(req)
	}
	res, err := r.http.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // its text repeats the address
		}
		return fail(&callError{err: because(ctx, err)})
	}
	defer res.Body.Close() //nolint:errcheck // read only
	body, err := io.ReadAll(io.LimitReader(res.Body, maxJSON+1))
	if err != nil {
		return fail(&callError{status: res.StatusCode, err: because(ctx, fmt.Errorf("read answer after %d bytes: %w", len(body), err))})
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		e := &callError{status: res.StatusCode, wait: retryAfter(res.Header.Get("Retry-After"))}
		e.kind, e.told = complaint(body)
		return fail(e)
	}
	if out == nil {
		return nil
	}
	if len(body) > maxJSON {
		return fail(&callError{status: res.StatusCode, told: fmt.Sprintf("answer of more than %d bytes", maxJSON)})
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fail(&callError{status: res.StatusCode, err: fmt.Errorf("answer of type %q is not what was asked for: %w", short(res.Header.Get("Content-Type")), err)})
	}
	return nil
}

// fetch copies what is at address to a new file, without any sign-in: such links
// carry their own.
func (r remote) fetch(ctx context.Context, address, path string) (err error) {
	u, err := r.base.Parse(address)
	if err != nil {
		return &callError{call: "result of " + r.name, err: err}
	}
	name := "result of " + r.name
	// A service that is reached over TLS does not send its result in the clear.
	if u.Scheme != "https" && u.Scheme != r.base.Scheme || u.Host == "" {
		return &callError{call: name, err: fmt.Errorf("link with scheme %q is not followed", u.Scheme)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return &callError{call: name, err: err}
	}
	res, err := r.http.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // its text repeats the link, which opens the video for anybody
		}
		return &callError{call: name, err: because(ctx, err)}
	}
	defer res.Body.Close() //nolint:errcheck // read only
	if res.StatusCode != http.StatusOK {
		// Not a refusal of ours: another link may work.
		return &callError{call: name, told: fmt.Sprintf("the link answers with status %d", res.StatusCode)}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(res.Body, maxResult+1))
	switch {
	case err != nil:
		return &callError{call: name, err: because(ctx, fmt.Errorf("broke off after %d bytes: %w", n, err))}
	case n > maxResult:
		return &callError{call: name, err: fmt.Errorf("more than %d bytes", maxResult)}
	case res.ContentLength >= 0 && n != res.ContentLength:
		return &callError{call: name, err: fmt.Errorf("%d of %d bytes", n, res.ContentLength)}
	}
	return nil
}

// because puts the reason for the end of ctx in place of what it made fail.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func retryAfter(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Minute)
}

// complaint takes kind and words out of an error body.
func complaint(body []byte) (kind, told string) {
	var v struct {
		Kind        string `json:"kind"`
		Description string `json:"description"`
		Message     string `json:"message"`
		Detail      any    `json:"detail"`
	}
	if json.Unmarshal(body[:min(len(body), 64<<10)], &v) != nil {
		return "", short(strings.ToValidUTF8(string(body[:min(len(body), 4*maxTold)]), "?"))
	}
	told = v.Description + v.Message
	if v.Detail != nil {
		told += fmt.Sprint(v.Detail)
	}
	return short(v.Kind), short(told)
}

// short makes one line of at most maxTold characters.
func short(s string) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > maxTold {
		r = append(r[:maxTold], '…')
	}
	return string(r)
}

// A part is one file of a form, or a plain value when it has no file name.
type part struct {
	field, file, mediaType string
	data                   []byte
}

// multipartBody is a form of parts.
func multipartBody(parts ...part) (body []byte, contentType string, err error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, p := range parts {
		if p.file == "" {
			if err := w.WriteField(p.field, string(p.data)); err != nil {
				return nil, "", err
			}
			continue
		}
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, p.field, p.file))
		h.Set("Content-Type", p.mediaType)
		f, err := w.CreatePart(h)
		if err != nil {
			return nil, "", err
		}
		if _, err := f.Write(p.data); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return buf.Bytes(), w.FormDataContentType(), nil
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
