package natsstore

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy forwards TCP connections and can cut them.
type proxy struct {
	net.Listener
	target   string
	up, down direction
	wg       sync.WaitGroup
}

// direction cuts a connection when so many bytes went this way in all, and again
// after every 3 MiB.
type direction struct{ bytes, cutAt, cuts atomic.Int64 }

func (d *direction) copy(to, from net.Conn) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		if _, werr := to.Write(b[:n]); err != nil || werr != nil {
			return
		}
		if d.bytes.Add(int64(n)) > d.cutAt.Load() {
			d.cutAt.Add(3 << 20)
			d.cuts.Add(1)
			return
		}
	}
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, target: strings.TrimPrefix(target, "nats://")}
	p.up.cutAt.Store(1 << 60)
	p.down.cutAt.Store(1 << 60)
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve(c net.Conn) {
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = c.Close()
		return
	}
	stop := sync.OnceFunc(func() {
		_ = c.Close()
		_ = up.Close()
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer stop()
		p.up.copy(up, c)
	})
	wg.Go(func() {
		defer stop()
		p.down.copy(c, up)
	})
	wg.Wait()
}
