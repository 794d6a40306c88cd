package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/videomsg/videomsg/events"
)

// Roles of users.
const (
	RoleUser   = "user"
	RoleAdmin  = "admin"
	RoleViewer = "viewer" // sees what operators see and changes nothing of it
)

// roles in the order of what they may.
var roles = []string{RoleUser, RoleViewer, RoleAdmin}

// identity is who a request acts for.
type identity struct {
	owner  string // what objects are stored under; fit for subjects and keys
	user   string // as the token names it
	role   string
	cookie bool // by session cookie or by nothing at all: a browser may send it unasked
}

// localUser owns everything while nobody signs in.
const localUser = "local"

// MinSecret is the shortest signing secret, in bytes (RFC 7518, 3.2).
const MinSecret = 32

// TokenLife is how long a token is valid unless its maker says otherwise.
const TokenLife = 24 * time.Hour

type claims struct {
	UserID string `json:"user_id"`
	Role   string `json:"role,omitempty"`
	jwt.RegisteredClaims
}

// NewToken signs a token for user (HS256).
func NewToken(secret, user, role string, life time.Duration, now time.Time) (string, error) {
	if len(secret) < MinSecret {
		return "", fmt.Errorf("secret of %d bytes: at least %d are needed", len(secret), MinSecret)
	}
	if err := checkUser(user); err != nil {
		return "", err
	}
	if !slices.Contains(roles, role) {
		return "", fmt.Errorf("role %q: must be one of %s", role, strings.Join(roles, ", "))
	}
	if life <= 0 {
		return "", fmt.Errorf("life %s: must be positive", life)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{UserID: user, Role: role, RegisteredClaims: jwt.RegisteredClaims{
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}})
	return t.SignedString([]byte(secret))
}

const maxUser = 128

func checkUser(user string) error {
	if user == "" || len(user) > maxUser {
		return fmt.Errorf("user id of %d bytes: must be 1 to %d", len(user), maxUser)
	}
	for _, r := range user {
		if r <= ' ' || r > '~' {
			return errors.New("user id has characters other than printable ASCII")
		}
	}
	return nil
}

// ownerOf makes a user id fit for subjects, keys and logs: ids that are not
// already, such as mail addresses, become a digest, so that nothing personal
// rides in events.
func ownerOf(user string) string {
	if events.CheckToken(user) == nil && len(user) <= 40 {
		return user
	}
	return "u-" + digest(user)
}

// digest is a short name for s that does not tell s.
func digest(s ...string) string {
	h := sha256.New()
	for _, p := range s {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// verifyToken reads a token. The algorithm is pinned and an expiry is demanded.
func (g *Gateway) verifyToken(token string) (id identity, until time.Time, err error) {
	var c claims
	_, err = jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return []byte(g.conf.Secret), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithLeeway(30*time.Second))
	if err != nil {
		return id, until, err
	}
	if err := checkUser(c.UserID); err != nil {
		return id, until, err
	}
	c.Role = cmp.Or(c.Role, RoleUser)
	if !slices.Contains(roles, c.Role) {
		return id, until, errors.New("unknown role")
	}
	return identity{owner: ownerOf(c.UserID), user: c.UserID, role: c.Role}, c.ExpiresAt.Time, nil
}

// verifiedTokens remembers tokens that were found good, until they expire: a
// client that polls sends the same one each time.
type verifiedTokens struct {
	mu   sync.RWMutex
	good map[string]verifiedToken
}

type verifiedToken struct {
	id    identity
	until time.Time
}

const maxVerified = 10_000

func (v *verifiedTokens) get(token string, now time.Time) (identity, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	t, ok := v.good[token]
	return t.id, ok && now.Before(t.until)
}

func (v *verifiedTokens) put(token string, id identity, until time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.good == nil || len(v.good) >= maxVerified {
		v.good = map[string]verifiedToken{} // all can be verified again
	}
	v.good[token] = verifiedToken{id, until}
}

// identify says who sends r: by bearer token, by session cookie, or, while no
// secret is set, the one local user.
func (g *Gateway) identify(r *http.Request) (identity, error) {
	if g.conf.Secret == "" {
		if !loopbackHost(r.Host) {
			// A page that points a name of its own at this machine must not reach us.
			return identity{}, newProblem(codeUnauthorized, "Without sign-in this service answers on this machine only.")
		}
		return identity{owner: localUser, user: localUser, role: RoleAdmin, cookie: true}, nil
	}
	token, cookie, err := bearer(r)
	if err != nil {
		return identity{}, err
	}
	id, ok := g.verified.get(token, time.Now())
	if !ok {
		var until time.Time
		if id, until, err = g.verifyToken(token); err != nil {
			return identity{}, newProblem(codeUnauthorized, "The token is not valid or has expired.").because(err)
		}
		g.verified.put(token, id, until)
	}
	id.cookie = cookie
	return id, nil
}

// sessionCookie holds the web app's token.
const sessionCookie = "videomsg_session"

func bearer(r *http.Request) (token string, cookie bool, err error) {
	switch h := r.Header.Values("Authorization"); {
	case len(h) > 1:
		return "", false, newProblem(codeUnauthorized, "Send one Authorization header.")
	case len(h) == 1:
		const scheme = "Bearer "
		if len(h[0]) <= len(scheme) || !equalFold(h[0][:len(scheme)], scheme) {
			return "", false, newProblem(codeUnauthorized, "Send the token as Authorization: Bearer TOKEN.")
		}
		return h[0][len(scheme):], false, nil
	}
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", false, newProblem(codeUnauthorized, "Send a token as Authorization: Bearer TOKEN.")
	}
	return c.Value, true, nil
}

// equalFold compares ASCII without case.
func equalFold(a, b string) bool {
	for i := range len(a) {
		if a[i]|0x20 != b[i]|0x20 {
			return false
		}
	}
	return len(a) == len(b)
}

// loopbackHost reports whether a Host header names this machine.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// who is the identity that the route's guard has found.
func who(ctx context.Context) identity { return infoOf(ctx).who }

// owner is whose objects the request sees.
func owner(r *http.Request) string { return who(r.Context()).owner }
