package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A shop is an outside service that costs money: it counts what was bought for
// each task. An order with a key that it has seen is the same order.
type shop struct {
	mu     sync.Mutex
	orders map[string]string // by key: task
	bought map[string]int    // by task
	asked  int               // orders that came again
}

// openShop listens until ctx ends.
func openShop(ctx context.Context) (*shop, string, error) {
	s := &shop{orders: map[string]string{}, bought: map[string]int{}}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.order)
	mux.HandleFunc("GET /orders/{id}", s.look)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go srv.Serve(l) //nolint:errcheck // ends with ctx
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return s, "http://" + l.Addr().String(), nil
}

func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	task, key := r.FormValue("task"), r.Header.Get("Idempotency-Key")
	s.mu.Lock()
	if _, ok := s.orders[key]; ok {
		s.asked++
	} else {
		s.orders[key] = task
		s.bought[task]++
	}
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]string{"id": key})
}

func (s *shop) look(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.orders[r.PathValue("id")]; !ok {
		http.NotFound(w, r)
	}
}

// twice is how many tasks were paid for more than once.
func (s *shop) twice() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, b := range s.bought {
		if b > 1 {
			n++
		}
	}
	return n
}

// buy orders at the shop under key and gives the order's id.
func buy(ctx context.Context, shop, task, key string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, shop+"/orders?task="+task, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	var order struct{ ID string }
	if err := json.NewDecoder(io.LimitReader(res.Body, 1000)).Decode(&order); err != nil {
		return "", fmt.Errorf("order: %w", err)
	}
	return order.ID, nil
}

// collect waits for the order.
func collect(ctx context.Context, shop, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, shop+"/orders/"+id, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("order %s: %s", id, res.Status)
	}
	return nil
}
