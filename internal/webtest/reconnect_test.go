package webtest

import (
	"net"
	"strconv"
	"testing"
)

// The service is killed while a message is made and comes back; the page that
// watched it goes on by itself to the end.
func TestProgressSurvivesARestartOfTheService(t *testing.T) {
	t.Parallel()
	port := "PORT=" + freePort(t)
	s, err := serve("restarted", port)
	if err != nil {
		t.Fatal(err)
	}
	id := submit(t, s.url, map[string]string{"text": "こんにちは。今日は良い天気ですね。", "consent": "true"})
	b := open(t, s.url, "/t/"+id, "ja", phone)
	b.allow("net::ERR")
	b.wait(`document.querySelector(".step[data-state=running], .step[data-state=ready]")`)
	s.stop()
	b.wait(`document.querySelector(".notice.warn")?.textContent.includes("接続しなおしています")`)
	b.shot("reconnecting")
	if _, err := serve("restarted", port); err != nil {
		t.Fatal(err)
	}
	b.wait(`document.querySelector("#result-video")`)
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // only its number was wanted
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}
