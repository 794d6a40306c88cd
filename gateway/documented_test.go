package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEverythingDocumentedWorks calls every operation as its document says and
// wants the success it promises; the harness holds each answer against the
// document.
func TestEverythingDocumentedWorks(t *testing.T) {
	h := newHarness(t, func(c *Config, d *Deps) {
		d.CheckEngine = func(string, string) error { return nil }
	})
	done := h.generate(text("subject", "Hanako"))
	h.finish(done, "")
	h.ended(done, "completed")
	failed := h.generate()
	h.finish(failed, "bgm")
	h.ended(failed, "failed")

	var dead deadLetters
	call := func(id string, r reply) reply {
		t.Helper()
		for _, rt := range h.g.api() {
			if rt.doc.id == id && r.StatusCode != rt.doc.ok {
				t.Errorf("%s answers %d, want %d: %s", id, r.StatusCode, rt.doc.ok, r.body)
			}
		}
		return r
	}
	image, sound := file("image", picture()), file("audio", tone(t, 0.3))
	call("verifyVideo", h.form("/api/verify", []part{file("video", []byte("not even a video"))}))
	call("hint", h.do("POST", "/api/d-id/hints/"+strings.Repeat("0a", 16), nil))
	call("taskStatus", h.do("GET", "/api/video/status/"+done, nil))
	call("download", h.do("GET", "/api/video/download/"+done, nil))
	call("download", h.do("HEAD", "/api/video/download/"+done, nil))
	call("processImage", h.form("/api/image/process", []part{image, text("steps", "crop,background")}))
	call("analyzeImage", h.form("/api/image/analyze", []part{image}))
	call("changeProsody", h.form("/api/audio/prosody", []part{sound, text("pitch_shift", "2"), text("emotion", "happy")}))
	call("addMusic", h.form("/api/audio/bgm", []part{sound, text("bgm_type", "calm"), text("bgm_volume", "0.5")}))
	call("synthesize", h.json("POST", "/api/voices/synthesize", `{"text":"こんにちは","voice":"openjtalk:standard"}`))
	call("generateAvatar", h.form("/api/d-id/generate-video", []part{image, sound}))

	p := decode[Profile](t, call("createProfile", h.form("/api/voice-clone/create", []part{text("name", "花子"), text("consent", "true"), text("subject", "Hanako"), file("audio_samples", tone(t, 1)), file("audio_samples", tone(t, 1))})))
	if p.Samples != 2 {
		t.Errorf("%d samples arrived, want 2", p.Samples)
	}
	call("synthesizeClone", h.json("POST", "/api/voice-clone/synthesize", fmt.Sprintf(`{"text":"こんにちは","profile_id":%q}`, p.ProfileID)))
	call("profiles", h.do("GET", "/api/voice-clone/profiles", nil))
	call("profile", h.do("GET", "/api/voice-clone/profiles/"+p.ProfileID, nil))
	call("changeProfile", h.json("PATCH", "/api/voice-clone/profiles/"+p.ProfileID, `{"name":"太郎"}`))
	call("previewProfile", h.do("GET", "/api/voice-clone/profiles/"+p.ProfileID+"/preview", nil))

	call("voices", h.do("GET", "/api/voices?language=ja", nil))
	call("previewVoice", h.do("GET", "/api/voices/openjtalk:standard/preview?text=hello", nil))
	word := decode[Word](t, call("createWord", h.json("POST", "/api/dictionary", `{"surface":"小鳥遊","reading":"たかなし","accent":0,"subject":"Hanako"}`)))
	call("words", h.do("GET", "/api/dictionary?language=ja", nil))
	call("word", h.do("GET", "/api/dictionary/"+word.ID, nil))
	call("changeWord", h.json("PATCH", "/api/dictionary/"+word.ID, `{"reading":"たかなし"}`))
	call("deleteWord", h.do("DELETE", "/api/dictionary/"+word.ID, nil))
	call("music", h.do("GET", "/api/bgm", nil))
	track := decode[Music](t, call("uploadTrack", h.form("/api/bgm", []part{sound, text("name", "my song"), text("credit", "A. Composer"), text("licence", "CC-BY-4.0"), text("rights", "true")})))
	call("track", h.do("GET", "/api/bgm/"+track.ID, nil))
	call("previewMusic", h.do("GET", "/api/bgm/"+track.ID+"/preview", nil))
	call("generateVideo", h.form("/api/video/generate", []part{image, text("text", "hi"), text("bgm_type", track.ID)}))
	call("backgrounds", h.do("GET", "/api/backgrounds", nil))
	call("previewBackground", h.do("GET", "/api/backgrounds/soft/preview?width=64&height=64", nil))
	call("deleteTrack", h.do("DELETE", "/api/bgm/"+track.ID, nil))

	l := decode[link](t, call("makeLink", h.json("POST", "/api/tasks/"+done+"/links", `{"artifact":"video"}`)))
	call("followLink", h.do("GET", l.URL, nil, "Authorization", ""))
	call("followLink", h.do("HEAD", l.URL, nil, "Authorization", ""))

	call("tasks", h.do("GET", "/api/tasks?limit=2", nil))
	call("rerunTask", h.json("POST", "/api/tasks/"+done+"/rerun", `{"from":"bgm","changes":{"bgm_volume":0.1}}`))
	running := h.generate()
	call("cancelTask", h.do("POST", "/api/tasks/"+running+"/cancel", nil))
	call("taskEvents", h.do("GET", "/api/tasks/"+done+"/events", nil, "Accept", "application/json"))
	call("taskEvents", h.do("GET", "/api/tasks/"+done+"/events", nil, "Accept", "text/event-stream"))

	hook := decode[Webhook](t, call("createWebhook", h.json("POST", "/api/webhooks", `{"url":"https://example.com/hook"}`)))
	if !strings.HasPrefix(hook.Secret, "whsec_") {
		t.Errorf("secret %q", hook.Secret)
	}
	call("webhooks", h.do("GET", "/api/webhooks", nil))
	call("webhook", h.do("GET", "/api/webhooks/"+hook.ID, nil))
	call("webhookRotate", h.do("POST", "/api/webhooks/"+hook.ID+"/rotate", nil))
	call("deliveries", h.do("GET", "/api/webhooks/"+hook.ID+"/deliveries", nil))
	call("redeliver", h.do("POST", "/api/webhooks/"+hook.ID+"/deliveries/7/redeliver", nil))
	call("deleteWebhook", h.do("DELETE", "/api/webhooks/"+hook.ID, nil))

	call("session", h.do("GET", "/api/session", nil))
	in := call("signIn", h.json("POST", "/api/session", fmt.Sprintf(`{"token":%q}`, h.user), "Authorization", ""))
	cookie := in.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %v", cookie)
	}
	if r := h.do("GET", "/api/tasks", nil, "Authorization", "", "Cookie", cookie.Name+"="+cookie.Value); r.StatusCode != 200 {
		t.Errorf("session cookie: %s", r.body)
	}
	call("signOut", h.do("DELETE", "/api/session", nil))

	as := func(method, path string) reply { return h.do(method, path, nil, "Authorization", "Bearer "+h.admin) }
	call("stages", as("GET", "/api/admin/stages"))
	call("engines", as("GET", "/api/admin/engines"))
	call("workers", as("GET", "/api/admin/workers"))
	call("throughput", as("GET", "/api/admin/throughput"))
	dead = decode[deadLetters](t, call("deadLetters", as("GET", "/api/admin/dead-letters")))
	if len(dead.Items) != 1 || dead.Items[0].TaskID != failed || dead.Items[0].Stage != "bgm" {
		t.Fatalf("dead letters: %+v", dead)
	}
	serveStage(t, h, "bgm")
	call("pauseStage", as("POST", "/api/admin/stages/bgm/pause"))
	call("resumeStage", as("POST", "/api/admin/stages/bgm/resume"))
	one := fmt.Sprintf("/api/admin/dead-letters/%d", dead.Items[0].Seq)
	call("deadLetter", as("GET", one))
	redriven := decode[DeadLetter](t, call("redrive", as("POST", one+"/redrive")))
	if redriven.State != "redriven" || redriven.NewTask == "" {
		t.Errorf("redriven: %+v", redriven)
	}
	h.finish(redriven.NewTask, "")
	if v := h.ended(redriven.NewTask, "completed"); v.Parent != failed || len(v.Stages) != 5 || v.Stages[0].Cache != "reused" {
		t.Errorf("redriven task: %+v", v)
	}
	second := h.generate()
	h.finish(second, "image")
	h.ended(second, "failed")
	dead = decode[deadLetters](t, as("GET", "/api/admin/dead-letters"))
	if len(dead.Items) != 1 || dead.Items[0].TaskID != second {
		t.Fatalf("dead letters: %+v", dead)
	}
	call("discard", as("DELETE", fmt.Sprintf("/api/admin/dead-letters/%d", dead.Items[0].Seq)))

	for id, path := range map[string]string{"health": "/health", "livez": "/livez", "readyz": "/readyz", "openapi": "/openapi.json", "asyncapi": "/asyncapi.json", "docs": "/docs"} {
		call(id, h.do("GET", path, nil))
	}
	call("eraseTask", h.do("DELETE", "/api/tasks/"+failed, nil))
	call("eraseSubject", h.do("DELETE", "/api/subjects/Hanako", nil))
	call("deleteProfile", deleted(h))
	openStream(t, h)

	for _, rt := range h.g.api() {
		if seen.n[fmt.Sprintf("%s %d", rt.doc.id, rt.doc.ok)] == 0 && rt.doc.id != "events" {
			t.Errorf("%s %s was not called with success", rt.method, rt.path)
		}
	}
}

