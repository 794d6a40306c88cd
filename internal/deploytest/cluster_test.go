package deploytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/videomsg/videomsg/internal/keys"
	"github.com/videomsg/videomsg/internal/process"
)

// TestClusterNode is no test: the cluster test starts this program again as a
// broker, so that nodes can be stopped and killed like any process.
func TestClusterNode(t *testing.T) {
	conf := os.Getenv("CLUSTER_NODE")
	if conf == "" {
		t.Skip("started by TestCluster")
	}
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	opts.LogFile = conf + ".log"
	srv, err := server.NewServer(opts) // with signals: SIGUSR2 is the lame duck
	if err != nil {
		t.Fatal(err)
	}
	srv.ConfigureLogger()
	srv.Start()
	srv.WaitForShutdown()
}

// node is one broker of the cluster.
type node struct {
	conf, monitor string
	cmd           *exec.Cmd
}

func (n *node) start(t *testing.T) {
	t.Helper()
	n.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "-test.run", "^TestClusterNode$", "-test.timeout", "0")
	n.cmd.Env = append(clean(), "CLUSTER_NODE="+n.conf)
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// stop ends the node by a signal and waits for it.
func (n *node) stop(sig syscall.Signal) {
	_ = n.cmd.Process.Signal(sig)
	_ = n.cmd.Wait()
}

// healthy waits until the node has caught up with the others.
func (n *node) healthy(t *testing.T) {
	t.Helper()
	last := ""
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		code, b, err := (client{url: "http://" + n.monitor}).do(t.Context(), "GET", "/healthz", "", nil)
		if err == nil && code == http.StatusOK {
			return
		}
		last = fmt.Sprintf("%d %s %v", code, b, err)
	}
	t.Fatalf("%s is not healthy: %s", filepath.Base(filepath.Dir(n.conf)), last)
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // held until all are known, so that they differ
		all = append(all, l.Addr().String())
	}
	return all
}

// newCluster writes keys for three nodes on loopback and starts them on the
// deployed configuration.
func newCluster(t *testing.T) (dir, url string, nodes []*node) {
	t.Helper()
	dir = t.TempDir()
	ports := freePorts(t, 12)
	var conf []keys.Node
	var urls []string
	for i := range 3 {
		p := ports[4*i:]
		conf = append(conf, keys.Node{
			Name: fmt.Sprintf("vm-%d", i+1), Listen: p[0], Monitor: p[1], WebSocket: p[2], Cluster: p[3],
			Store: filepath.Join(dir, fmt.Sprintf("store-%d", i+1)),
		})
		urls = append(urls, "tls://"+p[0])
	}
	if err := keys.Write(dir, keys.Config{Nodes: conf}); err != nil {
		t.Fatal(err)
	}
	for _, c := range conf {
		home := filepath.Join(dir, c.Name)
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		copyConf(t, home, "nats.conf", "nats-cluster.conf")
		if err := os.Rename(filepath.Join(dir, c.Name+".conf"), filepath.Join(home, "local.conf")); err != nil {
			t.Fatal(err)
		}
		n := &node{conf: filepath.Join(home, "nats-cluster.conf"), monitor: c.Monitor}
		n.start(t)
		t.Cleanup(func() { n.stop(syscall.SIGKILL) })
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.healthy(t)
	}
	return dir, strings.Join(urls, ","), nodes
}

