package gateway

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oklog/ulid/v2"
)

// An attack is a request that must be refused. It is sent as alice.
type attack struct {
	name   string
	send   func(h *harness) reply
	status int
	code   string
}

func get(path string, headers ...string) func(*harness) reply {
	return func(h *harness) reply { return h.do("GET", path, nil, headers...) }
}

func post(path, body string, headers ...string) func(*harness) reply {
	return func(h *harness) reply { return h.json("POST", path, body, headers...) }
}

// gen is a video request with parts beside a good picture and text.
func gen(parts ...part) func(*harness) reply {
	return func(h *harness) reply {
		return h.form("/api/video/generate", append([]part{file("image", picture()), text("text", "hi")}, parts...))
	}
}

// only is a video request with exactly these parts.
func only(parts ...part) func(*harness) reply {
	return func(h *harness) reply { return h.form("/api/video/generate", parts) }
}

func to(path string, parts ...part) func(*harness) reply {
	return func(h *harness) reply { return h.form(path, parts) }
}

// track is an upload of music with these names and values beside the file.
func track(fields ...string) func(*harness) reply {
	return func(h *harness) reply {
		parts := []part{file("audio", tone(h.t, 1))}
		for i := 0; i < len(fields); i += 2 {
			parts = append(parts, text(fields[i], fields[i+1]))
		}
		return h.form("/api/bgm", parts)
	}
}

func as(token func(h *harness) string, method, path string) func(*harness) reply {
	return func(h *harness) reply { return h.do(method, path, nil, "Authorization", "Bearer "+token(h)) }
}

func signed(method jwt.SigningMethod, key any, c jwt.MapClaims) func(h *harness) string {
	return func(h *harness) string {
		s, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			h.t.Fatal(err)
		}
		return s
	}
}

func later() int64 { return time.Now().Add(time.Hour).Unix() }

// pngBomb claims to be huge.
func pngBomb(w, h uint32) []byte {
	var buf bytes.Buffer
	buf.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		_ = binary.Write(&buf, binary.BigEndian, uint32(len(data))) //nolint:errcheck // memory
		body := append([]byte(kind), data...)
		buf.Write(body)
		_ = binary.Write(&buf, binary.BigEndian, crc32.ChecksumIEEE(body)) //nolint:errcheck // memory
	}
	head := make([]byte, 13)
	binary.BigEndian.PutUint32(head, w)
	binary.BigEndian.PutUint32(head[4:], h)
	head[8], head[9] = 8, 6
	chunk("IHDR", head)
	chunk("IDAT", []byte{0x78, 0x9c, 1, 0, 0, 0xff, 0xff})
	chunk("IEND", nil)
	return buf.Bytes()
}

// wavHead is a header that promises what is not there.
func wavHead(channels uint16, rate, data uint32, bits uint16) []byte {
	var b bytes.Buffer
	b.WriteString("RIFF")
	for _, v := range []any{data + 36, []byte("WAVEfmt "), uint32(16), uint16(1), channels, rate, rate * uint32(channels) * uint32(bits) / 8, channels * bits / 8, bits, []byte("data"), data} {
		_ = binary.Write(&b, binary.LittleEndian, v) //nolint:errcheck // memory
	}
	b.Write(make([]byte, 64))
	return b.Bytes()
}

func flacHead(rate, samples uint64) []byte {
	b := append([]byte("fLaC\x00\x00\x00\x22"), make([]byte, 34)...)
	binary.BigEndian.PutUint64(b[18:], rate<<44|1<<41|15<<36|samples)
	return append(b, make([]byte, 64)...)
}

