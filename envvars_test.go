package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ env, want string }{
		"takes every setting":               {"VOICEVOX_URL=x", ""},
		"takes a file of a setting":         {"JWT_SECRET_KEY_FILE=/x", ""},
		"leaves other programs alone":       {"HOSTNAME=x", ""},
		"leaves AWS's own variables alone":  {"AWS_ACCESS_KEY_ID=x", ""},
		"leaves service links alone":        {"NATS_SERVICE_HOST=10.0.0.1", ""},
		"leaves port links alone":           {"NATS_PORT_4222_TCP=tcp://10.0.0.1:4222", ""},
		"suggests the name that was meant":  {"VOICEVOX_ULR=x", "did you mean VOICEVOX_URL?"},
		"sees a missing letter":             {"JWT_SECRT_KEY=x", "did you mean JWT_SECRET_KEY?"},
		"sees a missing underscore":         {"SHUTDOWNGRACE=1s", "did you mean SHUTDOWN_GRACE?"},
		"refuses a setting that is nowhere": {"REMBG_SOMETHING_ELSE=1", "videomsg env"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkNames([]string{"PATH=/bin", c.env})
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s: %v", c.env, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s: %v, want %q", c.env, err, c.want)
			}
		})
	}
}

func TestSecretsByFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good := write("good", strings.Repeat("s", 40)+"\n")
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"reads the file":          {map[string]string{"JWT_SECRET_KEY_FILE": good}, ""},
		"refuses both":            {map[string]string{"JWT_SECRET_KEY_FILE": good, "JWT_SECRET_KEY": "x"}, "are both set"},
		"names a missing file":    {map[string]string{"JWT_SECRET_KEY_FILE": filepath.Join(dir, "none")}, "JWT_SECRET_KEY_FILE: open"},
		"refuses an empty file":   {map[string]string{"JWT_SECRET_KEY_FILE": write("empty", "\n")}, "is empty"},
		"refuses a huge file":     {map[string]string{"JWT_SECRET_KEY_FILE": write("huge", strings.Repeat("x", maxSecret+1))}, "more than"},
		"refuses a short secret":  {map[string]string{"JWT_SECRET_KEY_FILE": write("short", "abc")}, "at least 32"},
		"needs one in production": {map[string]string{"ENVIRONMENT": "production"}, "JWT_SECRET_KEY is required"},
		"needs TLS in production": {map[string]string{"ENVIRONMENT": "production", "JWT_SECRET_KEY_FILE": good, "NATS_URL": "nats://b:4222"}, "tls://"},
		"needs both halves":       {map[string]string{"NATS_CERT": "x"}, "NATS_CERT and NATS_KEY"},
		"needs a declarer":        {map[string]string{"NATS_DECLARE": "false"}, "NATS_DECLARE=false needs NATS_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf, err := loadConfig(func(k string) string { return c.env[k] })
			if c.want == "" {
				if err != nil || conf.Gateway.Secret != strings.Repeat("s", 40) {
					t.Errorf("secret of %d bytes, %v", len(conf.Gateway.Secret), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