// newS3 starts the S3 server that S3_SERVER names, with one bucket, and returns the
// environment that leads to it.
func newS3(t *testing.T) []string {
	t.Helper()
	dir, port := t.TempDir(), freePorts(t, 1)[0]
	if err := os.MkdirAll(filepath.Join(dir, "data", "videomsg"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Getenv("S3_SERVER"), "--port", port, "--region", "us-west-2", "posix", filepath.Join(dir, "data")) //nolint:gosec // the operator names it
	cmd.Env = append(clean(), "ROOT_ACCESS_KEY=testkey", "ROOT_SECRET_KEY=testsecret")
	if err := cmd.Start(); err != nil {
		t.Fatalf("S3 server: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, _, err := (client{url: "http://" + port}).do(t.Context(), "GET", "/", "", nil); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatalf("S3 server: %v", err)
		}
	}
	return []string{
		"STORAGE_BACKEND=s3", "S3_BUCKET_NAME=videomsg", "S3_ENDPOINT_URL=http://" + port, "AWS_REGION=us-west-2",
		"AWS_ACCESS_KEY_ID=testkey", "AWS_SECRET_ACCESS_KEY=testsecret", "AWS_EC2_METADATA_DISABLED=true",
	}
}

// small is the sample portrait at a size that costs little.
func small(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, process.Portrait(t, "../../testdata/portrait/sample.jpg", 160), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestCluster runs the deployment on one machine: three brokers, an S3 server, two
// gateways, two workers per stage, and 200 videos over HTTP while brokers, gateways
// and workers restart one by one. Every accepted task must complete, and no request
// may fail that a retry does not heal. The videos are short and do not move, so that
// two cores can make them.
func TestCluster(t *testing.T) {
	if os.Getenv("CLUSTER") == "" {
		t.Skip("make cluster")
	}
	tasks := 200
	dir, url, nodes := newCluster(t)
	if out, err := run(t, append(as(dir, "operator", url), "NATS_REPLICAS=3"), "bootstrap"); err != nil {
		t.Fatalf("bootstrap: %v\n%s", err, out)
	}
	secret, s3 := filepath.Join(dir, "jwt_secret"), newS3(t)
	env := func(role string) []string {
		e := slices.Concat(as(dir, role, url), s3, []string{"RATE_GENERATE=100000", "RATE_WRITES=100000"})
		if role == "gateway" {
			e = append(e, "JWT_SECRET_KEY_FILE="+secret)
		}
		return e
	}
	gateways := []*process.Running{serve(t, "gateway", env("gateway")...), serve(t, "gateway", env("gateway")...)}
	roles := []string{"video", "voice", "status", "image", "prosody", "bgm"}
	var workers []*process.Running
	for range 2 {
		for _, role := range roles {
			workers = append(workers, serve(t, role, env(role)...))
		}
	}
	addresses := []*atomic.Pointer[string]{{}, {}}
	for i, g := range gateways {
		addresses[i].Store(&g.URL)
	}
	tok := token(t, secret)
	fields := map[string]any{
		"image": small(t), "text": "はい。", "consent": "true", "aspect": "source", "background": "original", "bgm_type": "none", "require": "video=still",
	}

	// Submit from four clients, each request with a key, so that trying again is
	// harmless, and at the other gateway after a failure.
	var mu sync.Mutex
	var accepted []string
	var retries, hard atomic.Int64
	next := make(chan int)
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for i := range next {
				ok := false
				for try := range 60 {
					c := client{*addresses[(i+try)%2].Load(), tok}
					ct, body := process.Form(t, fields)
					id, err := c.submit(t.Context(), ct, body, fmt.Sprintf("cluster-%d", i))
					if err == nil {
						mu.Lock()
						accepted = append(accepted, id)
						mu.Unlock()
						ok = true
						break
					}
					retries.Add(1)
					time.Sleep(500 * time.Millisecond)
				}
				if !ok {
					hard.Add(1)
				}
			}
		})
	}
	const killed = 3 // of the workers
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
			nodes[i].stop(sig)
			nodes[i].start(t)
			nodes[i].healthy(t)
			t.Logf("broker %d is back after %v", i+1, sig)
			if i < 2 {
				gateways[i].Stop()
				p, err := start(t, "gateway", env("gateway")...)
				if err != nil {
					t.Errorf("gateway %d: %v", i+1, err)
					return
				}
				t.Cleanup(p.Stop)
				addresses[i].Store(&p.URL)
			}
			workers[i].Kill()
			p, err := start(t, roles[i], env(roles[i])...)
			if err != nil {
				t.Errorf("%s: %v", roles[i], err)
				return
			}
			t.Cleanup(p.Stop)
		}
	}()
	for i := range tasks {
		next <- i
		time.Sleep(100 * time.Millisecond)
	}
	close(next)
	clients.Wait()
	<-restarted
	if n := hard.Load(); n > 0 {
		t.Errorf("%d requests failed for good", n)
	}
	unique := map[string]bool{}
	for _, id := range accepted {
		unique[id] = true
	}
	if len(unique) != tasks {
		t.Errorf("%d tasks of %d requests", len(unique), tasks)
	}
	c := client{*addresses[0].Load(), tok}
	states := map[string]int{}
	for id := range unique {
		states[fmt.Sprint(c.await(t, id, 20*time.Minute)["status"])]++
	}
	t.Logf("%d tasks, %d retries of clients, ended as %v", len(unique), retries.Load(), states)
	if states["completed"] != tasks {
		t.Errorf("ended as %v", states)
	}
	for i, w := range workers[killed:] {
		select {
		case <-w.Done():
			t.Errorf("the %s process ended by itself", roles[(killed+i)%len(roles)])
		default:
		}
	}
}

// submit asks for a video.
func (c client) submit(ctx context.Context, contentType string, body interface{ Read([]byte) (int, error) }, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/api/video/generate", body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Prefer", "respond-async")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // read below
	var a struct {
		ID string `json:"task_id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil || a.ID == "" {
		return "", fmt.Errorf("%s: %w", res.Status, err)
	}
	return a.ID, nil
}
