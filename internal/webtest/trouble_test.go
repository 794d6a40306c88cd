package webtest

import "testing"

func TestFailingEngineShowsItsReason(t *testing.T) {
	t.Parallel()
	base := use(t, troubled)

	t.Run("replaced by another", func(t *testing.T) {
		t.Parallel()
		id := submit(t, base, map[string]string{"text": "こんにちは", "consent": "true"})
		b := open(t, base, "/t/"+id, "ja", phone)
		b.wait(`document.querySelector(".fallbacks")?.textContent.includes("rembg")`)
		b.wait(`document.querySelector("#result-video")`)
		b.wait(`document.querySelector(".fallbacks")?.textContent.includes("rembg")`) // still said
		b.shot("fallback")
	})
	t.Run("required, so the task fails", func(t *testing.T) {
		t.Parallel()
		id := submit(t, base, map[string]string{"text": "こんにちは", "require": "image=rembg", "consent": "true"})
		b := open(t, base, "/t/"+id, "ja", phone)
		b.wait(`document.querySelector("h1").textContent === "つくれませんでした"`)
		b.wait(`document.querySelector(".fallbacks")?.textContent.includes("rembg：失敗しました")`)
		b.wait(`document.querySelector(".notice.bad").textContent.includes("もう一度お試しください")`)
		b.shot("failed-task")
		b.click(".lang")
		b.wait(`document.querySelector(".fallbacks")?.textContent.includes("rembg: it failed")`)
		b.wait(`document.querySelector(".notice.bad").textContent.includes("try again")`)
		b.click(".lang")
		if v := ended(t, base, id); v.Status != "failed" {
			t.Fatalf("the task is %s", v.Status)
		}
		redrive(t, base, id)
	})
}

// redrive finds the dead letter of a task on the operations page and lets it run
// again.
func redrive(t *testing.T, base, id string) {
	b := open(t, base, "/ops", "en", desktop)
	b.wait(`document.querySelectorAll("tr[data-stage]").length === 5`)
	b.wait(`document.querySelector(".dead-letter a[href='/t/` + id + `/debug']")`)
	b.wait(`document.querySelector(".engine")`)
	// The stage has ended two tasks in these five minutes, one of them badly; the
	// service itself is the worker.
	b.wait(`parseFloat(document.querySelector("tr[data-stage=image] [data-label='per min']").textContent) > 0`)
	b.wait(`document.querySelector(".throughput rect.bad")`)
	b.wait(`parseInt(document.querySelector(".throughput [role=img]").getAttribute("aria-label").split(",")[1]) >= 1`)
	b.wait(`document.querySelectorAll(".worker").length === 1 && document.querySelector(".worker").textContent.includes("Photo")`)
	b.wait(`[...document.querySelectorAll(".engine")].some(e => e.textContent.includes("rembg"))`)
	b.shot("operations")
	b.clickText("Redrive")
	b.wait(`!document.querySelector(".dead-letter a[href='/t/` + id + `/debug']")`)
	b.set("#dead-state", "redriven")
	b.wait(`document.querySelector(".dead-letter a[href='/t/` + id + `/debug']")`)
	next := eval[string](b, `[...document.querySelectorAll(".dead-letter a")].map(a => a.getAttribute("href")).find(h => !h.endsWith("/debug")).slice(3)`)
	if v := ended(t, base, next); v.Status != "failed" {
		t.Errorf("the redriven task is %s although the engine still fails", v.Status)
	}

	b.click(`button[aria-label="Pause video"]`)
	b.wait(`document.querySelector("tr[data-stage=video]").textContent.includes("paused")`)
	b.click(`button[aria-label="Resume video"]`)
	b.wait(`document.querySelector("tr[data-stage=video]").textContent.includes("active")`)

	b.set("#dead-state", "open")
	b.wait(`document.querySelector(".dead-letter a[href='/t/` + next + `/debug']")`)
	b.clickText("Discard")
	b.clickText("Really discard")
	b.wait(`!document.querySelector(".dead-letter a[href='/t/` + next + `/debug']")`)
}

func TestUnknownPlacesAreSaid(t *testing.T) {
	t.Parallel()
	b := open(t, use(t, healthy), "/nowhere", "ja", phone)
	b.wait(`document.querySelector("h1").textContent.includes("見つかりません")`)
	b.allow("404")
	b.goTo("/t/no-such-task")
	b.wait(`document.querySelector("h1").textContent.includes("見つかりません")`)
	b.allow("410")
	b.goTo("/t/01k0000000000000000000000x") // an id of long ago
	b.wait(`/消されています|見つかりません/.test(document.querySelector("h1").textContent)`)
}
