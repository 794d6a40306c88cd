package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// peer is the address at the other end of the connection.
func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// trusted reports whether a is one of our own proxies.
func (g *Gateway) trusted(a netip.Addr) bool {
	for _, p := range g.conf.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// client is the address a request comes from. X-Forwarded-For counts only behind
// trusted proxies: it is read from its end, where they have written, and the
// first address that is not one of them is the client.
func (g *Gateway) client(r *http.Request) netip.Addr {
	a := peer(r)
	if !g.trusted(a) {
		return a
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // written by somebody else than our proxies
		}
		a = hop.Unmap()
		if !g.trusted(a) {
			break
		}
	}
	return a
}

// network is what a client address counts as: all of one IPv6 subscriber's
// addresses are one client.
func network(a netip.Addr) string {
	if a.Is6() {
		p, err := a.WithZone("").Prefix(64)
		if err == nil {
			return p.String()
		}
	}
	return a.String()
}
