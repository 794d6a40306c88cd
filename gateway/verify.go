package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Verification is what POST /api/verify says about a video.
type Verification struct {
	Verified    bool        `json:"verified"`
	Reason      string      `json:"reason,omitempty"` // why it is not
	Signed      bool        `json:"signed"`           // the signature fits the record
	Intact      bool        `json:"intact"`           // the video is what the record is about
	KnownSigner bool        `json:"known_signer"`
	PublicKey   string      `json:"public_key,omitempty"` // Ed25519, base64
	Record      *Provenance `json:"record,omitempty"`
}

// Provenance is how a video was made, as its signed record says.
type Provenance struct {
	Task       string            `json:"task"`
	Created    time.Time         `json:"created"`
	Generator  string            `json:"generator"`
	SourceType string            `json:"digital_source_type"` // IPTC code
	Label      string            `json:"label"`
	Engines    map[string]string `json:"engines"` // by stage
	Credits    []string          `json:"credits,omitempty"`
	Inputs     map[string]string `json:"inputs"` // SHA-256 by name
	Consent    bool              `json:"consent"`
}

// maxVideo is the largest video that is looked at, in bytes.
const maxVideo = 512 << 20

// verify is POST /api/verify: the record in a video is checked. The video is
// read once, as it comes, and not kept.
func (g *Gateway) verify(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxVideo)
	parts, err := openForm(r)
	if err != nil {
		return err
	}
	var v *Verification
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF) && v == nil:
			return badField(codeMissing, "video", "is missing")
		case errors.Is(err, io.EOF):
			return writeJSON(w, http.StatusOK, v)
		case err != nil:
			return broken(err)
		case part.FormName() != "video":
			return badField(codeUnknownField, clipName(part.FormName()), "is not a field of this request")
		case v != nil:
			return badField(codeBadRequest, "video", "is given more than once")
		}
		got, err := g.Verify(part)
		if err != nil {
			return broken(err)
		}
		v = &got
	}
}
