package gateway

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle string

// docs is GET /docs: the document for people, without scripts or outside assets.
func (g *Gateway) docs(w http.ResponseWriter, r *http.Request) error {
	if err := g.describe(); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(docsStyle))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	return serveDocument(w, r, "text/html; charset=utf-8", g.document.html)
}

type docsEntry struct {
	Method, Path, ID, Summary, Access string
	Form                              []docsField
	Query, Header                     []docsField
	Body, Answer                      string // names of schemas
	Status                            int
	Media                             string
	Problems                          []docsProblem
}

type docsField struct {
	Name, Kind, About string
	Required          bool
}

type docsProblem struct {
	Status int
	Text   string
}

type docsGroup struct {
	Tag     string
	Entries []docsEntry
}

// page renders the table.
func page(api []route) ([]byte, error) {
	t, err := template.New("docs").Parse(docsPage)
	if err != nil {
		return nil, err
	}
	var groups []docsGroup
	at := map[string]int{}
	for _, rt := range api {
		if rt.method == http.MethodHead {
			continue
		}
		i, ok := at[rt.doc.tag]
		if !ok {
			i = len(groups)
			at[rt.doc.tag] = i
			groups = append(groups, docsGroup{Tag: rt.doc.tag})
		}
		groups[i].Entries = append(groups[i].Entries, entry(rt))
	}
	var codes []docsCode
	for _, c := range problemCodes() {
		codes = append(codes, docsCode{c, kinds[c].status, kinds[c].en, kinds[c].ja})
	}
	var buf bytes.Buffer
	err = t.Execute(&buf, map[string]any{"Groups": groups, "Codes": codes, "Style": template.CSS(docsStyle)})
	return buf.Bytes(), err
}

type docsCode struct {
	Code   string
	Status int
	En, Ja string
}

func entry(rt route) docsEntry {
	o := rt.doc
	e := docsEntry{Method: rt.method, Path: rt.path, ID: o.id, Summary: o.summary, Status: o.ok, Media: o.media}
	e.Access = map[access]string{public: "anybody", user: "signed in", admin: "operators"}[rt.access]
	for _, f := range o.form {
		e.Form = append(e.Form, docsField{f.name, f.kind, f.about, f.required})
	}
	for _, p := range o.query {
		e.Query = append(e.Query, docsField{p.name, p.kind, p.about, false})
	}
	for _, p := range o.header {
		e.Header = append(e.Header, docsField{p.name, p.kind, p.about, false})
	}
	e.Body, e.Answer = example(o.body), example(o.answer)
	for _, code := range o.problems {
		e.Problems = append(e.Problems, docsProblem{code, strings.ToLower(http.StatusText(code))})
	}
	return e
}
