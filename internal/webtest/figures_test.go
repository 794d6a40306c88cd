package webtest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
)

// Everything the app could ever load is within the budget of the first load.
func TestScriptsFitTheBudget(t *testing.T) {
	const budget = 150_000
	files, err := filepath.Glob(filepath.Join("..", "..", "web", "dist", "assets", "*.js"))
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	var total int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		zw := gzip.NewWriter(&buf)
		_, _ = zw.Write(b)
		_ = zw.Close()
		total += buf.Len()
	}
	t.Logf("%d scripts, %d bytes gzipped", len(files), total)
	if total > budget {
		t.Errorf("%d bytes of gzipped JavaScript, budget %d", total, budget)
	}
}

func TestLargestContentfulPaintOnASlowProcessor(t *testing.T) {
	b := open(t, use(t, healthy), "/history", "ja", phone)
	call(b, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `new PerformanceObserver(l => { for (const e of l.getEntries()) window.lcp = e.startTime }).observe({type: "largest-contentful-paint", buffered: true})`,
	})
	best := 1e9
	for range 3 { // the machine does other things too; the page's own cost is the least seen
		b.goTo("/")
		b.wait(`window.lcp > 0`)
		time.Sleep(500 * time.Millisecond) // something larger may still come
		best = min(best, eval[float64](b, "window.lcp"))
	}
	fmt.Printf("bench: web/lcp-4x ours=%.0fms limit=1000ms\n", best)
	if best >= 1000 {
		t.Errorf("largest contentful paint after %.0f ms, want less than 1000", best)
	}
}

// entries makes the list of tasks say that there are two hundred.
const entries = `{
	const real = window.fetch;
	const items = Array.from({length: 200}, (_, i) => ({task_id: "01k0fake" + i, kind: "video", status: i % 9 ? "completed" : "failed", percent: 100,
		created_at: new Date(1.79e12 - i * 3.6e6).toISOString(), updated_at: "2026-01-01T00:00:00Z", stages: [], subject: "相手 " + i,
		user_data: "お誕生日おめでとう。いつもありがとう。".repeat(3), revision: i}));
	window.fetch = (u, o) => String(u).startsWith("/api/tasks?") ? Promise.resolve(new Response(JSON.stringify({items}), {headers: {"Content-Type": "application/json"}})) : real(u, o);
}`

func TestTwoHundredEntriesScrollWithoutJank(t *testing.T) {
	b := open(t, use(t, healthy), "/", "ja", phone)
	b.allow("404") // there are no pictures of made-up tasks
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: entries})
	b.goTo("/history")
	b.wait(`document.querySelectorAll(".entry").length === 200`)
	call(b, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
	busy := func() float64 {
		for _, m := range call(b, performance.GetMetrics, cdp.Empty{}).Metrics {
			if m.Name == "TaskDuration" {
				return m.Value
			}
		}
		t.Fatal("the browser does not tell its task time")
		return 0
	}
	// Once over the list, a screenful every few frames, as a thumb does.
	before := busy()
	frames := eval[float64](b, `new Promise(done => { let n = 0; const step = () => { n++; scrollBy(0, 120);
		if (scrollY + innerHeight >= document.documentElement.scrollHeight - 2 || n > 600) done(n); else requestAnimationFrame(step) }; step() })`)
	perFrame := (busy() - before) / frames * 1000
	fmt.Printf("bench: web/history-200-frame ours=%.1fms limit=16.7ms frames=%.0f\n", perFrame, frames)
	if frames < 50 {
		t.Errorf("the list ended after %v frames", frames)
	}
	if perFrame > 16.7 {
		t.Errorf("%.1f ms of processor time per frame", perFrame)
	}
}

// latency notes when each event arrives and when the page shows it.
const latency = `{
	window.shown = [];
	const add = EventSource.prototype.addEventListener;
	EventSource.prototype.addEventListener = function (type, f) {
		return add.call(this, type, m => {
			const at = performance.now();
			f(m);
			const e = type === "event" && JSON.parse(m.data);
			const [, stage, verb] = e ? e.type.split(".") : [];
			if (verb !== "ready") return;
			const look = () => {
				const el = document.querySelector("[data-stage=" + stage + "]");
				if (el && el.dataset.state !== "pending" && el.dataset.state !== "running") {
					const now = performance.now();
					window.shown.push({render: now - at, whole: performance.timeOrigin + now - Date.parse(e.time)});
				} else requestAnimationFrame(look);
			};
			requestAnimationFrame(look);
		});
	};
}`

func TestEventShowsAtOnce(t *testing.T) {
	base := use(t, healthy)
	b := open(t, base, "/history", "ja", phone)
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: latency})
	id := submit(t, base, map[string]string{"text": "こんにちは。今日は良い天気ですね。", "consent": "true", "fresh": "true"})
	b.goTo("/t/" + id)
	b.wait(`document.querySelector("#result-video")`)
	type shown struct {
		Render float64 `json:"render"`
		Whole  float64 `json:"whole"`
	}
	all := eval[[]shown](b, "window.shown")
	if len(all) == 0 {
		t.Fatal("no event was seen")
	}
	// Those that happened before the page was there were late for that reason.
	best := shown{1e9, 1e9}
	for _, s := range all {
		best.Render, best.Whole = min(best.Render, s.Render), min(best.Whole, s.Whole)
		if s.Render > 100 {
			t.Logf("an event waited %.0f ms for the screen", s.Render)
		}
	}
	fmt.Printf("bench: web/event-shown ours=%.0fms limit=100ms of-it-rendering=%.0fms events=%d\n", best.Whole, best.Render, len(all))
	if best.Whole > 100 {
		t.Errorf("the quickest event took %.0f ms to the screen", best.Whole)
	}
}
