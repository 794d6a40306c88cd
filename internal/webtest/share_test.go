package webtest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
)

// sharing stands for the sheet of the system, which no test can press. It notes
// what it is given.
const sharing = `{
	window.sheet = [];
	navigator.canShare = d => !(d?.files) || %FILES%;
	navigator.share = d => { window.sheet.push({title: d.title, url: d.url ?? "", files: (d.files ?? []).map(f => [f.name, f.type, f.size].join())}); return Promise.resolve() };
}`

func TestResultIsShared(t *testing.T) {
	t.Parallel()
	base, id := made(t)
	for _, c := range []struct{ name, files, given string }{
		{"as a file where files are passed on", "true", `window.sheet[0].url === "" && /^試験\.mp4,video\/mp4,[1-9]\d{3,}$/.test(window.sheet[0].files[0])`},
		{"as a link where they are not", "false", `window.sheet[0].files.length === 0 && window.sheet[0].url.startsWith(location.origin + "/api/links/")`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, base, "/history", "ja", phone)
			call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: strings.ReplaceAll(sharing, "%FILES%", c.files)})
			b.goTo("/t/" + id)
			b.click("#share")
			b.wait(`window.sheet.length === 1`)
			if !eval[bool](b, c.given) {
				t.Errorf("given to the sheet: %s", eval[string](b, `JSON.stringify(window.sheet)`))
			}
			b.wait(`!document.querySelector("#share").disabled`)
			b.shot("share")
		})
	}
}

// fetched asks for an address as somebody without an account does.
func fetched(t *testing.T, url string) (status int, mediaType string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	return res.StatusCode, res.Header.Get("Content-Type")
}
