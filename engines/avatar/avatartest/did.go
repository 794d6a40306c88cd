package avatartest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// DID behaves like api.d-id.com. Fields are set before it serves; Hook may
// answer any request instead, and then returns true.
type DID struct {
	Key      string // user:password
	Raw      bool   // wants the key unencoded, as the documentation shows it
	Video    []byte // what every talk becomes
	Looks    int    // how often a talk is looked at before it is done
	NoStitch bool   // the plan has no stitching
	Unlisted bool   // GET /talks does not show talks
	Outcome  string // "error" or "rejected" instead of "done"
	Kind     string // of such an outcome
	Hook     func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	talks    []*didTalk
	uploads  map[string]bool
	deleted  int
	calls    map[string]int
	expired  int
	Expiring int // how many result links have expired when they are followed
}

type didTalk struct {
	ID, Name, UserData string
	looks, links       int
	Stitch             bool
	Webhook            string
	Expression         string
}

// Newest is where the end of the newest talk is told, and what the face shows
// meanwhile: start frame, name and intensity.
func (d *DID) Newest() (address, expression string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.talks) == 0 {
		return "", ""
	}
	t := d.talks[len(d.talks)-1]
	return t.Webhook, t.Expression
}

// Bought is how many talks were paid for.
func (d *DID) Bought() int { d.mu.Lock(); defer d.mu.Unlock(); return len(d.talks) + d.deleted }

// Left is how many talks have not been deleted.
func (d *DID) Left() int { d.mu.Lock(); defer d.mu.Unlock(); return len(d.talks) }

// Calls is how often "METHOD /path" was called; ids count as {id}.
func (d *DID) Calls(name string) int { d.mu.Lock(); defer d.mu.Unlock(); return d.calls[name] }

// Stitched reports whether the newest talk is stitched.
func (d *DID) Stitched() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.talks) > 0 && d.talks[len(d.talks)-1].Stitch
}

// Refuse is a Hook that answers one call with a status and a kind, as often as
// times says; negative: always.
func Refuse(call string, times, status int, kind string) func(http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method+" "+r.URL.Path != call || times == 0 {
			return false
		}
		times--
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "0")
		}
		answer(w, status, map[string]string{"kind": kind, "description": "refused by the test"})
		return true
	}
}

// Talk orders what POST /talks orders, for Hooks that lose the answer.
func (d *DID) Talk(r *http.Request) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	_, err = d.order(b)
	return err
}

// Abort is for Hooks: the connection ends without an answer.
func Abort() { abort() }

// ServeHTTP implements http.Handler.
func (d *DID) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.count(r)
	if d.Hook != nil && d.Hook(w, r) {
		return
	}
	if strings.HasPrefix(r.URL.Path, "/results/") {
		d.result(w, r)
		return
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(d.Key))
	if d.Raw {
		want = "Basic " + d.Key
	}
	if r.Header.Get("Authorization") != want {
		answer(w, 401, map[string]string{"kind": "AuthorizationError", "description": "user unauthenticated"})
		return
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/images":
		d.upload(w, r, "image", regexp.MustCompile(`^image/(jpeg|png)$`), 10<<20, ".jpg")
	case r.Method == http.MethodPost && r.URL.Path == "/audios":
		d.upload(w, r, "audio", regexp.MustCompile(`^(audio|video)/`), 6<<20, "")
	case r.Method == http.MethodPost && r.URL.Path == "/talks":
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		t, err := d.order(b)
		switch {
		case err != nil && err.Error() == "stitch":
			answer(w, 403, map[string]string{"kind": "PermissionError", "description": "user has no permission for stitch"})
		case err != nil:
			answer(w, 400, map[string]string{"kind": "BadRequestError", "description": err.Error()})
		default:
			answer(w, 201, map[string]any{"id": t.ID, "object": "talk", "status": "created", "created_at": "2026-01-01T00:00:00Z"})
		}
	case r.Method == http.MethodGet && r.URL.Path == "/talks":
		d.list(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/credits":
		answer(w, 200, map[string]any{"remaining": 10, "total": 20, "credits": []any{}})
	case strings.HasPrefix(r.URL.Path, "/talks/"):
		d.one(w, r, path.Base(r.URL.Path))
	default:
		answer(w, 404, map[string]string{"kind": "NotFoundError", "description": "no such path"})
	}
}

func (d *DID) count(r *http.Request) {
	name := r.Method + " " + r.URL.Path
	if strings.HasPrefix(r.URL.Path, "/talks/") {
		name = r.Method + " /talks/{id}"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls == nil {
		d.calls, d.uploads = map[string]int{}, map[string]bool{}
	}
	d.calls[name]++
}

var fileName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,50}$`)

func (d *DID) upload(w http.ResponseWriter, r *http.Request, field string, kinds *regexp.Regexp, limit int64, ext string) {
	bad := func(kind, why string) { answer(w, 400, map[string]string{"kind": kind, "description": why}) }
	parts, err := r.MultipartReader()
	if err != nil {
		bad("BadRequestError", err.Error())
		return
	}
	p, err := parts.NextPart()
	if err != nil || p.FormName() != field || !fileName.MatchString(p.FileName()) {
		bad("BadRequestError", "field or file name")
		return
	}
	if kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type")); err != nil || !kinds.MatchString(kind) {
		answer(w, 415, map[string]string{"kind": "UnsupportedMimeTypeError", "description": kind})
		return
	}
	n, err := io.Copy(io.Discard, io.LimitReader(p, limit+1))
	if err != nil || n > limit {
		bad("InvalidFileSizeError", "too large")
		return
	}
	if ext == "" {
		ext = path.Ext(p.FileName())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	u := fmt.Sprintf("s3://d-id-%ss-prod/upload%d%s", field, len(d.uploads), ext)
	d.uploads[u] = true
	answer(w, 201, map[string]any{"url": u, "id": strconv.Itoa(len(d.uploads))})
}

var (
	sourceURL = regexp.MustCompile(`^(https|s3):.*\.(jpg|jpeg|png|JPG|JPEG|PNG)$`)
	audioURL  = regexp.MustCompile(`^(https|s3)://\S+\.(m4a|flac|mp3|mp4|wav)([?#][\w./=&#%-]+)?$`)
)

