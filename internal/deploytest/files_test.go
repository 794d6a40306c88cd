package deploytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/internal/keys"
)

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestNginx has nginx read both sites. Names of the compose network and what the
// installed version may not know yet are replaced; the rest is as it is deployed.
func TestNginx(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("nginx is not installed: make setup-test")
	}
	dir := t.TempDir()
	if err := keys.Write(filepath.Join(dir, "keys"), keys.Config{}); err != nil {
		t.Fatal(err)
	}
	for _, site := range []string{"plain.conf", "tls.conf"} {
		conf := strings.NewReplacer(
			"server gateway:55433 resolve", "server 127.0.0.1:55433",
			"user nginx;", "", "/run/nginx.pid", filepath.Join(dir, "pid"),
			"include mime.types;", "", "include site.conf;", "include "+filepath.Join(dir, site)+";",
		).Replace(read(t, filepath.Join(deploy, "nginx/nginx.conf")))
		body := strings.NewReplacer(
			"/run/secrets/site_cert", filepath.Join(dir, "keys/server.pem"), "/run/secrets/site_key", filepath.Join(dir, "keys/server-key.pem"),
			"  http2 on;\n", "", "listen 80 ", "listen 127.0.0.1:58080 ", "listen 443 ", "listen 127.0.0.1:58443 ",
		).Replace(read(t, filepath.Join(deploy, "nginx", site)))
		for name, text := range map[string]string{"nginx.conf": conf, site: body} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.CommandContext(t.Context(), "nginx", "-t", "-q", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", site, err, out)
		}
	}
}

// instructions are a Dockerfile's, with continued lines joined.
func instructions(text string) (list [][2]string) {
	text = regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, " ")
	for line := range strings.Lines(text) {
		if word, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			list = append(list, [2]string{strings.ToUpper(word), strings.TrimSpace(rest)})
		}
	}
	return list
}

// lint says what a Dockerfile does that ours must not.
func lint(text string) (found []string) {
	is := func(bad bool, what string) {
		if bad {
			found = append(found, what)
		}
	}
	stages, user, health, args := 0, "", false, map[string]string{}
	for _, in := range instructions(text) {
		word, rest := in[0], in[1]
		switch word {
		case "ARG":
			k, v, _ := strings.Cut(rest, "=")
			args["${"+k+"}"] = v
		case "FROM":
			stages++
			user = ""
			image, _, _ := strings.Cut(rest, " ")
			if v, ok := args[image]; ok {
				image = v
			}
			is(!strings.Contains(image, ":") || strings.HasSuffix(image, ":latest"), "image without a version: "+image)
		case "USER":
			user = rest
		case "HEALTHCHECK":
			health = true
		case "ADD":
			found = append(found, "ADD instead of COPY: "+rest)
		case "RUN":
			is(strings.Contains(rest, "apt-get install") && !strings.Contains(rest, "--no-install-recommends"), "apt-get without --no-install-recommends")
			is(strings.Contains(rest, "apt-get install") && !strings.Contains(rest, "/var/lib/apt/lists"), "package lists stay in the image")
			is(strings.Contains(rest, "apt-get install") && !strings.Contains(rest, "apt-get update"), "install without update in one layer")
			is(strings.Contains(rest, "sudo "), "sudo")
			is(regexp.MustCompile(`curl[^|]*\|\s*(ba)?sh`).MatchString(rest), "runs what it downloads")
		case "ENV":
			is(regexp.MustCompile(`(?i)(secret|password|token)\w*=`).MatchString(rest), "secret in the image: "+rest)
		}
	}
	is(stages < 2, "one stage: the tools are in the image")
	is(user == "" || strings.HasPrefix(user, "0") || strings.HasPrefix(user, "root"), "runs as root")
	is(!health, "no HEALTHCHECK")
	return found
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := read(t, filepath.Join(deploy, "Dockerfile"))
	for _, f := range lint(text) {
		t.Error(f)
	}
	// What it copies exists, and what it needs is what the Makefile needs.
	for _, in := range instructions(text) {
		if in[0] != "COPY" || strings.HasPrefix(in[1], "--from") {
			continue
		}
		fields := strings.Fields(in[1])
		for _, f := range fields[:len(fields)-1] {
			if _, err := os.Stat(filepath.Join("../..", f)); err != nil {
				t.Error(err)
			}
		}
	}
	programs := regexp.MustCompile(`(?m)^PROGRAMS := (.*)$`).FindStringSubmatch(read(t, "../../Makefile"))
	if programs == nil {
		t.Fatal("no PROGRAMS in the Makefile")
	}
	for pair := range strings.FieldsSeq(programs[1]) {
		if _, pkg, _ := strings.Cut(pair, "="); !strings.Contains(text, " "+pkg+" ") {
			t.Errorf("the image lacks %s", pkg)
		}
	}
	if found := lint("FROM debian\nADD x /\nRUN apt-get install -y curl && curl http://x | sh\nENV API_TOKEN=x\n"); len(found) < 8 {
		t.Errorf("the linter finds only %q in a bad file", found)
	}
	if _, err := exec.LookPath("docker"); err != nil || exec.CommandContext(t.Context(), "docker", "info").Run() != nil || os.Getenv("DEPLOY_BUILD") == "" {
		t.Log("the image is built with DEPLOY_BUILD=1 where a Docker engine runs")
		return
	}
	if out, err := exec.CommandContext(t.Context(), "docker", "build", "-f", filepath.Join(deploy, "Dockerfile"), "-t", "videomsg:test", "../..").CombinedOutput(); err != nil {
		t.Errorf("build: %v\n%s", err, out)
	}
}

