// Package deploytest holds deploy/ against what it is for: the broker's file is
// started and every user tried, the other files are read as their programs would.
package deploytest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/videomsg/videomsg/internal/keys"
)

const deploy = "../../deploy"

// site is one installation: a broker on deploy/nats.conf and its keys.
type site struct {
	dir string
	srv *server.Server
}

// newSite makes keys and starts the broker.
func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	if err := keys.Write(s.dir, keys.Config{Nodes: []keys.Node{{
		Name: "vm-test", Listen: "127.0.0.1:-1", Monitor: "127.0.0.1:-1", WebSocket: "127.0.0.1:-1",
	}}}); err != nil {
		t.Fatal(err)
	}
	copyConf(t, s.dir, "nats.conf")
	opts, err := server.ProcessConfigFile(filepath.Join(s.dir, "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	opts.NoLog, opts.NoSigs = true, true
	if s.srv, err = server.NewServer(opts); err != nil {
		t.Fatal(err)
	}
	s.srv.Start()
	t.Cleanup(func() { s.srv.Shutdown(); s.srv.WaitForShutdown() })
	if !s.srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("broker not ready")
	}
	return s
}

func copyConf(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(deploy, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

func (s *site) url() string { return "tls://" + s.srv.Addr().String() }

// connect is a connection as one of the users.
func (s *site) connect(t testing.TB, user string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	key, err := nats.NkeyOptionFromSeed(s.file(user + ".nk"))
	if err != nil {
		t.Fatal(err)
	}
	opts = append([]nats.Option{
		key, nats.RootCAs(s.file("ca.pem")), nats.CustomInboxPrefix("_INBOX_" + user), nats.PermissionErrOnSubscribe(true),
	}, opts...)
	nc, err := nats.Connect(s.url(), opts...)
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(nc.Close)
	return nc
}
