package webtest

import (
	"fmt"
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

	b.upload("#photo", pngFile(t, smallPortrait(t)))
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
	again := ""
	t.Run("a change renders again from its stage", func(t *testing.T) {
		b.during(t)
		b.goTo("/t/" + id)
		b.clickText("少し変えてつくりなおす")
		b.click(`input[name=c-music][value=none]`)
		b.clickText("この内容でつくりなおす")
		b.wait(`location.pathname.startsWith("/t/") && location.pathname !== "/t/` + id + `"`)
		again = taskOf(b)
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
		b.goTo("/t/" + again)
		b.clickText("このメッセージを完全に消す")
		b.wait(`document.querySelector("dialog[open] .danger")`)
		eval[bool](b, `(document.querySelector("dialog[open] .danger").click(), true)`)
		b.wait(`location.pathname === "/history"`)
		b.wait(`document.querySelector(".entry a[href='/t/` + id + `']")`)
		b.wait(`!document.querySelector(".entry a[href='/t/` + again + `']")`)
	})
	t.Run("a new message starts from it", func(t *testing.T) {
		b.during(t)
		b.goTo("/?from=" + id)
		b.wait(`document.querySelector("#text").value.includes("お誕生日")`)
		b.wait(`document.querySelector(".face-box.on")`)
		b.wait(`document.querySelector("input[name=background][value=celebration]").checked`)
		b.resize(desktop)
		b.wait(`document.querySelectorAll(".frame img.fill").length === 2 && document.querySelectorAll("input[name=voice]").length > 0`)
		eval[bool](b, `(scrollTo(0, 0), true)`)
		b.shot("create-restored")
	})
}

