package webtest

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// pages by address; TASK is replaced by a finished task.
var pages = []struct{ name, path string }{
	{"create", "/"},
	{"history", "/history"},
	{"voices", "/voices"},
	{"operations", "/ops"},
	{"result", "/t/TASK"},
	{"debug", "/t/TASK/debug"},
}

func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	base, id := made(t)
	for _, s := range []size{phone, desktop} {
		lang := map[string]string{"phone": "ja", "desktop": "en"}[s.name]
		b := open(t, base, "/", lang, s)
		for _, p := range pages {
			path := p.path
			if len(path) > 3 && path[:3] == "/t/" {
				path = "/t/" + id + path[len("/t/TASK"):]
			}
			t.Run(p.name+" "+s.name, func(t *testing.T) {
				b.during(t)
				b.goTo(path)
				b.wait(`document.querySelector(".card, .entry, form")`)
				if got := eval[string](b, "document.documentElement.lang"); got != lang {
					t.Errorf("the page is in %s, want %s", got, lang)
				}
				if wide := eval[float64](b, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
					t.Errorf("the page is %v pixels wider than the screen", wide)
				}
				// Only colours differ in the dark.
				for scheme, rules := range map[string]string{"light": "", "dark": "color-contrast"} {
					call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
					for _, v := range b.violations(rules) {
						t.Errorf("%s: %s", scheme, v)
					}
					b.whole(p.name + "-" + lang + "-" + scheme)
				}
			})
		}
	}
}

// The page can be used without a pointer: focus goes through everything in order
// and can always be seen.
func TestKeyboardReachesTheButton(t *testing.T) {
	t.Parallel()
	b := open(t, use(t, healthy), "/", "en", desktop)
	b.wait(`document.querySelectorAll("input[name=voice]").length > 0`)
	seen := map[string]bool{}
	for range 80 {
		b.must(chromedp.Do(b.ctx, chromedp.KeyEvent("\t")))
		at := eval[string](b, `(e => { const n = e.id || e.name || e.textContent.trim().slice(0, 20); const r = e.getBoundingClientRect();
			const ring = [e, e.nextElementSibling, e.parentElement].some(x => x && getComputedStyle(x).outlineStyle !== "none");
			return (ring ? "" : "UNSEEN ") + (r.bottom < 0 || r.top > innerHeight ? "OFFSCREEN " : "") + n })(document.activeElement)`)
		seen[at] = true
		if at == "Make the video" {
			break
		}
	}
	for _, want := range []string{"Skip to content", "text", "voice", "emotion", "music", "aspect", "background", "captions", "subject", "consent", "Make the video"} {
		if !seen[want] {
			t.Errorf("Tab never reaches %q visibly; it reached %v", want, seen)
		}
	}
	// Arrow keys move within a group.
	b.click("input[name=aspect][value='1:1']")
	b.must(chromedp.Do(b.ctx, chromedp.KeyEvent(kb.ArrowRight)))
	b.wait(`document.querySelector("input[name=aspect][value='9:16']").checked`)
}
