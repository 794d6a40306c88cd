package deploytest

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// plainBroker starts a broker without users or TLS and returns its address.
func plainBroker(t *testing.T) string {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("broker not ready")
	}
	return srv.ClientURL()
}

// declareAs declares the event stream as another version would.
func declareAs(t *testing.T, url string, change func(*jetstream.StreamConfig)) {
	t.Helper()
	if out, err := run(t, []string{"NATS_URL=" + url}, "bootstrap"); err != nil {
		t.Fatalf("bootstrap: %v\n%s", err, out)
	}
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "VM_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	conf := s.CachedInfo().Config
	change(&conf)
	if err := js.DeleteStream(t.Context(), conf.Name); err != nil { // schedules cannot be taken away
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
}

// skewed passes everything on to the broker at url, whose answers it dates back to
// another year: to the program that is a broker with a wrong clock, or its own.
func skewed(t *testing.T, url string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	year := []byte(time.Now().UTC().Format(`"ts":"2006-`))
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://"))
			if err != nil {
				_ = in.Close()
				return
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() {
				defer in.Close() //nolint:errcheck // the program has ended
				for buf := make([]byte, 256<<10); ; {
					n, err := out.Read(buf)
					if err != nil {
						return
					}
					if _, err := in.Write(bytes.ReplaceAll(buf[:n], year, []byte(`"ts":"2019-`))); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "nats://" + ln.Addr().String()
}

// TestFullDisk starts the program on a disk that has no room: it says so, and leaves
// the disk as it was.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	t.Parallel()
	dir := t.TempDir()
	script := `mount -t tmpfs -o size=4m none "$1" && DATA_DIR="$1" PORT=0 "$2" serve; code=$?; ls -A "$1"; exit $code`
	if out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "true").CombinedOutput(); err != nil {
		t.Skipf("no file system of one's own may be mounted here: %v %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", script, "sh", dir, binary(t))
	cmd.Env = clean()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "MB free") || strings.Contains(string(out), "listens on") {
		t.Errorf("%v:\n%s", err, out)
	}
	if lines := strings.Count(strings.TrimSpace(string(out)), "\n"); lines > 0 {
		t.Errorf("more than one line is said, or something is left:\n%s", out)
	}
}

// TestBadSettings starts the program with what operators get wrong. Each start must
// end with an exit code and a sentence that names the setting, before anything
// listens.
func TestBadSettings(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	t.Parallel()
	s, other := newSite(t), newSite(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := func(env ...string) []string { return append([]string{"PORT=0", "DATA_DIR=" + t.TempDir()}, env...) }
	// A broker without users, for what is not about users.
	open := func(change func(*jetstream.StreamConfig)) string {
		url := plainBroker(t)
		declareAs(t, url, change)
		return url
	}
	late := skewed(t, plainBroker(t))
	for name, c := range map[string]struct {
		env  []string
		role string
		want string
	}{
		"production without a secret":   {dir("ENVIRONMENT=production"), "gateway", "JWT_SECRET_KEY is required"},
		"a short secret":                {dir("JWT_SECRET_KEY=short"), "gateway", "JWT_SECRET_KEY of 5 bytes"},
		"a secret's file that is gone":  {dir("JWT_SECRET_KEY_FILE=/none"), "gateway", "JWT_SECRET_KEY_FILE: open /none"},
		"no secret beyond loopback":     {dir("LISTEN=0.0.0.0"), "gateway", "LISTEN="},
		"production without TLS":        {dir("ENVIRONMENT=production", "NATS_URL=nats://127.0.0.1:1"), "voice", "tls://"},
		"a misspelt name":               {dir("VOICEVOX_ULR=http://x"), "voice", "did you mean VOICEVOX_URL?"},
		"a number out of range":         {dir("PORT=70000"), "voice", "PORT="},
		"a seed that is gone":           {append(as(s.dir, "nobody", s.url()), dir()...), "voice", "nkey seed"},
		"a seed of another place":       {append(as(s.dir, "voice", s.url()), dir("NATS_NKEY="+other.file("voice.nk"))...), "voice", "Authorization"},
		"an authority of another place": {append(as(s.dir, "voice", s.url()), dir("NATS_CA="+other.file("ca.pem"))...), "voice", "certificate"},
		"nothing declared":              {append(as(s.dir, "voice", s.url()), dir("NATS_DECLARE=false")...), "voice", "videomsg bootstrap"},
		"a role's user that may not":    {append(as(s.dir, "voice", s.url()), dir()...), "voice", "ermissions"},
		"a near miss":                   {dir("NATS_URI=nats://127.0.0.1:1"), "voice", "did you mean NATS_URL?"},
		"a name of nobody":              {dir("VOICEVOX_COLOUR_OF_HAIR=1"), "voice", "`videomsg env` lists them"},
		"two secrets":                   {dir("JWT_SECRET_KEY="+strings.Repeat("x", 32), "JWT_SECRET_KEY_FILE="+file), "gateway", "both set"},
		"a broker that is away":         {dir("NATS_URL=nats://127.0.0.1:1", "NATS_WAIT=1s"), "voice", "broker did not answer within 1s"},
		"a stream of an older version": {dir("NATS_DECLARE=false", "NATS_URL="+open(func(c *jetstream.StreamConfig) {
			c.Subjects, c.AllowMsgSchedules = []string{"vm.*.*.*"}, false
		})), "voice", "declared by an older program: it lacks message schedules"},
		"a stream of other settings": {dir("NATS_URL=" + open(func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })), "voice", "MaxAge is 1h0m0s, should be 720h0m0s"},
		"a stream of a newer version": {dir("NATS_URL=" + open(func(c *jetstream.StreamConfig) {
			c.Metadata = map[string]string{"videomsg.topology": "99"}
		})), "voice", "declared by a newer program (topology 99"},
		"a clock that is wrong":            {dir("NATS_URL=" + late), "voice", "clocks differ"},
		"a port that is taken":             {dir("PORT=" + port), "gateway", "address already in use"},
		"an engine's address that is none": {dir("VOICEVOX_URL=voicevox"), "voice", "VOICEVOX_URL=\"voicevox\": must be an address"},
		"a file in place of the data":      {[]string{"PORT=0", "DATA_DIR=" + file}, "voice", "data directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, c.env, "serve", "--roles", c.role)
			if err == nil || !strings.Contains(out, c.want) {
				t.Errorf("%v, want %q in:\n%s", err, c.want, out)
			}
			if strings.Contains(out, "videomsg listens on") {
				t.Errorf("it listened:\n%s", out)
			}
			// Nothing is half-started: only an embedded broker has made its directory,
			// and it has let go of it.
			for _, kv := range c.env {
				if data, ok := strings.CutPrefix(kv, "DATA_DIR="); ok && name != "a file in place of the data" && name != "a port that is taken" {
					if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
						t.Errorf("left behind: %v, %v", left, err)
					}
				}
			}
		})
	}
}
