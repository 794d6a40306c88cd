package pipeline

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"testing"

	"github.com/videomsg/videomsg/broker"
)

// python has the packages of the system, unlike one of a user's own.
const python = "/usr/bin/python3"

// celery is what bench/peers/celery_chain.py measures.
func celery(b *testing.B, n, idle int) figures {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), python, "../peers/celery_chain.py", strconv.Itoa(n), strconv.Itoa(idle)).Output()
	if err != nil {
		b.Fatal(err)
	}
	var got struct{ CPU, Rate, P50, P99 float64 }
	if err := json.Unmarshal(out, &got); err != nil {
		b.Fatal(err)
	}
	return figures{cpu: got.CPU, rate: got.Rate, idle: latency{got.P50, got.P99}}
}

// BenchmarkPipelineCelery compares with Celery on Redis doing the same five steps;
// bench/peers/pipeline.sh installs them. Tasks are submitted as the gateway does it.
func BenchmarkPipelineCelery(b *testing.B) {
	if exec.CommandContext(b.Context(), python, "-c", "import celery, redis").Run() != nil {
		b.Skip("Celery is not installed: sh bench/peers/pipeline.sh")
	}
	rounds, n, idle := 3, 600, 100
	if testing.Short() {
		rounds, n, idle = 1, 300, 30
	}
	var us, peer []figures
	for range rounds {
		o := newOurs(b, broker.Config{})
		o.whole = true
		us = append(us, round(b, o, n, idle, 0))
		peer = append(peer, celery(b, n, idle))
	}
	show(us, peer, "pipeline-celery", "s/1000tasks", false, func(f figures) float64 { return f.cpu })
	show(us, peer, "pipeline-celery-saturated", "tasks/s", true, func(f figures) float64 { return f.rate })
	show(us, peer, "pipeline-celery-idle-p50", "ms", false, func(f figures) float64 { return f.idle.p50 })
	show(us, peer, "pipeline-celery-idle-p99", "ms", false, func(f figures) float64 { return f.idle.p99 })
}
