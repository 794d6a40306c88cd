package pipeline

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/videomsg/videomsg/broker"
)

// BenchmarkPipelineWatermill compares with Watermill doing the same on a nats-server
// of the same kind. The server's CPU seconds count on both sides. What Watermill
// carries does not grow from stage to stage, and it asks for no deduplication.
func BenchmarkPipelineWatermill(b *testing.B) {
	rounds, n := 3, 800
	if testing.Short() {
		rounds, n = 1, 300
	}
	server, peer := build(b, natsServer), filepath.Join(b.TempDir(), "watermill")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-C", "../peers/watermill", "-o", peer, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	data, err := json.Marshal(job())
	if err != nil {
		b.Fatal(err)
	}
	var us, them []figures
	for range rounds {
		p, url := startNATS(b, server)
		o := newOurs(b, broker.Config{URL: url})
		before := ticks(b, p)
		f := saturated(b, o, n)
		f.cpu += (ticks(b, p) - before) / float64(n)
		us = append(us, f)

		p, url = startNATS(b, server)
		before = ticks(b, p)
		cmd := exec.CommandContext(b.Context(), peer, url, strconv.Itoa(n), string(data))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var got struct{ CPU, Rate float64 }
		if err := json.Unmarshal(out, &got); err != nil {
			b.Fatal(err)
		}
		them = append(them, figures{cpu: got.CPU*1000/float64(n) + (ticks(b, p)-before)/float64(n), rate: got.Rate})
	}
	show(us, them, "pipeline-watermill-cpu", "s/1000tasks", false, func(f figures) float64 { return f.cpu })
	show(us, them, "pipeline-watermill-saturated", "tasks/s", true, func(f figures) float64 { return f.rate })
}
