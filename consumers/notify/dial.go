package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// ErrPrivate says that an address is not on the public internet.
var ErrPrivate = errors.New("address is not public")

// reserved are networks that are not public although netip does not say so
// (IANA special-purpose registries, RFC 6890), and those that lead into IPv4.
var reserved = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// public reports whether packets to a leave for the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// NewClient returns a client that connects to public addresses only. The address
// is checked when the connection is made, after the name was resolved, so that a
// name which changes its answer gains nothing. It follows no redirect and uses no
// proxy. resolver may be nil; allowPrivate lifts the check, for tests and for
// networks of one's own.
func NewClient(resolver *net.Resolver, allowPrivate bool) *http.Client {
	d := &net.Dialer{Timeout: 5 * time.Second, Resolver: resolver}
	if !allowPrivate {
		d.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !strings.HasPrefix(network, "tcp") || !public(ap.Addr()) {
				return fmt.Errorf("connect: %w", ErrPrivate)
			}
			return nil
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            d.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  sendTimeout,
			MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       sendTimeout,
	}
}

// CheckURL refuses addresses that no delivery could reach, in words for their
// owner. Whether a name leads to a public address is only known when it is
// dialled.
func CheckURL(s string, allowPrivate bool) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > 2048 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("is not a valid address")
	case u.Scheme != "https" && (u.Scheme != "http" || !allowPrivate):
		return errors.New("must begin with https://")
	case u.User != nil:
		return errors.New("must not contain a user name or password")
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("has no host")
	case u.Fragment != "":
		return errors.New("must not have a fragment")
	}
	if allowPrivate {
		return nil
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		if !public(a) {
			return errors.New("is not a public address")
		}
		return nil
	}
	// Numbers that some resolvers read as addresses, and names of this network.
	if last := host[strings.LastIndexByte(host, '.')+1:]; last == "" || last[0] >= '0' && last[0] <= '9' || host == last ||
		last == "localhost" || last == "local" || last == "internal" || last == "localdomain" {
		return errors.New("is not a public address")
	}
	return nil
}
