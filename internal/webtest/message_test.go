package webtest

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const birthday = "おばあちゃん、お誕生日おめでとう。"

// taskOf is the id in the address of a task's page.
func taskOf(b *tab) string {
	b.t.Helper()
	id := strings.Split(strings.TrimPrefix(eval[string](b, "location.pathname"), "/t/"), "/")[0]
	if id == "" {
		b.t.Fatal("the page is not that of a task")
	}
	return id
}

func TestPhotoBecomesPlayingVideo(t *testing.T) {
	t.Parallel()
	b := open(t, use(t, healthy), "/", "ja", phone)
	if got := eval[string](b, "document.documentElement.lang"); got != "ja" {
		t.Errorf("the page is in %s", got)
	}
	b.wait(`document.querySelectorAll("input[name=voice]").length > 0`)
	b.shot("create-empty")

	b.upload("#photo", portrait)
	b.wait(`document.querySelector(".face-box.on")`)
	b.wait(`document.querySelectorAll(".frame img.fill").length === 2`) // background and cut-out
	b.click(`input[name=background][value=celebration]`)
	b.wait(`document.querySelector(".frame img.fill").src.includes("celebration")`)

	b.fill("#text", birthday)
	b.wait(`document.querySelector("#text-count").textContent.startsWith("17／")`)
	b.wait(`document.querySelector("input[name=emotion][value=celebration]").checked`) // proposed by the text
	b.clickText("声をためしに聞く")
	b.wait(`document.querySelectorAll(".wave rect").length > 50 && document.querySelector(".wave audio").duration > 0.5`)
	b.click(`.option:has(input[value=calm]) .play`)
	b.wait(`document.querySelector(".option:has(input[value=calm]) .play.playing")`)
	b.shot("create-filled")

	b.click("button.big")
	b.wait(`document.querySelector("#consent-error").textContent !== ""`) // not without consent
	b.click("#consent")
	b.fill("#subject", "おばあちゃん")
	b.shot("create-finish")
	b.click("button.big")
	b.wait(`location.pathname.startsWith("/t/")`)
	id := taskOf(b)

	// A reload in the middle goes on where it was.
	b.wait(`document.querySelector(".step[data-state=running], .step[data-state=ready]")`)
	b.shot("progress")
	before := eval[float64](b, `Number(document.querySelector(".percent")?.dataset.percent ?? 100)`)
	b.goTo("/t/" + id)
	b.wait(`document.querySelectorAll(".step").length === 5`)
	if after := eval[float64](b, `Number(document.querySelector(".percent")?.dataset.percent ?? 100)`); after < before {
		t.Errorf("after the reload %v %%, before %v %%", after, before)
	}

	b.wait(`document.querySelector("#result-video")`)
	b.wait(`document.querySelector("#result-video").readyState >= 2`)
	eval[bool](b, `(v => (v.muted = true, v.play().then(() => true)))(document.querySelector("#result-video"))`)
	b.wait(`document.querySelector("#result-video").currentTime > 0.3`)
	b.shot("result")
	if w := eval[float64](b, `document.querySelector("#result-video").videoWidth`); w < 64 {
		t.Errorf("the video is %v pixels wide", w)
	}

	t.Run("history finds it", func(t *testing.T) {
		b.during(t)
		b.goTo("/history")
		b.wait(`document.querySelector(".entry a[href='/t/` + id + `']")`)
		b.shot("history")
		b.fill("input[type=search]", "いない人")
		b.wait(`document.querySelectorAll(".entry").length === 0`)
		b.set("input[type=search]", "おばあ")
		b.wait(`document.querySelectorAll(".entry").length >= 1`)
	})
	t.Run("the record shows it at any time", func(t *testing.T) { record(t, id) })
	t.Run("a change renders again from its stage", func(t *testing.T) {
		b.during(t)
		b.goTo("/t/" + id)
		b.clickText("少し変えてつくりなおす")
		b.click(`input[name=c-music][value=none]`)
		b.clickText("この内容でつくりなおす")
		b.wait(`location.pathname.startsWith("/t/") && location.pathname !== "/t/` + id + `"`)
		again := taskOf(b)
		if v := ended(t, b.base, again); v.Status != "completed" {
			t.Fatalf("the changed task is %s: %+v", v.Status, v.Error)
		}
		stages := eval[string](b, `fetch("/api/tasks/`+again+`/events").then(r => r.json()).then(r => r.events.map(e => e.event.type).filter(x => x.endsWith(".requested")).join())`)
		if strings.Contains(stages, "voice") || !strings.Contains(stages, "bgm") {
			t.Errorf("ran again: %s", stages)
		}
	})
	t.Run("it can be erased", func(t *testing.T) {
		b.during(t)
		other := submit(t, b.base, map[string]string{"text": "消すもの", "subject": "消すもの", "consent": "true"})
		if v := ended(t, b.base, other); v.Status != "completed" {
			t.Fatalf("the task is %s", v.Status)
		}
		b.goTo("/t/" + other)
		b.clickText("このメッセージを完全に消す")
		b.wait(`document.querySelector("dialog[open] .danger")`)
		eval[bool](b, `(document.querySelector("dialog[open] .danger").click(), true)`)
		b.wait(`location.pathname === "/history"`)
		b.wait(`document.querySelector(".entry")`)
		if eval[bool](b, `document.querySelector("main").textContent.includes("消すもの")`) {
			t.Error("the erased message is still listed")
		}
	})
	t.Run("a new message starts from it", func(t *testing.T) {
		b.during(t)
		b.goTo("/?from=" + id)
		b.wait(`document.querySelector("#text").value.includes("お誕生日")`)
		b.wait(`document.querySelector(".face-box.on")`)
		b.wait(`document.querySelector("input[name=background][value=celebration]").checked`)
	})
}

