package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/videomsg/videomsg/events"
)

// A title is for whom and from whom a message is. It names people, so it is a
// blob and never rides in events.
type title struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// title reads the names for the title card.
func (f *fields) title() title {
	return title{From: f.short("title_from", 40), To: f.short("title_to", 40)}
}

// putTitle stores the names, if there are any.
func (g *Gateway) putTitle(r *http.Request, form *form, task string, t title) error {
	if t == (title{}) {
		return nil
	}
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return g.putBlob(r.Context(), form, task, events.BlobTitle, "application/json", string(b))
}
