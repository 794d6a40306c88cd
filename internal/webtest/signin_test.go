package webtest

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestWhoIsNotSignedInIsAskedTo(t *testing.T) {
	t.Parallel()
	secret := "JWT_SECRET_KEY=" + strings.Repeat("0123456789abcdef", 3)
	s, err := serve("closed", secret)
	if err != nil {
		t.Fatal(err)
	}
	token := func(role string) string {
		path, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), path, "token", "--user", "anna", "--role", role)
		cmd.Env = append(os.Environ(), secret)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	b := open(t, s.url, "/", "en", phone)
	b.allow("401")
	b.allow("422")
	b.wait(`document.querySelector("h1").textContent === "Sign in"`)
	b.fill("#token", "not a token")
	b.click("button.big")
	b.wait(`document.querySelector("[role=alert]")`)
	b.shot("sign-in")
	b.set("#token", token("user"))
	b.click("button.big")
	b.wait(`document.querySelector("#text") && document.querySelectorAll("input[name=voice]").length > 0`)
	if eval[bool](b, `document.cookie !== ""`) {
		t.Error("scripts can read the session")
	}
	if eval[bool](b, `document.querySelector(".nav a[href='/ops']") !== null`) {
		t.Error("somebody who is no operator is offered the operations page")
	}

	// What she makes is hers; a link to it is for everybody.
	id := eval[string](b, `fetch("/sample.jpg").then(r => r.blob()).then(p => { const f = new FormData(); f.set("image", p, "p.jpg");
		return fetch("/api/image/process", {method: "POST", body: f}) }).then(r => r.json()).then(r => r.task_id)`)
	b.goTo("/t/" + id)
	b.clickText("Copy link")
	b.wait(`document.querySelector("#link")`)
	link := eval[string](b, `document.querySelector("#link").value`)
	b.shot("link")
	if code, kind := fetched(t, link); code != http.StatusOK || !strings.HasPrefix(kind, "image/") {
		t.Errorf("the link gives a stranger %d %s", code, kind)
	}
	if code, _ := fetched(t, s.url+"/api/video/download/"+id); code != http.StatusUnauthorized {
		t.Errorf("without the link a stranger gets %d", code)
	}
	b.clickText("Sign out")
	b.wait(`document.querySelector("h1").textContent === "Sign in"`)

	// Whose role lets them look only is offered no way to change anything.
	b.set("#token", token("viewer"))
	b.click("button.big")
	b.wait(`document.querySelector(".nav a[href='/ops']")`)
	b.goTo("/ops")
	b.wait(`document.querySelectorAll("tr[data-stage]").length === 5`)
	b.wait(`document.querySelector(".ops-head .chip")?.textContent === "Your role may only look"`)
	if n := eval[int](b, `document.querySelectorAll("#read-only, tr[data-stage] button, .dead-letter button").length`); n > 0 {
		t.Errorf("a viewer is offered %d controls", n)
	}
	b.shot("operations-viewer")
}
