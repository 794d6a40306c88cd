package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// A run is what wrk says about one round.
type round struct {
	perSecond float64
	p99       time.Duration
	cpu       float64 // processor seconds of the server per 1,000 requests
}

var (
	wrkRate = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkP99  = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)`)
	wrkAll  = regexp.MustCompile(`(\d+) requests in`)
	wrkBad  = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// load runs wrk against a server of the given processes.
func load(ctx context.Context, url, token string, pids ...int) (round, error) {
	before := 0.0
	for _, p := range pids {
		before += cpu(p)
	}
	args := []string{"-t1", "-c32", "-d4s", "--latency"}
	if token != "" {
		args = append(args, "-H", "Authorization: Bearer "+token)
	}
	out, err := exec.CommandContext(ctx, "wrk", append(args, url)...).CombinedOutput()
	if err != nil {
		return round{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if m := wrkBad.FindSubmatch(out); m != nil {
		return round{}, fmt.Errorf("%s: %s answers that are no success", url, m[1])
	}
	rate, p99, all := wrkRate.FindSubmatch(out), wrkP99.FindSubmatch(out), wrkAll.FindSubmatch(out)
	if rate == nil || p99 == nil || all == nil {
		return round{}, fmt.Errorf("wrk says %s", out)
	}
	after := 0.0
	for _, p := range pids {
		after += cpu(p)
	}
	var r round
	if r.perSecond, err = strconv.ParseFloat(string(rate[1]), 64); err != nil {
		return r, err
	}
	if r.p99, err = time.ParseDuration(string(p99[1]) + string(p99[2])); err != nil {
		return r, err
	}
	n, err := strconv.ParseFloat(string(all[1]), 64)
	r.cpu = (after - before) / n * 1000
	return r, err
}

// statuses compares status requests.
func statuses(ctx context.Context, rounds int) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is not installed: apt-get install wrk")
	}
	ours, err := self(ctx, "ours")
	if err != nil {
		return err
	}
	defer ours.stop()
	task, err := ours.line()
	if err != nil {
		return err
	}
	token, err := ours.line()
	if err != nil {
		return err
	}
	constant, err := self(ctx, "constant")
	if err != nil {
		return err
	}
	defer constant.stop()
	bare, err := self(ctx, "bare")
	if err != nil {
		return err
	}
	defer bare.stop()
	path := "/api/video/status/" + task
	doc, err := fetch(ctx, ours.url+path, token)
	if err != nil {
		return err
	}
	fast, err := startFastAPI(ctx, task, doc)
	if err != nil {
		fmt.Fprintln(os.Stderr, "without FastAPI:", err)
	} else {
		defer fast.stop()
	}
	servers := []struct {
		name, url, token string
		pids             []int
		rounds           []round
	}{
		{name: "ours", url: ours.url + path, token: token, pids: []int{ours.cmd.Process.Pid}},
		{name: "bare-chi", url: constant.url + path, token: token, pids: []int{constant.cmd.Process.Pid}},
		{name: "bare-net-http", url: bare.url + path, token: token, pids: []int{bare.cmd.Process.Pid}},
		// It sends what Redis has, to anybody.
		{name: "fastapi-redis", url: fast.address() + path, pids: fast.pids()},
		// It asks who it is and whose task it is, and answers with an ETag, as ours.
		{name: "fastapi-redis-owned", url: fast.address() + "/owned" + path, token: token, pids: fast.pids()},
	}
	if fast == nil {
		servers = servers[:3]
	}
	for range rounds {
		for i := range servers {
			s := &servers[i]
			r, err := load(ctx, s.url, s.token, s.pids...)
			if err != nil {
				return err
			}
			s.rounds = append(s.rounds, r)
		}
	}
	for _, peer := range servers[1:] {
		print2("status/requests-per-s/"+peer.name, servers[0].rounds, peer.rounds, func(r round) float64 { return r.perSecond })
		print2("status/cpu-s-per-1000/"+peer.name, servers[0].rounds, peer.rounds, func(r round) float64 { return r.cpu })
		print2("status/p99-ms/"+peer.name, servers[0].rounds, peer.rounds, func(r round) float64 { return r.p99.Seconds() * 1000 })
	}
	return nil
}

// print2 prints medians, and the median of the rounds' ratios.
func print2(name string, ours, peer []round, f func(round) float64) {
	var a, b, ratio []float64
	for i := range ours {
		a, b = append(a, f(ours[i])), append(b, f(peer[i]))
		ratio = append(ratio, f(ours[i])/f(peer[i]))
	}
	fmt.Printf("bench: gateway/%s ours=%.4g peer=%.4g ratio=%.3g\n", name, median(a), median(b), median(ratio))
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

func fetch(ctx context.Context, url, token string) ([]byte, error) {
	deadline := time.Now().Add(5 * time.Second)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			b, e := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK && e == nil {
				return b, nil
			}
			err = fmt.Errorf("%s: %s", res.Status, b)
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// A fastAPI is the peer: uvicorn, with uvloop, httptools and a worker per core of
// the two that such a machine has, in front of Redis.
type fastAPI struct {
	redis, uvicorn *exec.Cmd
	url            string
}

func (f *fastAPI) address() string {
	if f == nil {
		return ""
	}
	return f.url
}

// pids are the processes whose time counts: the workers are children.
func (f *fastAPI) pids() []int {
	if f == nil {
		return nil
	}
	pids := []int{f.redis.Process.Pid, f.uvicorn.Process.Pid}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return pids
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var pid, parent int
		var comm, state string
		if _, err := fmt.Sscanf(string(b), "%d %s %s %d", &pid, &comm, &state, &parent); err == nil && parent == f.uvicorn.Process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (f *fastAPI) stop() {
	for _, c := range []*exec.Cmd{f.uvicorn, f.redis} {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	}
}

func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close() //nolint:errcheck // only its port is wanted
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, err
}

func startFastAPI(ctx context.Context, task string, doc []byte) (*fastAPI, error) {
	const python = "/usr/bin/python3"
	if out, err := exec.CommandContext(ctx, python, "-c", "import fastapi, uvicorn, redis, jwt").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("apt-get install python3-fastapi python3-uvicorn python3-uvloop python3-httptools python3-redis python3-hiredis python3-jwt: %w: %s", err, out)
	}
	redisPort, err := freePort()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	f := &fastAPI{url: "http://127.0.0.1:" + port}
	f.redis = exec.CommandContext(ctx, "redis-server", "--port", redisPort, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err := f.redis.Start(); err != nil {
		return nil, err
	}
	f.uvicorn = exec.CommandContext(ctx, python, "-m", "uvicorn", "fastapi_status:app", "--port", port, "--workers", "2", "--no-access-log", "--log-level", "warning")
	f.uvicorn.Dir = "bench/peers"
	f.uvicorn.Env = append(os.Environ(), "REDIS_URL=redis://127.0.0.1:"+redisPort, "JWT_SECRET_KEY="+secret)
	f.uvicorn.Stderr = os.Stderr
	if err := f.uvicorn.Start(); err != nil {
		return nil, err
	}
	time.Sleep(500 * time.Millisecond)
	put := exec.CommandContext(ctx, python, "-c", "import redis,sys; r=redis.Redis(port=int(sys.argv[1])); r.set(sys.argv[2], sys.stdin.buffer.read()); r.set('owner:'+sys.argv[2], 'bench')", redisPort, "task:"+task)
	in, err := put.StdinPipe()
	if err != nil {
		return nil, err
	}
	go func() {
		_, _ = in.Write(doc)
		_ = in.Close()
	}()
	if out, err := put.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("put: %w: %s", err, out)
	}
	_, err = fetch(ctx, f.url+"/api/video/status/"+task, "")
	return f, err
}
