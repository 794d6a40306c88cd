package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/engines/speech/speechtest"
	"github.com/videomsg/videomsg/gateway"
)

// A caller is a user of one gateway.
type caller struct {
	t     *testing.T
	url   string
	token string
}

func (c caller) do(method, path, contentType string, body []byte, headers ...string) (int, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req) //nolint:gosec // the test's own server
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, data
}

// json sends a value and wants a status; the answer goes into out.
func (c caller) json(method, path string, want int, in, out any) {
	c.t.Helper()
	var body []byte
	kind := ""
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			c.t.Fatal(err)
		}
		kind = "application/json"
	}
	code, data := c.do(method, path, kind, body)
	if code != want {
		c.t.Errorf("%s %s: %d %s, want %d", method, path, code, data, want)
		return
	}
	if out != nil {
		decodeInto(c.t, data, out)
	}
}

// refused sends a value and wants a problem of a code.
func (c caller) refused(method, path string, in any, want string) {
	c.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	_, data := c.do(method, path, "application/json", body)
	var p gateway.Problem
	if json.Unmarshal(data, &p) != nil || p.Code != want {
		c.t.Errorf("%s %s: %.300s, want %s", method, path, data, want)
	}
}

// speak makes a task and returns its end.
func (c caller) speak(path string, in map[string]any) (st shown) {
	c.t.Helper()
	in["async"] = false
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	code, data := c.do("POST", path, "application/json", body, "Prefer", "wait=60")
	if code != http.StatusOK {
		c.t.Fatalf("%s: %d %s", path, code, data)
	}
	decodeInto(c.t, data, &st)
	return st
}

// clone asks for a cloned voice.
func (c caller) clone(fields map[string]string, samples ...[]byte) (int, []byte) {
	c.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, v := range fields {
		if err := w.WriteField(name, v); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, s := range samples {
		p, err := w.CreateFormFile("audio_samples", "sample.wav")
		if err == nil {
			_, err = p.Write(s)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.do("POST", "/api/voice-clone/create", w.FormDataContentType(), body.Bytes())
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only asked for its number
	return l.Addr().String()
}

// eventually waits for what another process must see.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("%s is not seen", what)
			return
		}
	}
}

