package gateway

import (
	"net/http"
	"time"
)

// Session is who the web app is signed in as.
type Session struct {
	User string `json:"user"`
	Role string `json:"role"`
	// Open says that this service asks nobody to sign in.
	Open bool `json:"open"`
}

type sessionRequest struct {
	Token string `json:"token"`
}

// signIn is POST /api/session: a token becomes a cookie that scripts cannot read
// and other sites cannot send.
func (g *Gateway) signIn(w http.ResponseWriter, r *http.Request) error {
	var in sessionRequest
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if g.conf.Secret == "" {
		return newProblem(codeConflict, "This service asks nobody to sign in.")
	}
	id, _, err := g.verifyToken(in.Token)
	if err != nil {
		return newProblem(codeUnauthorized, "The token is not valid or has expired.").because(err)
	}
	g.setCookie(w, r, in.Token, TokenLife)
	return writeJSON(w, http.StatusOK, Session{User: id.user, Role: id.role})
}

// session is GET /api/session.
func (g *Gateway) session(w http.ResponseWriter, r *http.Request) error {
	id := who(r.Context())
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, Session{User: id.user, Role: id.role, Open: g.conf.Secret == ""})
}

// signOut is DELETE /api/session.
func (g *Gateway) signOut(w http.ResponseWriter, r *http.Request) error {
	g.setCookie(w, r, "", -time.Second)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (g *Gateway) setCookie(w http.ResponseWriter, r *http.Request, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: g.overTLS(r),
	})
}

// overTLS reports whether the client's side of the connection is encrypted, here
// or at a proxy that is trusted.
func (g *Gateway) overTLS(r *http.Request) bool {
	return r.TLS != nil || g.conf.Production || g.trusted(peer(r)) && r.Header.Get("X-Forwarded-Proto") == "https"
}