// The debugging page shows a task as it was at any event, and starts again from any
// of its stages.
func TestRecordShowsAnyMoment(t *testing.T) {
	t.Parallel()
	base, id := made(t)
	b := open(t, base, "/t/"+id+"/debug", "en", desktop)
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

	// Each stage that ran can be run again, which leaves out those before it.
	from := `[role=group][aria-label="Run again from here"] button`
	if n := eval[int](b, `document.querySelectorAll('`+from+`').length`); n != 5 {
		t.Errorf("%d stages can be run again, want 5", n)
	}
	eval[bool](b, `([...document.querySelectorAll('`+from+`')].find(x => x.textContent === "Music").click(), true)`)
	b.wait(`location.pathname.endsWith("/debug") && !location.pathname.includes("` + id + `")`)
	next := taskOf(b)
	b.wait(`[...document.querySelectorAll(".event")].some(e => e.textContent.includes("Music") && e.textContent.includes("ready"))`)
	if said := eval[string](b, `[...document.querySelectorAll(".event-name")].map(e => e.textContent).join()`); strings.Contains(said, "Voice") {
		t.Errorf("the voice was made again: %s", said)
	}
	if v := get[struct {
		Parent string `json:"parent"`
	}](t, base, "/api/video/status/"+next); v.Parent != id {
		t.Errorf("the new task comes from %q, want %q", v.Parent, id)
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
	b.upload("#photo", pngFile(t, smallPortrait(t)))
	b.wait(`document.querySelector(".face-box.on")`)
	b.click("input[name=source][value=own]")
	b.wait(`!document.querySelector("input[name=voice]")`) // there is nothing to choose
	b.click("#consent")
	b.click("button.big")
	b.wait(`document.querySelector("[aria-labelledby=h-message] [role=alert]")`) // nothing recorded yet
	b.upload("#own-audio", shortSpeech(t, b.base))
	b.wait(`document.querySelectorAll(".sample .wave rect").length > 50`)
	b.wait(`!document.querySelector("[aria-labelledby=h-message] [role=alert]")`) // it is answered
	b.shot("own-speech")
	b.click("button.big")
	b.wait(`location.pathname.startsWith("/t/")`)
	b.wait(`document.querySelector("#result-video")?.duration > 1`)
}

func TestOneOfSeveralFacesIsChosen(t *testing.T) {
	t.Parallel()
	b := open(t, use(t, healthy), "/", "ja", phone)
	b.wait(`document.querySelectorAll("input[name=voice]").length > 0`)
	b.upload("#photo", twoFaces(t))
	b.wait(`document.querySelectorAll("button.face-box").length === 2`)
	b.wait(`document.querySelectorAll("button.face-box")[0].getAttribute("aria-pressed") === "true"`) // the larger one
	b.click("input[name=background][value=original]")
	crop := func() string {
		return eval[string](b, `(i => i.style.left + " " + i.style.width)(document.querySelector(".frame img"))`)
	}
	b.wait(`document.querySelector(".frame img").style.left`)
	first := crop()
	b.click(`button.face-box[aria-pressed=false]`)
	b.wait(`document.querySelectorAll("button.face-box")[1].getAttribute("aria-pressed") === "true"`)
	b.wait(`document.querySelector(".frame img").style.left + " " + document.querySelector(".frame img").style.width !== "` + first + `"`)
	b.shot("faces")
	b.fill("#text", "こんにちは")
	b.click("#consent")
	b.click("button.big")
	b.wait(`location.pathname.startsWith("/t/")`)
	id := taskOf(b)
	log := get[struct {
		Events []struct {
			Event struct {
				Data struct {
					Request struct {
						Image struct{ Face int } `json:"image"`
					} `json:"request"`
				} `json:"data"`
			} `json:"event"`
		} `json:"events"`
	}](t, b.base, "/api/tasks/"+id+"/events?after=0")
	if got := log.Events[0].Event.Data.Request.Image.Face; got != 2 {
		t.Errorf("the task animates face %d, want 2", got)
	}
	if v := ended(t, b.base, id); v.Status != "completed" {
		t.Errorf("the task is %s: %+v", v.Status, v.Error)
	}
}

func TestWordsAreReadAsTheDictionarySays(t *testing.T) {
	t.Parallel()
	b := open(t, use(t, healthy), "/", "ja", phone)
	b.wait(`document.querySelectorAll("input[name=voice]").length > 0`)
	// The page moves as words come and go: what is pressed is named, not pointed at.
	press := func(css string) {
		b.wait(fmt.Sprintf(`document.querySelector(%q)?.disabled === false`, css))
		eval[bool](b, fmt.Sprintf(`(document.querySelector(%q).click(), true)`, css))
	}
	b.click("#readings")
	b.set("#word-surface", "美空")
	press(".word-form button")
	b.wait(`document.querySelector(".word-form + .error")?.textContent.includes("両方")`)
	b.set("#word-reading", "sky")
	press(".word-form button")
	b.wait(`document.querySelector(".word-form + .error")?.textContent.includes("カタカナ")`)
	b.allow("422")
	b.set("#word-reading", "みく")
	press(".word-form button")
	b.wait(`document.querySelector("[data-word='美空']")?.textContent.includes("みく")`)
	b.click("[data-word='美空'] .play")
	b.wait(`document.querySelector("[data-word='美空'] .play.playing")`)
	b.shot("dictionary")

	// From the message itself, and once more for the word that is there already.
	b.fill("#text", "美空さんへ")
	eval[bool](b, `(e => (e.focus(), e.setSelectionRange(0, 2), true))(document.querySelector("#text"))`)
	b.clickText("選んだ文字によみをつける")
	b.wait(`document.querySelector("dialog[open] #kana")`)
	b.fill("#kana", "びくう")
	b.click("#always")
	b.clickText("保存")
	b.wait(`document.querySelector("[data-word='美空']")?.textContent.includes("びくう")`)
	if got := eval[string](b, `document.querySelector("#text").value`); got != "美空さんへ" {
		t.Errorf("the text is now %q", got)
	}
	press("[data-word='美空'] .ghost")
	b.wait(`!document.querySelector("[data-word='美空']")`)
	b.set("#speech-language", "en") // another language has words of its own
	b.set("#word-surface", "Siobhan")
	b.set("#word-reading", "Shivawn")
	press(".word-form button")
	b.wait(`document.querySelector("[data-word=Siobhan]")`)
	b.set("#speech-language", "ja")
	b.wait(`!document.querySelector("[data-word=Siobhan]")`)
}