// order reads the body of POST /talks; unknown fields are refused.
func (d *DID) order(body []byte) (*didTalk, error) {
	var q struct {
		SourceURL string `json:"source_url"`
		Script    struct {
			Type     string `json:"type"`
			AudioURL string `json:"audio_url"`
		} `json:"script"`
		Config struct {
			Stitch       bool   `json:"stitch"`
			ResultFormat string `json:"result_format"`
			Driver       struct {
				Expressions []struct {
					Start      int     `json:"start_frame"`
					Expression string  `json:"expression"`
					Intensity  float64 `json:"intensity"`
				} `json:"expressions"`
			} `json:"driver_expressions"`
		} `json:"config"`
		Webhook  string `json:"webhook"`
		Name     string `json:"name"`
		UserData string `json:"user_data"`
	}
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&q); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !sourceURL.MatchString(q.SourceURL), !d.uploads[q.SourceURL]:
		return nil, fmt.Errorf("source_url %q", q.SourceURL)
	case q.Script.Type != "audio", !audioURL.MatchString(q.Script.AudioURL), !d.uploads[q.Script.AudioURL]:
		return nil, fmt.Errorf("audio_url %q", q.Script.AudioURL)
	case len(q.UserData) > 1000:
		return nil, fmt.Errorf("user_data")
	case q.Webhook != "" && !strings.HasPrefix(q.Webhook, "https://"):
		return nil, fmt.Errorf("webhook %q", q.Webhook)
	case q.Config.Stitch && d.NoStitch:
		return nil, fmt.Errorf("stitch")
	}
	t := &didTalk{ID: "tlk_" + strconv.Itoa(len(d.talks)+d.deleted), Name: q.Name, UserData: q.UserData, Stitch: q.Config.Stitch, Webhook: q.Webhook}
	for _, x := range q.Config.Driver.Expressions {
		if !slices.Contains([]string{"neutral", "happy", "serious", "surprise"}, x.Expression) || x.Intensity < 0 || x.Intensity > 1 {
			return nil, fmt.Errorf("expression %+v", x)
		}
		t.Expression += fmt.Sprintf("%d %s %.2f", x.Start, x.Expression, x.Intensity)
	}
	d.talks = append(d.talks, t)
	return t, nil
}

func (d *DID) list(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []any{}
	const page = 2
	from, _ := strconv.Atoi(r.URL.Query().Get("token"))
	newest := slices.Clone(d.talks)
	slices.Reverse(newest)
	next := ""
	if !d.Unlisted {
		for i := from; i < len(newest) && i < from+page; i++ {
			t := newest[i]
			list = append(list, map[string]any{"id": t.ID, "name": t.Name, "user_data": t.UserData, "status": "started"})
		}
		if from+page < len(newest) {
			next = strconv.Itoa(from + page)
		}
	}
	answer(w, 200, map[string]any{"talks": list, "token": next})
}

func (d *DID) one(w http.ResponseWriter, r *http.Request, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.talks, func(t *didTalk) bool { return t.ID == id })
	if i < 0 {
		answer(w, 404, map[string]string{"kind": "NotFoundError", "description": "talk not found"})
		return
	}
	t := d.talks[i]
	if r.Method == http.MethodDelete {
		d.talks = slices.Delete(d.talks, i, i+1)
		d.deleted++
		w.WriteHeader(200)
		return
	}
	t.looks++
	a := map[string]any{"id": t.ID, "status": "created", "user_data": t.UserData}
	switch {
	case t.looks <= d.Looks/2:
	case t.looks <= d.Looks:
		a["status"] = "started"
	case d.Outcome != "":
		a["status"] = d.Outcome
		a["error"] = map[string]string{"kind": d.Kind, "description": "the test wants it so"}
	default:
		t.links++
		a["status"] = "done"
		a["result_url"] = fmt.Sprintf("%s://%s/results/%s.mp4?X-Amz-Signature=%d", scheme(r), r.Host, t.ID, t.links)
	}
	answer(w, 200, a)
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// result is a presigned link of an S3 bucket: it refuses a second sign-in, and
// it expires.
func (d *DID) result(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		http.Error(w, "<Error><Code>InvalidArgument</Code></Error>", http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	gone := d.expired < d.Expiring
	if gone {
		d.expired++
	}
	d.mu.Unlock()
	if gone {
		http.Error(w, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("Content-Length", strconv.Itoa(len(d.Video)))
	_, _ = w.Write(d.Video) // the client is gone
}
