package broker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// A door lets other processes of the same user into an embedded server that
// listens on no port: a socket in the data directory, which nobody else may enter.
type door struct {
	ln     net.Listener
	guests sync.WaitGroup
}

// socket is the door of the server in dir, as its clients know it.
type socket struct{ dir string }

func (s socket) path() string { return filepath.Join(s.dir, "socket") }

// InProcessConn implements nats.InProcessConnProvider.
func (s socket) InProcessConn() (net.Conn, error) { return net.Dial("unix", s.path()) } //nolint:noctx // the interface has none; nobody far away is waited for

// openDoor opens the door of the server e in dir, whose lock is ours. Without it, as
// on a file system that knows no sockets, everything but joining works.
func openDoor(log *slog.Logger, e *embedded, dir string) *door {
	d := &door{}
	path := socket{dir}.path()
	err := os.Remove(path) // of a process that was killed
	if err == nil || errors.Is(err, os.ErrNotExist) {
		d.ln, err = net.Listen("unix", path) //nolint:noctx // waits for nobody
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		log.Warn("other commands cannot join this process", "err", err)
	}
	if d.ln != nil {
		d.guests.Go(func() { d.admit(e) })
	}
	return d
}

func (d *door) admit(e *embedded) {
	for {
		guest, err := d.ln.Accept()
		if err != nil {
			return // closed
		}
		host, err := e.InProcessConn()
		if err != nil {
			_ = guest.Close() // the server is being started again
			continue
		}
		for _, way := range [][2]net.Conn{{guest, host}, {host, guest}} {
			d.guests.Go(func() {
				_, _ = io.Copy(way[0], way[1]) // either side may hang up
				_, _ = guest.Close(), host.Close()
			})
		}
	}
}

// close shuts the door and waits for the guests; the server they visit must have
// stopped.
func (d *door) close() {
	if d == nil || d.ln == nil {
		return
	}
	_ = d.ln.Close()
	d.guests.Wait()
}

// joinable returns why the process that has the data directory cannot be joined.
func (s socket) joinable() error {
	c, err := s.InProcessConn()
	if err != nil {
		return fmt.Errorf("%w, and it cannot be joined: %w; stop it, or give it NATS_LISTEN and this command NATS_URL", ErrLocked, err)
	}
	return c.Close()
}
