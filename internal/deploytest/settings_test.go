package deploytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
	dir := func(env ...string) []string { return append([]string{"PORT=0", "DATA_DIR=" + t.TempDir()}, env...) }
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
		"a file in place of the data":   {[]string{"PORT=0", "DATA_DIR=" + file}, "voice", "data directory"},
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
		})
	}
}
