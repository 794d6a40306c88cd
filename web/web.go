// Package web is the web app: its source, its built assets as an embedded file
// system, and the handler that serves them under a strict content security
// policy. The assets are checked in, so that the program builds without Node.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// Policy is the Content-Security-Policy of the web app: nothing leaves the
// origin, and nothing runs that is not a file of the app.
const Policy = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// permissions lets the app itself use the microphone (voice cloning) and nobody
// use anything else.
const permissions = "microphone=(self), camera=(self), geolocation=(), payment=(), usb=()"

const page = "index.html"

// A file is one asset, ready to be sent.
type file struct {
	plain, gzip []byte // gzip is nil where it would save nothing
	mediaType   string
	tag         string
	cache       string
}

// Handler serves the web app. Paths that are no file get the app's page, so that
// its own addresses can be opened and reloaded; paths that look like a file, or
// belong to the API, do not.
func Handler() http.Handler {
	assets, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the embedded tree has the folder, or this does not compile
	}
	files, err := load(assets)
	if err != nil {
		panic(err) // reading what is embedded cannot fail
	}
	return handler(files)
}

func handler(files map[string]file) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
		f, ok := files[name]
		if !ok {
			if path.Ext(name) != "" || name == "api" || strings.HasPrefix(name, "api/") {
				http.NotFound(w, r)
				return
			}
			f = files[page]
		}
		f.serve(w, r)
	})
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", Policy)
	h.Set("Permissions-Policy", permissions)
	h.Set("Content-Type", f.mediaType)
	h.Set("Cache-Control", f.cache)
	body, tag := f.plain, f.tag
	if f.gzip != nil {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Header.Get("Range") == "" {
			h.Set("Content-Encoding", "gzip")
			body, tag = f.gzip, f.tag+"-gz"
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// load reads the tree and compresses each file once.
func load(tree fs.FS) (map[string]file, error) {
	files := map[string]file{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		f := file{plain: b, mediaType: mediaType(name), tag: hex.EncodeToString(sum[:12]), cache: "no-cache"}
		if strings.HasPrefix(name, "assets/") {
			f.cache = "public, max-age=31536000, immutable" // the name changes with the content
		}
		if f.gzip, err = compress(b, f.mediaType); err != nil {
			return err
		}
		files[name] = f
		return nil
	})
	return files, err
}

func compress(b []byte, mediaType string) ([]byte, error) {
	if strings.HasPrefix(mediaType, "image/") && !strings.HasPrefix(mediaType, "image/svg") {
		return nil, nil
	}
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := zw.Write(b); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	if buf.Len() >= len(b) {
		return nil, nil
	}
	return buf.Bytes(), nil
}

// mediaTypes that the tables of some systems lack or have differently.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".webmanifest":
		return "application/manifest+json"
	case ".wasm":
		return "application/wasm"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
