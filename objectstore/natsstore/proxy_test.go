package natsstore

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy forwards TCP connections and can cut them.
type proxy struct {
	net.Listener
	target string
	bytes  atomic.Int64
	cutAt  atomic.Int64 // cut every connection when that many bytes went up
	cuts   atomic.Int64
	wg     sync.WaitGroup
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, target: strings.TrimPrefix(target, "nats://")}
	p.cutAt.Store(1 << 60)
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
		b := make([]byte, 16<<10)
		for {
			n, err := c.Read(b)
			if _, werr := up.Write(b[:n]); err != nil || werr != nil {
				return
			}
			if p.bytes.Add(int64(n)) > p.cutAt.Load() {
				p.cutAt.Add(3 << 20)
				p.cuts.Add(1)
				return
			}
		}
	})
	wg.Go(func() {
		defer stop()
		_, _ = io.Copy(c, up)
	})
	wg.Wait()
}