// TestSystemd checks what systemd-analyze cannot without the installed program:
// sections, repeated single values, and that units are confined.
func TestSystemd(t *testing.T) {
	t.Parallel()
	units, err := filepath.Glob(filepath.Join(deploy, "systemd/*.service"))
	if err != nil || len(units) < 3 {
		t.Fatalf("units: %v, %v", units, err)
	}
	for _, path := range units {
		text := read(t, path)
		for _, want := range []string{"[Unit]", "[Service]", "[Install]", "ExecStart=/", "NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryMax=", "Restart=on-failure", "CapabilityBoundingSet=\n", "TimeoutStopSec="} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", filepath.Base(path), want)
			}
		}
		if !strings.Contains(text, "DynamicUser=yes") && !strings.Contains(text, "User=") {
			t.Errorf("%s runs as root", filepath.Base(path))
		}
		for n, line := range strings.Split(text, "\n") {
			if line != "" && line[0] != '#' && line[0] != '[' && !strings.Contains(line, "=") {
				t.Errorf("%s:%d: %q", filepath.Base(path), n+1, line)
			}
		}
	}
}

// TestClusterNodesAgree holds that a node differs from the others in its own
// settings only.
func TestClusterNodesAgree(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	nodes := []keys.Node{{Name: "vm-1", Cluster: "a:6222"}, {Name: "vm-2", Cluster: "b:6222"}, {Name: "vm-3", Cluster: "c:6222"}}
	if err := keys.Write(dir, keys.Config{Nodes: nodes, Path: "/etc/nats"}); err != nil {
		t.Fatal(err)
	}
	if err := keys.Write(dir, keys.Config{Nodes: nodes}); err == nil {
		t.Error("keys were replaced")
	}
	public := func(name string) string {
		_, after, _ := strings.Cut(read(t, filepath.Join(dir, name)), "# Public halves")
		return after
	}
	one := public("vm-1.conf")
	if strings.Count(one, "KEY_") != len(keys.Users()) || one != public("vm-2.conf") || one != public("vm-3.conf") {
		t.Errorf("the nodes have different keys:\n%s", one)
	}
	if conf := read(t, filepath.Join(dir, "vm-2.conf")); !strings.Contains(conf, `"nats-route://a:6222", "nats-route://c:6222"`) || strings.Contains(conf, "nats-route://b:") {
		t.Errorf("routes of vm-2:\n%s", conf)
	}
	for _, f := range append([]string{"jwt_secret", "server-key.pem"}, "gateway.nk") {
		if fi, err := os.Stat(filepath.Join(dir, f)); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, fi.Mode(), err)
		}
	}
}
