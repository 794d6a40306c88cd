package notify

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

func TestPrivateAddressesAreNotPublic(t *testing.T) {
	for a := range strings.FieldsSeq(`0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255
		192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
		:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::a00:1 100::1 2001::1 2001:db8::1 2002:7f00:1::1
		3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fec0::1 ff02::1 fe80::1%eth0`) {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s counts as public", a)
		}
	}
	for a := range strings.FieldsSeq(`1.1.1.1 8.8.8.8 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 192.169.0.1 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8`) {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s does not count as public", a)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address counts as public")
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for _, u := range []string{
		"", "https://", "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "//example.com/",
		"https://user:pass@example.com/", "https://user@example.com/", "https://example.com/#x", "https://example.com/ x", "https://exa\nmple.com/",
		"https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://017700000001/", "https://0177.0.0.1/", "https://0/",
		"https://0.0.0.0/", "https://10.1.2.3:8443/", "https://169.254.169.254/latest/meta-data", "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/",
		"https://[::ffff:7f00:1]/", "https://[fe80::1%25eth0]/", "https://[64:ff9b::7f00:1]/", "https://[fd00::1]/", "https://localhost/", "https://LOCALHOST./", "https://a.localhost/",
		"https://metadata.google.internal/", "https://printer.local/", "https://router/", "https://example.com./..%2f" + strings.Repeat("a", 2100), "https://１２７.0.0.1/",
	} {
		if err := CheckURL(u, false); err == nil && u != "https://１２７.0.0.1/" {
			t.Errorf("%s is taken", u)
		}
	}
	for _, u := range []string{"https://example.com/hook", "https://example.com:8443/hook?x=1", "https://1.1.1.1/", "https://[2606:4700::1111]/", "https://日本.example/hook"} {
		if err := CheckURL(u, false); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	if err := CheckURL("http://127.0.0.1:8080/", true); err != nil {
		t.Errorf("private addresses allowed: %v", err)
	}
}

// rebinder is a name server whose answer changes: first a public address, then
// this machine.
func rebinder(t *testing.T, answers func(n int64) netip.Addr) (*net.Resolver, *atomic.Int64) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	var asked atomic.Int64
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			q := buf[:n]
			end := 12
			for q[end] != 0 {
				end += int(q[end]) + 1
			}
			end += 5
			kind := binary.BigEndian.Uint16(q[end-4:])
			res := append([]byte{}, q[:end]...)
			res[2], res[3] = 0x81, 0x80
			copy(res[6:12], make([]byte, 6)) // no answers yet, no additional records
			a := answers(asked.Load())
			if kind == 1 && a.Is4() || kind == 28 && a.Is6() {
				asked.Add(1)
				res[7] = 1
				res = append(res, 0xc0, 12, byte(kind>>8), byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(a.AsSlice())))
				res = append(res, a.AsSlice()...)
			}
			if _, err := pc.WriteTo(res, from); err != nil {
				return
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}, &asked
}

func TestDialerRefusesWhatNamesLeadTo(t *testing.T) {
	var hits atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer inside.Close()
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, answers := range map[string]func(int64) netip.Addr{
		"this machine": func(int64) netip.Addr { return netip.MustParseAddr("127.0.0.1") },
		"any address":  func(int64) netip.Addr { return netip.MustParseAddr("0.0.0.0") },
		"metadata":     func(int64) netip.Addr { return netip.MustParseAddr("169.254.169.254") },
		"IPv6 loopback": func(int64) netip.Addr {
			return netip.MustParseAddr("::1")
		},
		"IPv4 in IPv6": func(int64) netip.Addr { return netip.MustParseAddr("::ffff:127.0.0.1") },
		"NAT64":        func(int64) netip.Addr { return netip.MustParseAddr("64:ff9b::7f00:1") },
		// Good when it is looked at, bad when it is dialled.
		"rebinding": func(n int64) netip.Addr {
			if n == 0 {
				return netip.MustParseAddr("203.0.114.1")
			}
			return netip.MustParseAddr("127.0.0.1")
		},
	} {
		resolver, asked := rebinder(t, answers)
		host := "hook.example"
		if name == "rebinding" { // the first look, as a careful client would have it
			if _, err := resolver.LookupHost(t.Context(), host); err != nil {
				t.Fatal(err)
			}
		}
		res, err := NewClient(resolver, false).Get("http://" + net.JoinHostPort(host, port) + "/")
		if err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: connected", name)
		} else if !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v", name, err)
		}
		if asked.Load() == 0 {
			t.Errorf("%s: the name server was not asked", name)
		}
	}
	for _, host := range []string{"127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]", "localhost"} {
		if res, err := NewClient(nil, false).Get("http://" + host + ":" + port + "/"); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: connected", host)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the server inside was reached %d times", n)
	}
	resolver, _ := rebinder(t, func(int64) netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	res, err := NewClient(resolver, true).Get("http://" + net.JoinHostPort("hook.example", port) + "/")
	if err != nil {
		t.Fatalf("allowed: %v", err)
	}
	_ = res.Body.Close()
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var hits atomic.Int64
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/else" {
			hits.Add(1)
		}
		http.Redirect(w, r, "/else", http.StatusTemporaryRedirect)
	}))
	defer far.Close()
	res, err := NewClient(nil, true).Post(far.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 307 || hits.Load() != 0 {
		t.Errorf("%s, followed %d times", res.Status, hits.Load())
	}
}
