package webtest

import (
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
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "token", "--user", "anna")
	cmd.Env = append(os.Environ(), secret)
	token, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, s.url, "/", "en", phone)
	b.allow("401")
	b.allow("422")
	b.wait(`document.querySelector("h1").textContent === "Sign in"`)
	b.fill("#token", "not a token")
	b.click("button.big")
	b.wait(`document.querySelector("[role=alert]")`)
	b.shot("sign-in")
	b.set("#token", strings.TrimSpace(string(token)))
	b.click("button.big")
	b.wait(`document.querySelector("#text") && document.querySelectorAll("input[name=voice]").length > 0`)
	if eval[bool](b, `document.cookie !== ""`) {
		t.Error("scripts can read the session")
	}
	if eval[bool](b, `document.querySelector(".nav a[href='/ops']") !== null`) {
		t.Error("somebody who is no operator is offered the operations page")
	}
	b.clickText("Sign out")
	b.wait(`document.querySelector("h1").textContent === "Sign in"`)
}