// deleted makes and deletes a cloned voice.
func deleted(h *harness) reply {
	r := h.form("/api/voice-clone/create", []part{text("name", "x"), text("consent", "true"), file("audio_samples", tone(h.t, 1))})
	return h.do("DELETE", "/api/voice-clone/profiles/"+decode[Profile](h.t, r).ProfileID, nil)
}

// TestTheDocumentIsWhatIsServed looks at the document itself.
func TestTheDocumentIsWhatIsServed(t *testing.T) {
	h := newHarness(t, nil)
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	r := h.do("GET", "/openapi.json", nil, "Authorization", "")
	if err := json.Unmarshal(r.body, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	ids := map[string]bool{}
	n := 0
	for _, methods := range doc.Paths {
		for _, op := range methods {
			n++
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("operation id %q is empty or stands twice", op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	if n != len(h.g.api()) {
		t.Errorf("%d operations in the document, %d in the table", n, len(h.g.api()))
	}
	for _, ref := range refs(string(r.body)) {
		if doc.Components.Schemas[ref] == nil {
			t.Errorf("schema %s is named and missing", ref)
		}
	}
	page := h.do("GET", "/docs", nil, "Authorization", "")
	for _, outside := range []string{"<script", "src=", "http://fonts", "https://cdn", "@import"} {
		if strings.Contains(string(page.body), outside) {
			t.Errorf("the page contains %q", outside)
		}
	}
	if !strings.Contains(string(page.body), "/api/video/generate") || page.Header.Get("Content-Security-Policy") == "" {
		t.Error("the page lacks its content or its policy")
	}
}

func refs(doc string) []string {
	var out []string
	const mark = `"#/components/schemas/`
	for {
		i := strings.Index(doc, mark)
		if i < 0 {
			slices.Sort(out)
			return slices.Compact(out)
		}
		doc = doc[i+len(mark):]
		out = append(out, doc[:strings.IndexByte(doc, '"')])
	}
}

// TestDocumentedFieldsAreTheOnesTaken sends every documented field of a form, and
// one that is not.
func TestDocumentedFieldsAreTheOnesTaken(t *testing.T) {
	h := newHarness(t, func(_ *Config, d *Deps) { d.CheckEngine = func(string, string) error { return nil } })
	values := map[string]string{
		"text": "hello", "language": "en", "voice": "openjtalk:standard", "prosody_params": `{"pitch_shift":1}`, "captions": "file", "style": "talking",
		"motion": "0.5", "mouth": "auto", "label": "off", "bgm_type": "calm", "bgm_volume": "0.2", "bgm_duck": "true", "bgm_lead_in": "0.5", "bgm_tail": "1", "bgm_fade_out": "3", "accessible": "false",
		"background": "soft", "aspect": "1:1", "face": "1", "require": "video=portrait", "fresh": "true", "consent": "true", "subject": "s", "user_data": "u",
		"async": "true", "steps": "crop", "pitch_shift": "1", "time_stretch": "1.1", "energy_boost": "1", "intensity": "0.5", "emotion": "happy", "name": "n",
		"rights": "true", "priority": "bulk", "title_to": "花子", "title_from": "太郎", "credit": "c", "licence": "l", "description": "d",
	}
	for _, rt := range h.g.api() {
		if rt.doc.form == nil {
			continue
		}
		var parts []part
		for _, f := range rt.doc.form {
			switch {
			case f.kind == "file" && strings.Contains(f.name, "image"):
				parts = append(parts, file(f.name, picture()))
			case f.kind == "file" && f.name == "audio" && rt.doc.id == "generateVideo":
			case f.kind == "file":
				parts = append(parts, file(f.name, tone(t, 1)))
			case f.name == "voice_profile":
			default:
				v, ok := values[f.name]
				if !ok {
					t.Errorf("%s: no value for %s", rt.doc.id, f.name)
				}
				parts = append(parts, text(f.name, v))
			}
		}
		if r := h.form(rt.path, parts); r.StatusCode != rt.doc.ok {
			t.Errorf("%s with all its fields: %s %s", rt.doc.id, r.Status, r.body)
		}
		if r := h.form(rt.path, append(parts, text("nobody_knows", "x"))); r.StatusCode != 422 || r.code() != codeUnknownField {
			t.Errorf("%s with another field: %s %s", rt.doc.id, r.Status, r.body)
		}
	}
}

func openStream(t *testing.T, h *harness) {
	t.Helper()
	s := h.listen("/api/events", h.user)
	defer s.close()
	task := h.generate()
	for deadline := time.Now().Add(time.Minute); ; {
		e := s.next(t, deadline)
		if strings.Contains(e.data, task) {
			return
		}
	}
}
