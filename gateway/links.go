package gateway

import (
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

// Lives of links that need no token.
const (
	defaultLinkLife = 24 * time.Hour
	minLinkLife     = time.Minute
	maxLinkLife     = 7 * 24 * time.Hour
)

// linkPath is where links lead: below it the task and the artefact.
const linkPath = "/api/links"

// linkRequest is the body of POST /api/tasks/{task}/links.
type linkRequest struct {
	Artifact  string `json:"artifact,omitempty"`   // default what the task is for
	ExpiresIn *int   `json:"expires_in,omitempty"` // seconds, 60 to 604,800 (7 days); default 86,400
}

// A link reads one file without a token. Its address is relative to the
// service's, like all that the API gives.
type link struct {
	URL       string    `json:"url"`
	Artifact  string    `json:"artifact"`
	ExpiresAt time.Time `json:"expires_at"`
}

// newLinks signs with the secret of the tokens, whose change ends all links, too.
// Without one a service has one process, and links end with it.
func newLinks(secret string) *objectstore.LinkSigner {
	key := []byte(secret)
	if len(key) < MinSecret {
		key = make([]byte, MinSecret)
		_, _ = rand.Read(key) // never fails
	}
	// It only refuses short keys.
	s, _ := objectstore.NewLinkSigner(linkPath, time.Now, key)
	return s
}

// makeLink is POST /api/tasks/{task}/links.
func (g *Gateway) makeLink(w http.ResponseWriter, r *http.Request) error {
	t, _, err := g.load(r)
	if err != nil {
		return err
	}
	var in linkRequest
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	life := defaultLinkLife
	if in.ExpiresIn != nil {
		life = time.Duration(*in.ExpiresIn) * time.Second
		if *in.ExpiresIn < int(minLinkLife.Seconds()) || *in.ExpiresIn > int(maxLinkLife.Seconds()) {
			return badField(codeRange, "expires_in", "must be a number of seconds from 60 to 604800")
		}
	}
	_, name, err := pick(t, in.Artifact)
	if err != nil {
		return err
	}
	u, err := g.links.Sign(t.ID+"/"+name, life)
	if err != nil {
		return err
	}
	w.Header().Set("Location", u)
	return writeJSON(w, http.StatusCreated, link{URL: u, Artifact: name, ExpiresAt: time.Now().Add(life).UTC().Truncate(time.Second)})
}

// followLink is GET and HEAD /api/links/{task}/{artifact}?expires=&signature=.
// Whoever has the link may read; that the task exists is told to nobody else.
func (g *Gateway) followLink(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "artifact")
	_, err := g.links.Verify(chi.URLParam(r, "task")+"/"+name, r.URL.Query())
	if errors.Is(err, objectstore.ErrLinkExpired) {
		return newProblem(codeGone, "The link has expired.").because(err)
	}
	if err != nil {
		return newProblem(codeForbidden, "The link is not valid.").because(err)
	}
	t, _, err := g.find(r, func(status.Task) bool { return true })
	if err != nil {
		return err
	}
	b, _, err := pick(t, name)
	if err != nil {
		return err
	}
	return g.serveBlob(w, r, b, "videomsg-"+t.ID+"-"+name)
}
