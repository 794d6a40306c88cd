package webtest

import "testing"

func TestVoiceIsClonedFromTheMicrophone(t *testing.T) {
	t.Parallel()
	b := open(t, use(t, healthy), "/voices", "ja", phone)
	b.shot("voices")
	b.fill("#voice-name", "お母さん")
	b.click("button.big")
	b.wait(`document.querySelector(".notice.bad")?.textContent.includes("同意")`) // not without consent
	b.click("#voice-consent")
	for n := range 3 {
		sample := `document.querySelectorAll(".sample")[` + string(rune('0'+n)) + `]`
		eval[bool](b, sample+`.querySelector("button").click() ?? true`)
		b.wait(sample + `.querySelector("[role=meter]")`)
		b.wait(`Number(` + sample + `.querySelector("[role=meter]").getAttribute("aria-valuenow")) > 30`) // it hears something
		if n == 0 {
			b.shot("voices-recording")
		}
		b.wait(`parseFloat(` + sample + `.querySelector(".meter-row .muted").textContent) > 3.5`)
		eval[bool](b, sample+`.querySelector("button").click() ?? true`)
		b.wait(sample + `.querySelectorAll(".wave rect").length > 50`)
		if found := eval[string](b, sample+`.querySelector(".reasons")?.textContent ?? ""`); found != "" {
			t.Errorf("recording %d of clear speech: %s", n+1, found)
		}
	}
	b.shot("voices-recorded")
	b.click("button.big")
	b.wait(`document.querySelector(".profile, .notice.bad")`)
	b.shot("voices-made")
	if said := eval[string](b, `document.querySelector(".notice.bad")?.textContent ?? ""`); said != "" {
		t.Fatalf("the voice was refused: %s", said)
	}
	b.wait(`document.querySelector(".profile strong").textContent === "お母さん"`)
	b.click(".profile .play")
	b.wait(`document.querySelector(".profile .play.playing, .profile .play.failed")`)
	b.goTo("/")
	b.wait(`[...document.querySelectorAll("input[name=voice]")].some(i => i.value.startsWith("profile:"))`)
	b.goTo("/voices")
	b.clickText("同意を取り消す")
	b.wait(`document.querySelector(".profile .chip.bad")`)
}
