// Package avatartest has stand-ins for the services of package avatar. They keep
// to what the services' documentation promises, refuse what those refuse, and
// break in the ways a test asks for.
package avatartest

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
)

// Ledger remembers in memory. The zero value is empty.
type Ledger struct {
	mu  sync.Mutex
	ids map[string]string
}

// Begin implements avatar.Ledger.
func (l *Ledger) Begin(ctx context.Context, key string) (string, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	if id, known := l.ids[key]; known {
		return id, false, nil
	}
	if l.ids == nil {
		l.ids = map[string]string{}
	}
	l.ids[key] = ""
	return "", true, nil
}

// Started implements avatar.Ledger.
func (l *Ledger) Started(ctx context.Context, key, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	l.ids[key] = id
	return nil
}

// Find implements avatar.Ledger.
func (l *Ledger) Find(ctx context.Context, key string) (string, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, known := l.ids[key]
	return id, known, ctx.Err()
}

// Forget implements avatar.Ledger.
func (l *Ledger) Forget(_ context.Context, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ids, key)
	return nil
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}

// abort ends a connection without an answer, as a crash of either side does.
func abort() { panic(http.ErrAbortHandler) }