// TestVoices goes the whole way of voices, cloned voices and words through two
// processes on one broker, with VOICEVOX and a cloning service beside them.
func TestVoices(t *testing.T) {
	if err := (speech.OpenJTalk{}).Ready(); err != nil {
		t.Skip(err)
	}
	vv, ov := &speechtest.Voicevox{}, &speechtest.OpenVoice{Qwen: true}
	vvs, ovs := httptest.NewServer(vv.Handler()), httptest.NewServer(ov.Handler())
	t.Cleanup(vvs.Close)
	t.Cleanup(ovs.Close)
	const secret = "0123456789abcdef0123456789abcdef"
	nats := freePort(t)
	env := []string{"JWT_SECRET_KEY=" + secret, "VOICEVOX_URL=" + vvs.URL, "VOICEVOX_SPEAKER=3", "OPENVOICE_SERVICE_URL=" + ovs.URL}
	first := start(t, t.TempDir(), append(env, "NATS_LISTEN="+nats)...)
	second := start(t, t.TempDir(), append(env, "NATS_URL=nats://"+nats)...)
	as := func(s *service, user string) caller {
		token, err := gateway.NewToken(secret, user, gateway.RoleUser, time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return caller{t, s.url, token}
	}
	here, there, bob := as(first, "alice"), as(second, "alice"), as(second, "bob")

	t.Run("catalogue and previews", func(t *testing.T) {
		var voices struct{ Items []gateway.Voice }
		here.json("GET", "/api/voices", 200, nil, &voices)
		for _, want := range []string{"voicevox:3", "openjtalk:standard", "espeak:en-us"} {
			i := slices.IndexFunc(voices.Items, func(v gateway.Voice) bool { return v.ID == want })
			if i < 0 {
				t.Errorf("%s is not among %d voices", want, len(voices.Items))
				continue
			}
			v := voices.Items[i]
			if v.Credit == "" && want != "espeak:en-us" {
				t.Errorf("%s owes no credit", want)
			}
			_, one := here.do("GET", v.PreviewURL, "", nil)
			calls := vv.Calls("/synthesis")
			_, two := here.do("GET", v.PreviewURL, "", nil)
			if !bytes.Equal(one, two) || vv.Calls("/synthesis") != calls {
				t.Errorf("the preview of %s is made again", want)
			}
			if a, err := wav.Decode(bytes.NewReader(one), 60*48000); err != nil || a.Duration() < 500*time.Millisecond {
				t.Errorf("preview of %s: %v, %v", want, a.Duration(), err)
			}
		}
	})

	t.Run("speech as WAV, with one's own words", func(t *testing.T) {
		here.json("POST", "/api/dictionary", 201, map[string]any{"surface": "小鳥遊", "reading": "たかなし"}, nil)
		code, data := there.do("POST", "/api/voices/synthesize", "application/json", []byte(`{"text":"小鳥遊さん","voice":"openjtalk:standard"}`), "Accept", "audio/wav", "Prefer", "wait=60")
		a, err := wav.Decode(bytes.NewReader(data), 60*48000)
		if code != 200 || err != nil || a.Duration() < 500*time.Millisecond {
			t.Fatalf("%d %.200s: %v, %v", code, data, a.Duration(), err)
		}
		for _, voice := range []string{"openjtalk:standard", "voicevox:3", "espeak:ja"} {
			st := there.speak("/api/voices/synthesize", map[string]any{"text": "小鳥遊さん", "voice": voice})
			_, doc := there.do("GET", "/api/video/download/"+st.TaskID+"?artifact=timings", "", nil)
			var l speech.Timings
			decodeInto(t, doc, &l)
			var said strings.Builder
			for _, p := range l.Phones {
				said.WriteString(strings.ToLower(p.P))
			}
			if !strings.Contains(said.String(), "takanash") && !strings.Contains(said.String(), "takanasi") || l.Words[0].Text[:3] != "小" {
				t.Errorf("%s says %q: %v", voice, said.String(), l.Words)
			}
		}
	})

	recording := wavOf(t, ownVoice(t))
	consent := `{"speaker":"花子","basis":"permission","statement":"I agree.","scope":["messages"],"expires":"2099-01-01T00:00:00Z"}`
	var p gateway.Profile
	t.Run("a voice is cloned and speaks", func(t *testing.T) {
		code, data := here.clone(map[string]string{"name": "花子の声", "consent": consent, "subject": "hanako"}, recording, recording)
		if code != http.StatusCreated {
			t.Fatalf("%d %s", code, data)
		}
		decodeInto(t, data, &p)
		there.json("GET", "/api/voice-clone/profiles/"+p.ProfileID, 200, nil, &p)
		c := p.Consent
		if p.Status != "ready" || p.Samples != 2 || c.Speaker != "花子" || c.Basis != "permission" || c.Statement != "I agree." || c.GivenAt == nil ||
			time.Since(*c.GivenAt) > time.Minute || len(c.Scope) != 1 || c.Expires == nil || c.Expires.Year() != 2099 || c.Withdrawn != nil {
			t.Errorf("%+v", p)
		}
		var all struct{ Items []gateway.Profile }
		there.json("GET", "/api/voice-clone/profiles", 200, nil, &all)
		if len(all.Items) != 1 {
			t.Errorf("%d profiles", len(all.Items))
		}
		st := there.speak("/api/voice-clone/synthesize", map[string]any{"text": "おはよう", "profile_id": p.ProfileID})
		if st.Status != "completed" || st.Stages[0].Engine != "openvoice" {
			t.Errorf("%+v", st)
		}
		if code, data := there.do("GET", p.PreviewURL, "", nil); code != 200 || string(data[:4]) != "RIFF" {
			t.Errorf("preview: %d %.200s", code, data)
		}
		if code, data := here.clone(map[string]string{"name": "me", "consent": "true"}, recording); code != http.StatusCreated {
			t.Errorf("one's own voice: %d %s", code, data)
		}
	})

	t.Run("nobody else's", func(t *testing.T) {
		bob.refused("GET", "/api/voice-clone/profiles/"+p.ProfileID, nil, "NOT_FOUND")
		bob.refused("PATCH", "/api/voice-clone/profiles/"+p.ProfileID, map[string]any{"revoke": true}, "NOT_FOUND")
		bob.refused("DELETE", "/api/voice-clone/profiles/"+p.ProfileID, nil, "NOT_FOUND")
		bob.refused("GET", p.PreviewURL, nil, "NOT_FOUND")
		bob.refused("POST", "/api/voice-clone/synthesize", map[string]any{"text": "おはよう", "profile_id": p.ProfileID}, "VOICE_PROFILE_NOT_FOUND")
	})

	t.Run("texts and voices that cannot be", func(t *testing.T) {
		for in, want := range map[string]string{
			"": "FIELD_MISSING", "  \n": "FIELD_MISSING", "！？…。、": "TEXT_NOT_SPEAKABLE", "🎉🎂": "TEXT_NOT_SPEAKABLE", "\u0001\u0002": "TEXT_NOT_SPEAKABLE",
			strings.Repeat("あ", 1001): "TEXT_TOO_LONG",
		} {
			here.refused("POST", "/api/voices/synthesize", map[string]any{"text": in}, want)
		}
		for _, voice := range []string{"voicevox:9999", "voicevox:x", "openjtalk:none", "espeak:xx", "nobody"} {
			here.refused("POST", "/api/voices/synthesize", map[string]any{"text": "はい", "voice": voice}, "VOICE_NOT_FOUND")
			here.refused("GET", "/api/voices/"+voice+"/preview", nil, "NOT_FOUND")
		}
		here.refused("POST", "/api/voice-clone/synthesize", map[string]any{"text": "はい", "profile_id": "nobody"}, "VOICE_PROFILE_NOT_FOUND")
		st := here.speak("/api/voices/synthesize", map[string]any{"text": "お\u0001は\u0007よう", "voice": "openjtalk:standard"})
		if st.Status != "completed" || !slices.Contains(st.Stages[0].Remarks, "Control characters were left out.") {
			t.Errorf("control characters: %+v", st)
		}
	})

	t.Run("recordings that no voice can be made of", func(t *testing.T) {
		quiet := func(seconds float64) dsp.Audio { return dsp.New(8000, 1, int(8000*seconds)) }
		wide := wavOf(t, quiet(2))
		copy(wide[22:], []byte{0, 1}) // 256 channels
		copy(wide[32:], []byte{0, 2}) // of two bytes
		fast := wavOf(t, quiet(2))
		copy(fast[24:], []byte{0x40, 0x42, 0x0f, 0}) // 1,000,000 Hz
		voice := ownVoice(t)
		long, err := dsp.Resample(voice, 8000)
		if err != nil {
			t.Fatal(err)
		}
		long.Ch[0] = slices.Repeat(long.Ch[0], 1+600*8000/len(long.Ch[0]))
		for name, c := range map[string]struct {
			sample     []byte
			code, says string
		}{
			"silence":      {wavOf(t, quiet(3)), "AUDIO_UNREADABLE", "silent"},
			"music":        {wavOf(t, song(440, 5)), "AUDIO_UNREADABLE", "speech"},
			"200 ms":       {wavOf(t, head(voice, 200*time.Millisecond)), "AUDIO_UNREADABLE", "has 0.2 s"},
			"10 minutes":   {wavOf(t, head(long, 10*time.Minute)), "AUDIO_TOO_LONG", "longer than 60 s"},
			"1 MHz":        {fast, "AUDIO_UNREADABLE", ""},
			"256 channels": {wide, "AUDIO_UNREADABLE", ""},
			"no sound":     {[]byte("RIFF0000WAVEjunk"), "AUDIO_UNREADABLE", ""},
			"a text":       {[]byte("hello"), "UNSUPPORTED_MEDIA_TYPE", ""},
		} {
			code, data := here.clone(map[string]string{"name": name, "consent": "true"}, c.sample)
			var pr gateway.Problem
			decodeInto(t, data, &pr)
			if code < 400 || code > 499 || pr.Code != c.code || !strings.Contains(string(data), c.says) {
				t.Errorf("%s: %d %s", name, code, data)
			}
		}
	})

	t.Run("a service that fails is said", func(t *testing.T) {
		ov.Add(speechtest.Fault{Path: "synthesize", Status: 200, Body: "<html>nginx</html>", Type: "text/html", Times: 1})
		st := here.speak("/api/voice-clone/synthesize", map[string]any{"text": "おはよう", "profile_id": p.ProfileID})
		s := st.Stages[0]
		if st.Status != "completed" || s.Engine != "voicevox" || len(s.FallbackFrom) != 1 || s.FallbackFrom[0].Engine != "openvoice" ||
			len(s.Remarks) == 0 || !strings.HasPrefix(s.Remarks[0], "The cloned voice was not used") || strings.Contains(fmt.Sprint(st), "nginx") {
			t.Errorf("%+v", st)
		}
		empty := string(speechtest.WAV(nil, 24000, 1, 1))
		for name, f := range map[string]speechtest.Fault{
			"HTML":         {Path: "synthesis", Status: 200, Body: "<html>", Type: "text/html", Times: 1},
			"half a body":  {Path: "synthesis", CutAt: 1000, Times: 2},
			"an empty WAV": {Path: "synthesis", Status: 200, Body: empty, Type: "audio/wav", Times: 1},
		} {
			vv.Add(f)
			st := here.speak("/api/voices/synthesize", map[string]any{"text": "こんにちは"})
			if s := st.Stages[0]; st.Status != "completed" || s.Engine != "openjtalk" || len(s.FallbackFrom) != 1 || s.FallbackFrom[0].Engine != "voicevox" {
				t.Errorf("%s: %+v", name, st)
			}
		}
	})

	t.Run("changes are seen by the other process", func(t *testing.T) {
		there.json("GET", "/api/voice-clone/profiles/"+p.ProfileID, 200, nil, nil) // now it remembers
		here.json("PATCH", "/api/voice-clone/profiles/"+p.ProfileID, 200, map[string]any{"name": "はなこ"}, nil)
		eventually(t, "the new name", func() bool {
			var q gateway.Profile
			there.json("GET", "/api/voice-clone/profiles/"+p.ProfileID, 200, nil, &q)
			return q.Name == "はなこ"
		})
		said := ov.Calls("/voice-clone/synthesize")
		here.json("PATCH", "/api/voice-clone/profiles/"+p.ProfileID, 200, map[string]any{"revoke": true}, &p)
		if p.Status != "revoked" || p.Consent.Withdrawn == nil {
			t.Errorf("%+v", p)
		}
		// No waiting here: what is withdrawn does not speak, whoever is asked.
		there.refused("GET", p.PreviewURL, nil, "CONSENT_REQUIRED")
		code, data := there.do("POST", "/api/voice-clone/synthesize", "application/json", fmt.Appendf(nil, `{"text":"おはよう","profile_id":%q,"async":false}`, p.ProfileID), "Prefer", "wait=60")
		if !strings.Contains(string(data), "CONSENT_REQUIRED") { // refused, or accepted and ended
			t.Errorf("a withdrawn voice: %d %s", code, data)
		}
		eventually(t, "the withdrawal", func() bool {
			var q gateway.Profile
			there.json("GET", "/api/voice-clone/profiles/"+p.ProfileID, 200, nil, &q)
			return q.Status == "revoked"
		})
		there.refused("POST", "/api/voice-clone/synthesize", map[string]any{"text": "おはよう", "profile_id": p.ProfileID}, "CONSENT_REQUIRED")
		if n := ov.Calls("/voice-clone/synthesize"); n != said {
			t.Errorf("a withdrawn voice spoke %d times", n-said)
		}
		there.json("DELETE", "/api/voice-clone/profiles/"+p.ProfileID, 204, nil, nil)
		eventually(t, "the deletion", func() bool {
			code, _ := here.do("GET", "/api/voice-clone/profiles/"+p.ProfileID, "", nil)
			return code == http.StatusNotFound
		})
	})
}

// ownVoice is somebody speaking.
func ownVoice(t *testing.T) dsp.Audio {
	t.Helper()
	s, err := (speech.OpenJTalk{}).Speak(t.Context(), speech.Request{Text: "これはわたしの声の録音です。どうぞよろしくお願いします。"})
	if err != nil {
		t.Fatal(err)
	}
	return s.Audio
}
