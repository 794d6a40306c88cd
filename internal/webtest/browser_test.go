package webtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// A size is a screen that people have.
type size struct {
	name          string
	width, height int64
	mobile        bool
}

var (
	phone   = size{"phone", 390, 844, true}
	desktop = size{"desktop", 1280, 800, false}
)

// browser starts Chromium once for all tests; each test has a tab of its own.
var browser = sync.OnceValues(func() (context.Context, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	if err := recordSpeech(); err != nil {
		return nil, err
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", speechFile),
	)
	ctx, _ := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, closeBrowser = chromedp.NewContext(ctx)
	return ctx, chromedp.Do(ctx)
})

var closeBrowser = func() {}

// A tab is a page of the app under test. When the test ends it must have written
// no error to the console and asked nobody but the service for anything.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string
	size size

	mu       sync.Mutex
	foreign  []string
	messages []string
	allowed  []string // parts of console messages that the test causes on purpose
}

// open makes a tab that shows path of the service at base, in language ja or en.
func open(t *testing.T, base, path, lang string, s size) *tab {
	t.Helper()
	parent, err := browser()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skipf("no browser to test with: %v (make setup-test installs Debian's chromium)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext()) // storage and cookies of its own
	b := &tab{t: t, ctx: ctx, base: base, size: s}
	b.must(chromedp.Do(ctx))
	t.Cleanup(func() {
		b.check()
		cancel()
	})
	b.must(chromedp.Listen(ctx, b.heard))
	go b.listen()
	call(b, network.Enable, network.EnableParams{})
	b.resize(s)
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: fmt.Sprintf("try { localStorage.setItem('videomsg.lang', %q) } catch {}", lang),
	})
	b.goTo(path)
	return b
}

// resize gives the tab another screen.
func (b *tab) resize(s size) {
	b.t.Helper()
	b.size = s
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.mobile})
}

func (b *tab) heard(ev any) {
	e, ok := ev.(*network.EventRequestWillBeSent)
	if !ok {
		return
	}
	u, err := url.Parse(e.Request.URL)
	if err == nil && (u.Scheme == "blob" || u.Scheme == "data" || u.Scheme+"://"+u.Host == b.base) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.foreign = append(b.foreign, e.Request.URL)
}

func (b *tab) listen() {
	for m, err := range chromedp.Console(b.ctx) {
		if err != nil {
			return
		}
		if m.Type != "error" && !m.IsException() {
			continue
		}
		b.mu.Lock()
		b.messages = append(b.messages, m.String()+" "+m.URL)
		b.mu.Unlock()
	}
}

// allow excuses console messages that contain part.
func (b *tab) allow(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = append(b.allowed, part)
}

func (b *tab) check() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.foreign {
		b.t.Errorf("the page asked %s", u)
	}
next:
	for _, m := range b.messages {
		for _, a := range b.allowed {
			if strings.Contains(m, a) {
				continue next
			}
		}
		b.t.Errorf("the console says %s", m)
	}
}

func (b *tab) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) goTo(path string) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Navigate(b.base+path)))
	// The first screen is there before the app; it is the app that answers.
	b.wait(`document.querySelector("main h1") && !document.querySelector(".first")`)
}

// eval gives the value of a JavaScript expression; a promise is awaited.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// patience is how long anything may take on a machine that does much else.
const patience = 90 * time.Second

// wait waits until a condition of the page holds.
func (b *tab) wait(js string) {
	b.t.Helper()
	end := time.Now().Add(patience)
	for {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(end) {
			body, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname + "\n" + document.body.innerText.slice(0, 1500)`))
			b.shot("failed")
			b.t.Fatalf("never true: %s (%v)\nthe page: %s", js, err, body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// click scrolls to an element and clicks it as a pointer does.
func (b *tab) click(css string) {
	b.t.Helper()
	// In the middle of the screen nothing lies over it; what is still moving, as the
	// page grows above it, would be missed.
	b.wait(fmt.Sprintf(`(e => {
		if (!e) return false;
		e.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
		const r = e.getBoundingClientRect(), place = %[1]q + r.x + "," + r.y + "," + scrollY;
		const rests = window.lastPlace === place;
		window.lastPlace = place;
		return rests;
	})(document.querySelector(%[1]q))`, css))
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(css))); err != nil {
		b.t.Fatalf("click %s: %v", css, err)
	}
}

// clickText clicks the first button, link or summary whose text contains words.
func (b *tab) clickText(words string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll("button, a, summary")].find(e => e.textContent.includes(%q) && e.checkVisibility() && !e.disabled)`, words)
	b.wait(find)
	eval[bool](b, find+`.click() ?? true`)
}

// fill types text into a field.
func (b *tab) fill(css, text string) {
	b.t.Helper()
	b.click(css)
	b.must(chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.CSS(css), text)))
}

// set gives a field a value in one step, as pasting or dragging does.
func (b *tab) set(css, value string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf(`(e => {
		Object.getOwnPropertyDescriptor(Object.getPrototypeOf(e), "value").set.call(e, %q);
		e.dispatchEvent(new Event("input", {bubbles: true}));
		e.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	})(document.querySelector(%q))`, value, css))
}

// during lets a subtest use the tab.
func (b *tab) during(t *testing.T) {
	outer := b.t
	b.t = t
	t.Cleanup(func() { b.t = outer })
}

func (b *tab) upload(css string, files ...string) {
	b.t.Helper()
	for i, f := range files {
		abs, err := filepath.Abs(f)
		b.must(err)
		files[i] = abs
	}
	b.must(chromedp.Do(b.ctx, chromedp.SetUploadFiles(chromedp.CSS(css), files)))
}

// shot writes what the tab shows to out/screenshots.
func (b *tab) shot(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	b.must(err)
	b.keep(name, png)
}

// whole writes the whole page, beyond the screen, too.
func (b *tab) whole(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.must(err)
	b.keep(name, png)
}

func (b *tab) keep(name string, png []byte) {
	b.t.Helper()
	b.must(os.MkdirAll(screenshots, 0o755))
	b.must(os.WriteFile(filepath.Join(screenshots, name+"-"+b.size.name+".png"), png, 0o600))
}

var screenshots = filepath.Join("..", "..", "out", "screenshots")

// violations runs axe-core on the page, all of its rules or one, and gives what is
// serious or worse.
func (b *tab) violations(rule string) []string {
	b.t.Helper()
	axe, err := os.ReadFile(filepath.Join("testdata", "axe.min.js"))
	b.must(err)
	if !eval[bool](b, `"axe" in window`) {
		eval[bool](b, string(axe)+"\n;true")
	}
	only := ""
	if rule != "" {
		only = fmt.Sprintf(`, runOnly: [%q]`, rule)
	}
	raw := eval[string](b, `axe.run(document, {resultTypes: ["violations"]`+only+`}).then(r => JSON.stringify(r.violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.map(v => v.id + ": " + v.nodes.slice(0, 4).map(n => n.target.join(" ") + " " + (n.any[0]?.message ?? n.failureSummary)).join("; "))))`)
	var found []string
	b.must(json.Unmarshal([]byte(raw), &found))
	return found
}

// call runs a command of the browser's protocol on the tab.
func call[P, R any](b *tab, cmd cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, cmd, params)
	b.must(err)
	return r
}
