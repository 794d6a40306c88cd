// Package web is the web app: its built assets, embedded, and the handler that
// serves them under a strict content security policy.
package web

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed all:dist
var dist embed.FS

// Policy is the Content-Security-Policy of the web app: nothing leaves the
// origin.
const Policy = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// Handler serves the web app. Paths that are no file get the app's page, so that
// its own addresses can be opened and reloaded.
func Handler() http.Handler {
	assets, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the embedded tree has the folder, or this does not compile
	}
	files := http.FileServerFS(assets)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", Policy)
		files.ServeHTTP(w, r)
	})
}