// record looks at the debugging page of a finished task.
func record(t *testing.T, id string) {
	b := open(t, use(t, healthy), "/t/"+id+"/debug", "en", desktop)
	b.wait(`document.querySelectorAll(".event").length >= 12`)
	b.wait(`document.querySelector("[data-testid=state-then]").textContent === "completed"`)
	b.shot("debug")
	b.set("#at", "1")
	b.wait(`document.querySelector("[data-testid=state-then]").textContent === "queued"`)
	b.wait(`document.querySelector(".payload").textContent.includes("videomsg.task.submitted")`)
	b.set("#at", "3")
	b.wait(`document.querySelector("[data-testid=state-then]").textContent === "image_ready"`)
	b.wait(`[...document.querySelectorAll(".artefact img")].some(i => i.complete && i.naturalWidth > 64)`)
	// The app's fold and the service's projection must tell the same story.
	type told struct {
		Status string `json:"status"`
		Stages []struct {
			Name, State, Engine string
		} `json:"stages"`
	}
	want := get[told](t, b.base, "/api/video/status/"+id)
	b.set("#at", eval[string](b, `document.querySelector("#at").max`))
	b.wait(`document.querySelector("[data-testid=state-then]").textContent === "` + want.Status + `"`)
	for _, s := range want.Stages {
		if got := eval[string](b, `document.querySelector("[data-stage=`+s.Name+`]").dataset.state`); got != s.State {
			t.Errorf("%s is %s in the app and %s in the service", s.Name, got, s.State)
		}
	}
}

func TestCancelStopsTheTask(t *testing.T) {
	t.Parallel()
	base := use(t, healthy)
	id := submit(t, base, map[string]string{"text": strings.Repeat("This is a long message that takes a while. ", 20), "language": "en", "consent": "true"})
	b := open(t, base, "/t/"+id, "en", desktop)
	b.wait(`document.querySelector(".step[data-state=running]")`)
	b.shot("progress")
	b.clickText("Cancel")
	b.wait(`document.querySelector("h1").textContent === "Canceled"`)
	b.shot("canceled")
	if v := ended(t, base, id); v.Status != "canceled" {
		t.Errorf("the task is %s", v.Status)
	}
	b.clickText("Make it again")
	b.wait(`location.pathname !== "/t/` + id + `" && document.querySelector("h1").textContent === "Making your video"`)
	b.clickText("Cancel")
	b.wait(`document.querySelector("h1").textContent === "Canceled"`)
}

func TestOwnMusicIsAddedWithItsRight(t *testing.T) {
	t.Parallel()
	b := open(t, use(t, healthy), "/", "en", phone)
	b.wait(`document.querySelectorAll("input[name=music]").length > 3`)
	b.upload("#own-music", speechFile)
	b.wait(`document.querySelector("#music-name").value === "speech"`)
	b.wait(`document.querySelector(".own-music .secondary").disabled`) // not without the right
	b.set("#music-name", "Our song")
	b.click("#music-rights")
	b.wait(`document.querySelector(".own-music .secondary").disabled`) // nor without whose it is
	b.set("#music-credit", "A. Composer")
	b.set("#music-licence", "CC-BY-4.0")
	b.shot("own-music")
	b.clickText("Add this music")
	b.wait(`[...document.querySelectorAll(".option:has(input[name=music]:checked)")].some(o => o.textContent.includes("Our song"))`)
	b.click(`.option:has(input[name=music]:checked) .play`)
	b.wait(`document.querySelector(".option:has(input[name=music]:checked) .play.playing")`)
}

func TestOwnSpeechInsteadOfText(t *testing.T) {
	t.Parallel()
	b := open(t, use(t, healthy), "/", "ja", phone)
	b.wait(`document.querySelectorAll("input[name=voice]").length > 0`)
	small := filepath.Join(t.TempDir(), "small.png")
	f, err := os.Create(small)
	b.must(err)
	b.must(png.Encode(f, smallPortrait(t)))
	b.must(f.Close())
	b.upload("#photo", small)
	b.wait(`document.querySelector(".face-box.on")`)
	b.click("input[name=source][value=own]")
	b.wait(`!document.querySelector("input[name=voice]")`) // there is nothing to choose
	b.click("#consent")
	b.click("button.big")
	b.wait(`document.querySelector("[aria-labelledby=h-message] [role=alert]")`) // nothing recorded yet
	b.upload("#own-audio", speechFile)
	b.wait(`document.querySelectorAll(".sample .wave rect").length > 50`)
	b.shot("own-speech")
	b.click("button.big")
	b.wait(`location.pathname.startsWith("/t/")`)
	b.wait(`document.querySelector("#result-video")?.duration > 3`)
}