func webpBomb() []byte {
	b := []byte("RIFF\x00\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f\xff\xff\xff\xff\x00\x00\x00\x00\x00")
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func attacks(own, foreign string) []attack {
	long := strings.Repeat("あ", 1001)
	old := strings.ToLower(ulid.MustNew(ulid.Timestamp(time.Now().Add(-40*24*time.Hour)), strings.NewReader("0123456789")).String())
	image, words := file("image", picture()), text("text", "hi")
	list := []attack{
		// Who is it?
		{"no token", get("/api/tasks", "Authorization", ""), 401, codeUnauthorized},
		{"empty bearer", get("/api/tasks", "Authorization", "Bearer "), 401, codeUnauthorized},
		{"basic", get("/api/tasks", "Authorization", "Basic YTpi"), 401, codeUnauthorized},
		{"garbage token", get("/api/tasks", "Authorization", "Bearer a.b.c"), 401, codeUnauthorized},
		{"two dots", get("/api/tasks", "Authorization", "Bearer .."), 401, codeUnauthorized},
		{"huge token", get("/api/tasks", "Authorization", "Bearer "+strings.Repeat("A", 20000)), 401, codeUnauthorized},
		{"alg none", as(signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"user_id": "alice", "exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"alg HS384", as(signed(jwt.SigningMethodHS384, []byte(testSecret), jwt.MapClaims{"user_id": "alice", "exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"alg HS512", as(signed(jwt.SigningMethodHS512, []byte(testSecret), jwt.MapClaims{"user_id": "alice", "exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"other secret", as(signed(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), jwt.MapClaims{"user_id": "alice", "exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"empty secret", as(signed(jwt.SigningMethodHS256, []byte{}, jwt.MapClaims{"user_id": "alice", "exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"expired", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"user_id": "alice", "exp": time.Now().Add(-time.Hour).Unix()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"no expiry", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"user_id": "alice"}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"not yet", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"user_id": "alice", "exp": later(), "nbf": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"no user", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"numeric user", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"user_id": 7, "exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"user with newline", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"user_id": "a\nb", "exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"user too long", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"user_id": strings.Repeat("a", 500), "exp": later()}), "GET", "/api/tasks"), 401, codeUnauthorized},
		{"role of own making", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"user_id": "alice", "role": "root", "exp": later()}), "GET", "/api/admin/stages"), 401, codeUnauthorized},
		{"role as list", as(signed(jwt.SigningMethodHS256, []byte(testSecret), jwt.MapClaims{"user_id": "alice", "role": []string{"admin"}, "exp": later()}), "GET", "/api/admin/stages"), 401, codeUnauthorized},
		{"user in admin stages", get("/api/admin/stages"), 403, codeForbidden},
		{"user in admin engines", get("/api/admin/engines"), 403, codeForbidden},
		{"user in admin workers", get("/api/admin/workers"), 403, codeForbidden},
		{"user in admin throughput", get("/api/admin/throughput"), 403, codeForbidden},
		{"user in dead letters", get("/api/admin/dead-letters"), 403, codeForbidden},
		{"user pauses", post("/api/admin/stages/bgm/pause", ""), 403, codeForbidden},
		{"user redrives", post("/api/admin/dead-letters/1/redrive", ""), 403, codeForbidden},
		{"cookie of another site", func(h *harness) reply {
			return h.do("POST", "/api/tasks/"+own+"/cancel", nil, "Authorization", "", "Cookie", sessionCookie+"="+h.user, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		}, 403, codeForbidden},
		{"cookie with foreign origin", func(h *harness) reply {
			return h.do("DELETE", "/api/tasks/"+own, nil, "Authorization", "", "Cookie", sessionCookie+"="+h.user, "Origin", "https://evil.example")
		}, 403, codeForbidden},
		{"sign-in from another site", post("/api/session", `{"token":"x"}`, "Authorization", "", "Sec-Fetch-Site", "cross-site"), 403, codeForbidden},
		{"sign-in with garbage", post("/api/session", `{"token":"x"}`, "Authorization", ""), 401, codeUnauthorized},
		{"bad cookie", get("/api/tasks", "Authorization", "", "Cookie", sessionCookie+"=zzz"), 401, codeUnauthorized},

		// Somebody else's, nobody's, and ids that are none.
		{"foreign cancel", post("/api/tasks/"+foreign+"/cancel", ""), 404, codeNotFound},
		{"foreign rerun", post("/api/tasks/"+foreign+"/rerun", `{"from":"voice"}`), 404, codeNotFound},
		{"foreign erase", func(h *harness) reply { return h.do("DELETE", "/api/tasks/"+foreign, nil) }, 404, codeNotFound},
		{"foreign status", get("/api/video/status/" + foreign), 404, codeNotFound},
		{"status of long ago", get("/api/video/status/" + old), 410, codeGone},
		{"foreign download", get("/api/video/download/" + foreign), 404, codeNotFound},
		{"foreign artefact", get("/api/video/download/" + foreign + "?artifact=portrait"), 404, codeNotFound},
		{"foreign events", get("/api/tasks/" + foreign + "/events"), 404, codeNotFound},
		{"artefact with traversal", get("/api/video/download/" + own + "?artifact=../../portrait"), 404, codeNotFound},
		{"artefact that is private", get("/api/video/download/" + own + "?artifact=details"), 404, codeNotFound},
		{"discard with number of none", func(h *harness) reply {
			return h.do("DELETE", "/api/admin/dead-letters/99999", nil, "Authorization", "Bearer "+h.admin)
		}, 404, codeNotFound},
		{"dead letter that is none", func(h *harness) reply {
			return h.do("GET", "/api/admin/dead-letters/1", nil, "Authorization", "Bearer "+h.admin)
		}, 404, codeNotFound},
		{"dead letter −1", func(h *harness) reply {
			return h.do("GET", "/api/admin/dead-letters/-1", nil, "Authorization", "Bearer "+h.admin)
		}, 404, codeNotFound},
		{"stage that is none", func(h *harness) reply {
			return h.do("POST", "/api/admin/stages/nothing/pause", nil, "Authorization", "Bearer "+h.admin)
		}, 404, codeNotFound},
		{"stage wildcard", func(h *harness) reply {
			return h.do("POST", "/api/admin/stages/*/pause", nil, "Authorization", "Bearer "+h.admin)
		}, 404, codeNotFound},
		{"unserved stage", func(h *harness) reply {
			return h.do("POST", "/api/admin/stages/video/pause", nil, "Authorization", "Bearer "+h.admin)
		}, 409, codeConflict},
		{"unknown path", get("/api/secret"), 404, codeNotFound},
		{"unknown method", func(h *harness) reply { return h.do("PUT", "/api/tasks", nil) }, 405, codeMethod},
		{"trace", func(h *harness) reply { return h.do("TRACE", "/api/tasks", nil) }, 405, codeMethod},
		{"method of own making", func(h *harness) reply { return h.do("HACK", "/api/tasks", nil) }, 405, codeMethod},

		// Queries.
		{"limit 0", get("/api/tasks?limit=0"), 422, codeRange},
		{"limit −1", get("/api/tasks?limit=-1"), 422, codeRange},
		{"limit 1e9", get("/api/tasks?limit=1000000000"), 422, codeRange},
		{"limit huge", get("/api/tasks?limit=99999999999999999999"), 422, codeRange},
		{"limit word", get("/api/tasks?limit=all"), 422, codeRange},
		{"cursor garbage", get("/api/tasks?cursor=%FF%00"), 422, codeRange},
		{"cursor of another version", get("/api/tasks?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("9abc"))), 422, codeRange},
		{"cursor with traversal", get("/api/tasks?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("1../../x"))), 422, codeRange},
		{"cursor with wildcard", get("/api/tasks?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("1vm.>"))), 422, codeRange},
		{"state unknown", get("/api/tasks?state=done"), 422, codeRange},
		{"since yesterday", get("/api/tasks?since=yesterday"), 422, codeRange},
		{"wait NaN", get("/api/video/status/" + own + "?wait=NaN"), 422, codeRange},
		{"wait Inf", get("/api/video/status/" + own + "?wait=Inf"), 422, codeRange},
		{"wait −1", get("/api/video/status/" + own + "?wait=-1"), 422, codeRange},
		{"wait 61", get("/api/video/status/" + own + "?wait=61"), 422, codeRange},
		{"wait 1e308", get("/api/video/status/" + own + "?wait=1e308"), 422, codeRange},
		{"after word", get("/api/tasks/" + own + "/events?after=x"), 422, codeRange},
		{"after −1", get("/api/events?after=-1"), 422, codeRange},
		{"preview of nobody", get("/api/voices/nobody/preview"), 404, codeNotFound},
		{"preview with traversal", get("/api/voices/..%2f..%2fetc%2fpasswd/preview"), 404, codeNotFound},
		{"preview with null", get("/api/voices/a%00b/preview"), 404, codeNotFound},
		{"preview text too long", get("/api/voices/openjtalk:standard/preview?text=" + strings.Repeat("a", 101)), 422, codeTextTooLong},
		{"preview of no words", get("/api/voices/openjtalk:standard/preview?text=%E3%80%82"), 422, codeNotSpeakable},
		{"preview bad UTF-8", get("/api/voices/openjtalk:standard/preview?text=%ff%fe"), 400, codeBadRequest},
		{"background huge", get("/api/backgrounds/soft/preview?width=100000&height=100000"), 422, codeRange},
		{"background −1", get("/api/backgrounds/soft/preview?width=-1"), 422, codeRange},
		{"background of none", get("/api/backgrounds/zzz/preview"), 404, codeNotFound},
		{"background spec as id", get("/api/backgrounds/blur/preview"), 404, codeNotFound},
		{"dead letter limit", func(h *harness) reply {
			return h.do("GET", "/api/admin/dead-letters?limit=1e9", nil, "Authorization", "Bearer "+h.admin)
		}, 422, codeRange},

		// Forms.
		{"no body", func(h *harness) reply { return h.do("POST", "/api/video/generate", nil) }, 400, codeBadRequest},
		{"JSON instead of a form", post("/api/video/generate", `{"text":"hi"}`), 400, codeBadRequest},
		{"url-encoded form", func(h *harness) reply {
			return h.do("POST", "/api/video/generate", strings.NewReader("text=hi"), "Content-Type", "application/x-www-form-urlencoded")
		}, 400, codeBadRequest},
		{"no boundary", func(h *harness) reply {
			return h.do("POST", "/api/video/generate", strings.NewReader("x"), "Content-Type", "multipart/form-data")
		}, 400, codeBadRequest},
		{"endless boundary", func(h *harness) reply {
			return h.do("POST", "/api/video/generate", strings.NewReader("x"), "Content-Type", "multipart/form-data; boundary="+strings.Repeat("b", 500))
		}, 400, codeBadRequest},
		{"cut off in the header", func(h *harness) reply {
			return h.do("POST", "/api/video/generate", strings.NewReader("--b\r\nContent-Disposition: form-da"), "Content-Type", "multipart/form-data; boundary=b")
		}, 400, codeBadRequest},
		{"cut off in the file", func(h *harness) reply {
			body, kind := formBody(image, words)
			b, err := io.ReadAll(body)
			if err != nil {
				h.t.Fatal(err)
			}
			return h.do("POST", "/api/video/generate", bytes.NewReader(b[:len(b)/2]), "Content-Type", kind)
		}, 400, codeBadRequest},
		{"header of a part too long", func(h *harness) reply {
			return h.do("POST", "/api/video/generate", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"text\"\r\nX-A: "+strings.Repeat("a", 11<<20)+"\r\n\r\nhi\r\n--b--\r\n"), "Content-Type", "multipart/form-data; boundary=b")
		}, 400, codeBadRequest},
		{"10,000 fields", func(h *harness) reply {
			parts := make([]part, 10_000)
			for i := range parts {
				parts[i] = text(fmt.Sprintf("f%d", i), "x")
			}
			return h.form("/api/video/generate", parts)
		}, 400, codeBadRequest},
		{"no image", only(words), 422, codeMissing},
		{"no text", only(image), 422, codeMissing},
		{"text and audio", func(h *harness) reply { return gen(file("audio", tone(h.t, 1)))(h) }, 400, codeBadRequest},
		{"text twice", gen(text("text", "again")), 400, codeBadRequest},
		{"image twice", gen(image), 400, codeBadRequest},
		{"image as text", only(text("image", "x"), words), 415, codeMediaType},
		{"text as file", only(image, file("text", []byte("hi"))), 422, codeUnknownField},
		{"unknown field", gen(text("voise", "x")), 422, codeUnknownField},
		{"field without a name", gen(text("", "x")), 422, codeUnknownField},
		{"prototype field", gen(text("__proto__", "x")), 422, codeUnknownField},
		{"empty text", only(image, text("text", "")), 422, codeMissing},
		{"blank text", only(image, text("text", " \n\t")), 422, codeMissing},
		{"1,001 characters", only(image, text("text", long)), 422, codeTextTooLong},
		{"17 KB of text", only(image, text("text", strings.Repeat("a", 17<<10))), 422, codeTextTooLong},
		{"unspeakable text", only(image, text("text", "。。。！？")), 422, codeNotSpeakable},
		{"bad UTF-8", only(image, text("text", "a\xff\xfe")), 400, codeBadRequest},
		{"null byte", only(image, text("text", "a\x00b")), 400, codeBadRequest},
		{"overlong slash", only(image, text("text", "\xc0\xaf")), 400, codeBadRequest},
		{"surrogate", only(image, text("text", "\xed\xa0\x80")), 400, codeBadRequest},
		{"subject too long", gen(text("subject", strings.Repeat("s", 201))), 422, codeRange},
		{"subject with escape", gen(text("subject", "a\x1b[31m")), 422, codeRange},
		{"user_data too long", gen(text("user_data", strings.Repeat("s", 1001))), 422, codeRange},
		{"language of none", gen(text("language", "../ja")), 422, codeRange},
		{"language too long", gen(text("language", strings.Repeat("a", 40))), 422, codeRange},
		{"language of hyphens", gen(text("language", "---")), 422, codeRange},
		{"voice of none", gen(text("voice", "nobody")), 422, codeVoice},
		{"voice with traversal", gen(text("voice", "../../etc/passwd")), 422, codeVoice},
		{"profile of none", gen(text("voice_profile", "nobody")), 422, codeProfile},
		{"profile with wildcard", gen(text("voice_profile", "*")), 422, codeProfile},
		{"music of none", gen(text("bgm_type", "punk")), 422, codeBGM},
		{"music with traversal", gen(text("bgm_type", "../calm")), 422, codeBGM},
		{"music with wildcard", gen(text("bgm_type", ">")), 422, codeBGM},
		{"volume NaN", gen(text("bgm_volume", "NaN")), 422, codeRange},
		{"volume Inf", gen(text("bgm_volume", "+Inf")), 422, codeRange},
		{"volume −0.1", gen(text("bgm_volume", "-0.1")), 422, codeRange},
		{"volume 1.01", gen(text("bgm_volume", "1.01")), 422, codeRange},
		{"volume 1e400", gen(text("bgm_volume", "1e400")), 422, codeRange},
		{"volume word", gen(text("bgm_volume", "loud")), 422, codeRange},
		{"volume hex", gen(text("bgm_volume", "0x1p10")), 422, codeRange},
		{"music before the voice for an hour", gen(text("bgm_lead_in", "3600")), 422, codeRange},
		{"music that fades backwards", gen(text("bgm_fade_out", "-1")), 422, codeRange},
		{"duck maybe", gen(text("bgm_duck", "maybe")), 422, codeRange},
		{"aspect 4:3", gen(text("aspect", "4:3")), 422, codeRange},
		{"captions maybe", gen(text("captions", "maybe")), 422, codeRange},
		{"style unknown", gen(text("style", "opera")), 422, codeRange},
		{"motion 2", gen(text("motion", "2")), 422, codeRange},
		{"face 0", gen(text("face", "0")), 422, codeRange},
		{"face −1", gen(text("face", "-1")), 422, codeRange},
		{"face 51", gen(text("face", "51")), 422, codeRange},
		{"background colour", gen(text("background", "#12345")), 422, codeRange},
		{"background script", gen(text("background", "<script>")), 422, codeRange},
		{"require of none", gen(text("require", "video=zzz")), 422, codeRange},
		{"require malformed", gen(text("require", "video")), 422, codeRange},
		{"require injection", gen(text("require", "video=a.b.>")), 422, codeRange},
		{"require what is off", gen(text("require", "video=d-id")), 503, codeUnavailable},
		{"fresh maybe", gen(text("fresh", "1")), 422, codeRange},
		{"async maybe", gen(text("async", "no")), 422, codeRange},
		{"Prefer 61 s", func(h *harness) reply {
			return h.form("/api/video/generate", []part{image, words}, "Prefer", "wait=61")
		}, 422, codeRange},
		{"Prefer word", func(h *harness) reply {
			return h.form("/api/video/generate", []part{image, words}, "Prefer", "wait=ever")
		}, 422, codeRange},
		{"key empty", func(h *harness) reply {
			req, _ := http.NewRequestWithContext(h.t.Context(), "POST", h.url+"/api/voices/synthesize", strings.NewReader(`{"text":"hi"}`)) //nolint:errcheck // constant
			req.Header = http.Header{"Authorization": {"Bearer " + h.user}, "Content-Type": {"application/json"}, "Idempotency-Key": {""}}
			return h.send(req)
		}, 400, codeBadRequest},
		{"key too long", post("/api/voices/synthesize", `{"text":"hi"}`, "Idempotency-Key", strings.Repeat("k", 256)), 400, codeBadRequest},
		{"key not printable", post("/api/voices/synthesize", `{"text":"hi"}`, "Idempotency-Key", "kéy"), 400, codeBadRequest},
		{"key twice", func(h *harness) reply {
			req, _ := http.NewRequestWithContext(h.t.Context(), "POST", h.url+"/api/voices/synthesize", strings.NewReader(`{"text":"hi"}`)) //nolint:errcheck // constant
			req.Header = http.Header{"Authorization": {"Bearer " + h.user}, "Content-Type": {"application/json"}, "Idempotency-Key": {"a", "b"}}
			return h.send(req)
		}, 400, codeBadRequest},

		// Prosody.
		{"prosody word", gen(text("prosody_params", "fast")), 422, codeRange},
		{"prosody list", gen(text("prosody_params", "[1]")), 422, codeRange},
		{"prosody unknown member", gen(text("prosody_params", `{"pitch":1}`)), 422, codeRange},
		{"prosody member twice", gen(text("prosody_params", `{"pitch_shift":1,"pitch_shift":2}`)), 422, codeRange},
		{"prosody two values", gen(text("prosody_params", `{}{}`)), 422, codeRange},
		{"prosody NaN", gen(text("prosody_params", `{"pitch_shift":NaN}`)), 422, codeRange},
		{"prosody 1e999", gen(text("prosody_params", `{"pitch_shift":1e999}`)), 422, codeRange},
		{"prosody text number", gen(text("prosody_params", `{"pitch_shift":"2"}`)), 422, codeRange},
		{"prosody pitch 13", gen(text("prosody_params", `{"pitch_shift":13}`)), 422, codeRange},
		{"prosody stretch 0", gen(text("prosody_params", `{"time_stretch":0}`)), 422, codeRange},
		{"prosody emotion", gen(text("prosody_params", `{"emotion":"furious"}`)), 422, codeRange},
		{"prosody pause 1 h", gen(text("prosody_params", `{"pauses":{"。":3600}}`)), 422, codeRange},
		{"prosody pause of a word", gen(text("prosody_params", `{"pauses":{"hello":1}}`)), 422, codeRange},
		{"prosody 17 pauses", gen(text("prosody_params", `{"pauses":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1}}`)), 422, codeRange},
		{"prosody deep", gen(text("prosody_params", strings.Repeat(`{"pauses":`, 1000))), 422, codeRange},

		// Files.
		{"empty image", only(file("image", nil), words), 422, codeMissing},
		{"text as image", only(file("image", []byte("hello, I am a picture")), words), 415, codeMediaType},
		{"HTML as image", only(file("image", []byte("<html><script>alert(1)</script>")), words), 415, codeMediaType},
		{"SVG as image", only(file("image", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)), words), 415, codeMediaType},
		{"GIF as image", only(file("image", []byte("GIF89a\x40\x00\x40\x00\x00\x00\x00;")), words), 415, codeMediaType},
		{"zip as image", only(file("image", []byte("PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaaa")), words), 415, codeMediaType},
		{"PDF as image", only(file("image", []byte("%PDF-1.7 aaaaaaaaaaaaaaaaaaaaa")), words), 415, codeMediaType},
		{"ELF as image", only(file("image", []byte("\x7fELF\x02\x01\x01aaaaaaaaaaaaaaa")), words), 415, codeMediaType},
		{"PNG bomb", only(file("image", pngBomb(50_000, 50_000)), words), 422, codeImageTooLarge},
		{"PNG of 2³¹ pixels a side", only(file("image", pngBomb(1<<31-1, 1<<31-1)), words), 422, codeImageTooLarge},
		{"PNG of no pixels", only(file("image", pngBomb(0, 0)), words), 422, codeImageBroken},
		{"PNG of 8 pixels", only(file("image", pictureOf(8, 8)), words), 422, codeImageBroken},
		{"PNG line", only(file("image", pictureOf(4000, 2)), words), 422, codeImageBroken},
		{"PNG cut off", only(file("image", picture()[:200]), words), 422, codeImageBroken},
		{"PNG signature only", only(file("image", picture()[:8]), words), 422, codeImageBroken},
		{"JPEG signature only", only(file("image", []byte("\xff\xd8\xff\xe0")), words), 422, codeImageBroken},
		{"JPEG of garbage", only(file("image", append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte{0xff}, 4000)...)), words), 422, codeImageBroken},
		{"WebP bomb", only(file("image", webpBomb()), words), 422, codeImageTooLarge},
		{"11 MB image", only(file("image", append(picture(), make([]byte, 11_000_000)...)), words), 413, codeFileTooLarge},
		{"bad backdrop", gen(file("background_image", []byte("nothing of the kind"))), 415, codeMediaType},
		{"text as audio", only(image, file("audio", []byte("la la la la la la la la la"))), 415, codeMediaType},
		{"image as audio", only(image, file("audio", picture())), 415, codeMediaType},
		{"audio as image", func(h *harness) reply { return only(file("image", tone(h.t, 1)), words)(h) }, 415, codeMediaType},
		{"empty audio", only(image, file("audio", nil)), 422, codeMissing},
		{"WAV of no samples", only(image, file("audio", wavHead(1, 16000, 0, 16)[:44])), 422, codeAudioBroken},
		{"WAV of 36 hours", only(image, file("audio", wavHead(1, 16000, 0xfffffff0, 16))), 422, codeAudioTooLong},
		{"WAV of 256 channels", only(image, file("audio", wavHead(256, 16000, 64, 16))), 422, codeAudioBroken},
		{"WAV of 0 Hz", only(image, file("audio", wavHead(1, 0, 64, 16))), 422, codeAudioBroken},
		{"WAV of 1 MHz", only(image, file("audio", wavHead(1, 1_000_000, 64, 16))), 422, codeAudioBroken},
		{"WAV of 77 bits", only(image, file("audio", wavHead(1, 16000, 64, 77))), 422, codeAudioBroken},
		{"WAV signature only", only(image, file("audio", []byte("RIFF\x00\x00\x00\x00WAVE"))), 422, codeAudioBroken},
		{"FLAC of a year", only(image, file("audio", flacHead(44100, 1<<36-1))), 422, codeAudioTooLong},
		{"FLAC of 0 Hz", only(image, file("audio", flacHead(0, 100))), 422, codeAudioBroken},
		{"FLAC signature only", only(image, file("audio", []byte("fLaC"))), 422, codeAudioBroken},

		// Single stages.
		{"steps unknown", to("/api/image/process", image, text("steps", "explode")), 422, codeRange},
		{"image alone without", to("/api/image/process", text("aspect", "1:1")), 422, codeMissing},
		{"analysis without", to("/api/image/analyze", text("face", "1")), 422, codeMissing},
		{"analysis of text", to("/api/image/analyze", file("image", []byte("hello"))), 415, codeMediaType},
		{"analysis of a bomb", to("/api/image/analyze", file("image", pngBomb(50_000, 50_000))), 422, codeImageTooLarge},
		{"analysis of 11 MB", to("/api/image/analyze", file("image", make([]byte, 11_000_000))), 413, codeFileTooLarge},
		{"analysis twice", to("/api/image/analyze", image, image), 400, codeBadRequest},
		{"prosody without audio", to("/api/audio/prosody", text("pitch_shift", "1")), 422, codeMissing},
		{"prosody pitch NaN", func(h *harness) reply {
			return to("/api/audio/prosody", file("audio", tone(h.t, 1)), text("pitch_shift", "NaN"))(h)
		}, 422, codeRange},
		{"bgm without audio", to("/api/audio/bgm", text("bgm_type", "calm")), 422, codeMissing},
		{"avatar when off", func(h *harness) reply {
			return to("/api/d-id/generate-video", image, file("audio", tone(h.t, 1)))(h)
		}, 503, codeUnavailable},
		{"clone without consent", func(h *harness) reply {
			return to("/api/voice-clone/create", text("name", "x"), file("audio_samples", tone(h.t, 1)))(h)
		}, 422, codeConsent},
		{"clone without samples", to("/api/voice-clone/create", text("name", "x"), text("consent", "true")), 422, codeMissing},
		{"clone of 6 samples", func(h *harness) reply {
			parts := []part{text("name", "x"), text("consent", "true")}
			for range 6 {
				parts = append(parts, file("audio_samples", tone(h.t, 1)))
			}
			return to("/api/voice-clone/create", parts...)(h)
		}, 422, codeRange},
		{"clone the engine refuses", func(h *harness) reply {
			parts := []part{text("name", "x"), text("consent", "true")}
			for range 4 {
				parts = append(parts, file("audio_samples", tone(h.t, 1)))
			}
			return to("/api/voice-clone/create", parts...)(h)
		}, 422, codeRange},
		{"clone with given_at of own", func(h *harness) reply {
			return to("/api/voice-clone/create", text("name", "x"), text("consent", `{"basis":"self","given_at":"2000-01-01T00:00:00Z"}`), file("audio_samples", tone(h.t, 1)))(h)
		}, 422, codeRange},
		{"clone consent ran out", func(h *harness) reply {
			return to("/api/voice-clone/create", text("name", "x"), text("consent", `{"basis":"self","expires":"2000-01-01T00:00:00Z"}`), file("audio_samples", tone(h.t, 1)))(h)
		}, 422, codeRange},
		{"track without rights", track("name", "x", "credit", "c", "licence", "l"), 422, codeConsent},
		{"track without name", track("rights", "true", "credit", "c", "licence", "l"), 422, codeMissing},
		{"track without attribution", track("rights", "true", "name", "x", "licence", "l"), 422, codeMissing},
		{"track without licence", track("rights", "true", "name", "x", "credit", "c"), 422, codeMissing},
		{"track of nobody", track("rights", "true", "name", "x", "credit", " \t", "licence", "l"), 422, codeMissing},
		{"track on endless terms", track("rights", "true", "name", "x", "credit", "c", "licence", strings.Repeat("l", 101)), 422, codeRange},

		// JSON.
		{"synthesize text type", post("/api/voices/synthesize", `{"text":7}`), 422, codeRange},
		{"synthesize nothing", post("/api/voices/synthesize", ``), 400, codeBadRequest},
		{"synthesize null", post("/api/voices/synthesize", `null`), 422, codeMissing},
		{"synthesize list", post("/api/voices/synthesize", `[]`), 400, codeBadRequest},
		{"synthesize half", post("/api/voices/synthesize", `{"text":"hi"`), 400, codeBadRequest},
		{"synthesize two", post("/api/voices/synthesize", `{"text":"hi"}{"text":"ho"}`), 400, codeBadRequest},
		{"synthesize member twice", post("/api/voices/synthesize", `{"text":"hi","text":"ho"}`), 400, codeBadRequest},
		{"synthesize unknown member", post("/api/voices/synthesize", `{"text":"hi","sudo":true}`), 400, codeBadRequest},
		{"synthesize deep", post("/api/voices/synthesize", strings.Repeat("[", 10_000)), 400, codeBadRequest},
		{"synthesize huge", post("/api/voices/synthesize", `{"text":"`+strings.Repeat("a", 100_000)+`"}`), 413, codeFileTooLarge},
		{"synthesize bad UTF-8", post("/api/voices/synthesize", "{\"text\":\"\xff\"}"), 400, codeBadRequest},
		{"synthesize as XML", post("/api/voices/synthesize", `<text/>`, "Content-Type", "application/xml"), 415, codeMediaType},
		{"synthesize without type", post("/api/voices/synthesize", `{"text":"hi"}`, "Content-Type", ""), 415, codeMediaType},
		{"synthesize prosody", post("/api/voices/synthesize", `{"text":"hi","prosody_params":{"pitch_shift":99}}`), 422, codeRange},
		{"synthesize null byte", post("/api/voices/synthesize", `{"text":"hi","voice":"a\u0000b"}`), 422, codeRange},
		{"clone without profile", post("/api/voice-clone/synthesize", `{"text":"hi"}`), 422, codeMissing},
		{"rerun from nowhere", post("/api/tasks/"+own+"/rerun", `{"from":"nowhere"}`), 422, codeRange},
		{"rerun from an unfinished stage", post("/api/tasks/"+own+"/rerun", `{"from":"bgm"}`), 409, codeConflict},
		{"rerun with changes too early", post("/api/tasks/"+own+"/rerun", `{"from":"voice","changes":{"face":1}}`), 422, codeRange},
		{"rerun with unknown change", post("/api/tasks/"+own+"/rerun", `{"from":"image","changes":{"owner":"bob"}}`), 422, codeUnknownField},
		{"rerun with range", post("/api/tasks/"+own+"/rerun", `{"from":"image","changes":{"bgm_volume":7}}`), 422, codeRange},
		{"rerun with object", post("/api/tasks/"+own+"/rerun", `{"from":"image","changes":{"aspect":{"a":1}}}`), 422, codeRange},
		{"webhook to nowhere", post("/api/webhooks", `{"url":"ftp://x"}`), 422, codeRange},
		{"webhook to this machine", post("/api/webhooks", `{"url":"http://127.0.0.1/"}`), 422, codeRange},
		{"webhook events", post("/api/webhooks", `{"url":"https://example.com/hook","events":["everything"]}`), 422, codeRange},
		{"delivery of none", post("/api/webhooks/none/deliveries/7/redeliver", ``), 404, codeNotFound},
		{"subject with null", func(h *harness) reply { return h.do("DELETE", "/api/subjects/a%00b", nil) }, 404, codeNotFound},
		{"subject too long", func(h *harness) reply { return h.do("DELETE", "/api/subjects/"+strings.Repeat("s", 201), nil) }, 404, codeNotFound},
	}
	// Path traversal, wildcards and worse in the place of every id.
	for _, id := range []string{"..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "*", "%3E", "a.b", "%00", "A", "%FF", strings.Repeat("a", 65), "%E6%97%A5", "x%20y", "vm.task.submitted.x"} {
		for _, p := range []struct{ method, path string }{
			{"GET", "/api/video/status/ID"},
			{"GET", "/api/video/download/ID"},
			{"POST", "/api/tasks/ID/cancel"},
			{"DELETE", "/api/tasks/ID"},
			{"GET", "/api/tasks/ID/events"},
			{"GET", "/api/voice-clone/profiles/ID"},
			{"GET", "/api/bgm/ID"},
			{"DELETE", "/api/bgm/ID"},
			{"GET", "/api/webhooks/ID"},
		} {
			list = append(list, attack{p.method + " " + p.path + " with " + id, func(h *harness) reply {
				return h.do(p.method, strings.Replace(p.path, "ID", id, 1), nil)
			}, 404, codeNotFound})
		}
	}
	return list
}

// TestHostileRequests sends each over HTTP and wants the status, the code, that
// nothing was stored, and (by the harness) that the answer reveals nothing.
func TestHostileRequests(t *testing.T) {
	h := newHarness(t, nil)
	own := h.generate()
	body, kind := formBody(file("image", picture()), text("text", "mine"))
	r := h.do("POST", "/api/video/generate", body, "Content-Type", kind, "Authorization", "Bearer "+h.other)
	foreign := decode[accepted](t, r).TaskID
	list := attacks(own, foreign)
	if len(list) < 150 {
		t.Fatalf("%d requests", len(list))
	}
	waitFor(t, func() bool { evs, _ := h.stored(); return evs == 4 })
	evs, blobs := h.stored()
	for _, a := range list {
		r := a.send(h)
		// A path that is cleaned on the way leads to another address, or to none.
		cleaned := strings.Contains(a.name, "with ..") && (r.StatusCode == 404 || r.StatusCode == 405)
		if (r.StatusCode != a.status || r.code() != a.code) && !cleaned {
			t.Errorf("%s: %d %s, want %d %s: %.300s", a.name, r.StatusCode, r.code(), a.status, a.code, r.body)
		}
		if e, b := h.stored(); e != evs || b != blobs {
			t.Errorf("%s left %d events and %d blobs behind", a.name, int(e)-int(evs), b-blobs)
			evs, blobs = e, b
		}
		if r.StatusCode >= 500 && r.StatusCode != 503 {
			t.Errorf("%s: our fault: %s", a.name, r.body)
		}
	}
	t.Logf("%d requests", len(list))
}

func waitFor(t testing.TB, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

// raw sends bytes as they are and returns the status line.
func raw(t *testing.T, h *harness, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // read only
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, request); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

// TestBrokenHTTP is what a client library would not send.
func TestBrokenHTTP(t *testing.T) {
	h := newHarness(t, nil)
	evs, blobs := h.stored()
	auth := "Authorization: Bearer " + h.user + "\r\n"
	for name, c := range map[string]struct{ request, want string }{
		"two lengths":            {"POST /api/voices/synthesize HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Type: application/json\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}{}{}", "400"},
		"length and chunks":      {"POST /api/voices/synthesize HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Type: application/json\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n", "400"},
		"chunked twice":          {"POST /api/voices/synthesize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "501"},
		"negative length":        {"POST /api/voices/synthesize HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400"},
		"no host":                {"GET /api/tasks HTTP/1.1\r\n\r\n", "400"},
		"two hosts":              {"GET /api/tasks HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		"space before the colon": {"GET /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer x\r\n\r\n", "400"},
		"folded header":          {"GET /api/tasks HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n", "401"},
		"null in a header":       {"GET /api/tasks HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n", "400"},
		"bare CR":                {"GET /api/tasks HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n", "400"},
		"two tokens":             {"GET /api/tasks HTTP/1.1\r\nHost: x\r\n" + auth + "Authorization: Bearer y\r\n\r\n", "401"},
		"HTTP/3":                 {"GET /api/tasks HTTP/3.0\r\nHost: x\r\n\r\n", "505"},
		"no HTTP at all":         {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400"},
		"endless header":         {"GET /api/tasks HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", "431"},
		"10,000 headers":         {"GET /api/tasks HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: b\r\n", 10_000) + "\r\n", "431"},
	} {
		if got := raw(t, h, c.request); !strings.Contains(got, " "+c.want) && !strings.Contains(got, "reset") && !strings.Contains(got, "broken pipe") {
			t.Errorf("%s: %q, want %s", name, got, c.want)
		}
	}
	if e, b := h.stored(); e != evs || b != blobs {
		t.Errorf("%d events and %d blobs were left behind", e-evs, b-blobs)
	}
}

// TestSlowHeadersAreCutOff keeps a connection open without saying anything.
func TestSlowHeadersAreCutOff(t *testing.T) {
	h := newHarness(t, nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // read only
	if _, err := io.WriteString(c, "GET /api/tasks HTTP/1.1\r\nHost:"); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("still open after a minute: %v", err)
	}
}

// TestLocalizedProblems asks in two languages.
func TestLocalizedProblems(t *testing.T) {
	h := newHarness(t, nil)
	for lang, want := range map[string]string{"ja": "見つかりません", "ja-JP,ja;q=0.9,en;q=0.5": "見つかりません", "en": "Not found", "": "Not found", "fr": "Not found", "en-US,en;q=0.9,ja;q=0.1": "Not found", "en;q=0.1,ja": "見つかりません"} {
		r := h.do("GET", "/api/video/status/none", nil, "Accept-Language", lang)
		var p Problem
		if err := json.Unmarshal(r.body, &p); err != nil || p.Title != want {
			t.Errorf("%q: %q, want %q", lang, p.Title, want)
		}
	}
}
