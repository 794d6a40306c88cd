package events

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the golden files of the current version")

func sample() Event {
	half := 0.5
	e := New("01k0task", "voice", Ready, []string{"prosody", "bgm"}, Job{
		Request: Request{Kind: KindVideo, Owner: "u1", Language: "ja", BGM: BGM{Type: "calm", Volume: &half}, Require: map[string]string{"video": "did"}},
		Blobs:   map[string]Blob{BlobSpeech: {Key: "intermediates/01k0task/voice/speech.wav", Type: "audio/wav", SHA256: strings.Repeat("a", 64), Size: 96044}},
		Notes:   []Note{{Stage: "voice", Engine: "openjtalk", Attempt: 2, Fallback: []Fallback{{"voicevox", "unavailable"}}, Artifacts: []string{BlobSpeech}, Seconds: 0.5}},
	})
	e.Time = time.Date(2026, 11, 23, 1, 2, 3, 456_000_000, time.UTC)
	e.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	return e
}

func TestBothModesCarryTheWholeEvent(t *testing.T) {
	want := sample()
	header, data, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(header, data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, plain); d != "" {
		t.Errorf("binary mode (-want +got):\n%s", d)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var structured Event
	if err := json.Unmarshal(b, &structured); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, structured, plain); d != "" {
		t.Errorf("structured mode (-want +got):\n%s", d)
	}
}

// plain compares what jobs say, not how they were read.
var plain = cmpopts.IgnoreUnexported(Job{})

func TestUnknownFieldsTravelOn(t *testing.T) {
	const data = `{"request":{"kind":"video","prosody":{},"bgm":{},"image":{},"video":{},"hologram":{"depth":3}},"blobs":{"portrait":{"key":"k","type":"image/png","sha256":"","size":1}},"future":[1,2]}`
	header, _, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	e, err := Decode(header, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	e.Job = e.Job.Clone()
	e.Job.Notes = append(e.Job.Notes, Note{Stage: "image"})
	_, out, err := Encode(e.Next())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"hologram":{"depth":3}`, `"future":[1,2]`, `"stage":"image"`, `"kind":"video"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is lost in %s", want, out)
		}
	}
}

func TestHeadersFollowTheNATSBinding(t *testing.T) {
	e := sample()
	e.Trace = `a "b" 日%`
	header, data, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := header["ce-traceparent"][0], "a%20%22b%22%20%E6%97%A5%25"; got != want {
		t.Errorf("ce-traceparent = %s, want %s", got, want)
	}
	folded := map[string][]string{}
	for k, v := range header {
		folded[strings.ToUpper(k)] = v
	}
	got, err := Decode(folded, data)
	if err != nil {
		t.Fatal(err)
	}
	if got.Trace != e.Trace {
		t.Errorf("trace = %q, want %q", got.Trace, e.Trace)
	}
}

// golden is an event of every kind, by the name of its file.
func golden() map[string]Event {
	at := time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC)
	kind := func(stage string, verb Verb, slip []string, notes ...Note) Event {
		e := New("01k0task", stage, verb, slip, Job{
			Request: Request{Kind: KindVideo, Owner: "u", Language: "ja", Deadline: at.Add(time.Hour)},
			Blobs:   map[string]Blob{BlobPortrait: {Key: "inputs/01k0task/portrait", Type: "image/png", SHA256: strings.Repeat("0", 64), Size: 4}},
			Notes:   notes,
		})
		e.Time, e.Trace = at, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		return e
	}
	problem := Note{Stage: "voice", Attempt: 3, Tries: []string{"refused", "reset"}, Problem: &Problem{Code: "UNAVAILABLE", Detail: "No engine is available.", Cause: "dial tcp", Retryable: true}}
	bulk := kind(Task, Submitted, []string{"image", "voice"})
	bulk.Job.Request.Priority = Bulk
	return map[string]Event{
		"v1-task-submitted":     kind(Task, Submitted, []string{"image", "voice"}),
		"v1-task-submittedbulk": bulk,
		"v1-task-cancelasked":   kind(Task, CancelAsked, nil),
		"v1-task-completed":     kind(Task, TaskCompleted, nil, Note{Stage: "voice", Engine: "openjtalk", Attempt: 1, Artifacts: []string{BlobSpeech}}),
		"v1-task-failed":        kind(Task, TaskFailed, nil, problem),
		"v1-task-canceled":      kind(Task, TaskCanceled, nil),
		"v1-task-erased":        kind(Task, Erased, nil),
		"v1-voice-requested":    kind("voice", Requested, []string{"video"}),
		"v1-voice-ready":        sample(),
		"v1-voice-failed":       kind("voice", Failed, []string{"video"}, problem),
		"v1-voice-retry":        kind("voice", Retry, []string{"video"}, Note{Stage: "voice", Attempt: 1, Tries: []string{"429"}}),
	}
}

// TestOldEventsDecodeForEver reads what programs of every version have written. A
// golden file is never changed: a new version adds files.
func TestOldEventsDecodeForEver(t *testing.T) {
	for name, e := range golden() {
		file := filepath.Join("testdata", name+".json")
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) && *update {
			b, err := json.MarshalIndent(e, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, append(b, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v; make it with -update", err)
			continue
		}
		var got Event
		if err := json.Unmarshal(b, &got); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if diff := cmp.Diff(got, e, cmp.AllowUnexported(Job{}, unknown{})); diff != "" {
			t.Errorf("%s is read as another event (-got +want):\n%s", file, diff)
		}
		if got.Subject() != e.Subject() || got.ID() != e.ID() {
			t.Errorf("%s is %s on %s", file, got.ID(), got.Subject())
		}
	}
	files, err := filepath.Glob("testdata/v*.json")
	if err != nil || len(files) != len(golden()) {
		t.Errorf("%d golden files for %d events, %v", len(files), len(golden()), err)
	}
}

func TestSlipLeadsToTheEnd(t *testing.T) {
	e := New("t", Task, Submitted, []string{"image", "voice"}, Job{})
	var types []string
	for range 4 {
		types = append(types, e.Type()+" on "+e.Subject())
		if e.Terminal() {
			break
		}
		e = e.Next()
	}
	want := []string{
		"videomsg.task.submitted on vm.task.submitted.t",
		"videomsg.image.requested on vm.image.requested.t",
		"videomsg.voice.requested on vm.voice.requested.t",
		"videomsg.task.completed on vm.task.ended.t",
	}
	if d := cmp.Diff(want, types); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTaskEndsOnOneSubject(t *testing.T) {
	for _, v := range []Verb{TaskCompleted, TaskFailed, TaskCanceled} {
		e := New("t", Task, v, nil, Job{})
		if e.Subject() != "vm.task.ended.t" || e.ID() != "t-task-ended" || !e.Terminal() {
			t.Errorf("%s: subject %s, id %s, terminal %v", v, e.Subject(), e.ID(), e.Terminal())
		}
	}
	wish := New("t", Task, CancelAsked, nil, Job{})
	if wish.Terminal() || wish.Subject() != CanceledSubject("t") {
		t.Errorf("the wish to cancel ends the task or is on %s", wish.Subject())
	}
}

func TestMalformedEventsAreRefused(t *testing.T) {
	header, data, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(h map[string][]string) []byte{
		"no headers":        func(h map[string][]string) []byte { clear(h); return data },
		"no id":             func(h map[string][]string) []byte { delete(h, "ce-id"); return data },
		"other version":     func(h map[string][]string) []byte { h["ce-specversion"] = []string{"0.3"}; return data },
		"foreign type":      func(h map[string][]string) []byte { h["ce-type"] = []string{"com.example.thing"}; return data },
		"wildcard task":     func(h map[string][]string) []byte { h["ce-subject"] = []string{"*"}; return data },
		"dots in task":      func(h map[string][]string) []byte { h["ce-subject"] = []string{"a.b"}; return data },
		"bad escape":        func(h map[string][]string) []byte { h["ce-subject"] = []string{"%zz"}; return data },
		"bad time":          func(h map[string][]string) []byte { h["ce-time"] = []string{"yesterday"}; return data },
		"bad schema":        func(h map[string][]string) []byte { h["ce-dataschema"] = []string{"urn:videomsg:job:x"}; return data },
		"payload no JSON":   func(map[string][]string) []byte { return []byte("{") },
		"payload of a list": func(map[string][]string) []byte { return []byte("[]") },
	} {
		h := map[string][]string{}
		maps.Copy(h, header)
		if _, err := Decode(h, change(h)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

func TestNewerVersionsAreTold(t *testing.T) {
	e := sample()
	e.Version = Version + 1
	header, _, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	const shape = `{"request": "of another shape", "notes": [{"problem": {"cause": "inside"}}]}`
	got, err := Decode(header, []byte(shape))
	if err != nil || got.Version != Version+1 {
		t.Errorf("got version %d, %v", got.Version, err)
	}
	if h, data, err := Encode(got); err != nil || string(data) != shape || !strings.HasSuffix(h["ce-dataschema"][0], ":2") {
		t.Errorf("it is passed on as %s with %v, %v", data, h["ce-dataschema"], err)
	}
	if b, err := got.Public().MarshalJSON(); err != nil || strings.Contains(string(b), "inside") {
		t.Errorf("strangers see %s, %v", b, err)
	}
}

func TestCheckToken(t *testing.T) {
	for _, s := range []string{"", "*", ">", "a.b", "A", "a b", "日", strings.Repeat("a", 65), "a/b", "a\x00"} {
		if CheckToken(s) == nil {
			t.Errorf("CheckToken(%q) accepts", s)
		}
	}
	for _, s := range []string{"a", "01k0-task_x", strings.Repeat("a", 64)} {
		if err := CheckToken(s); err != nil {
			t.Error(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	header, data, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(header["ce-type"][0], header["ce-subject"][0], header["ce-slip"][0], data)
	f.Fuzz(func(t *testing.T, typ, subject, slip string, data []byte) {
		h := map[string][]string{"ce-specversion": {"1.0"}, "ce-id": {"x"}, "ce-source": {"/x"}, "ce-type": {typ}, "ce-subject": {subject}, "ce-slip": {slip}}
		e, err := Decode(h, data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		if strings.ContainsAny(e.Subject(), "*> ") || strings.Count(e.Subject(), ".") != 3 {
			t.Errorf("subject %q", e.Subject())
		}
	})
}

// BenchmarkDecode is what every process pays for every event it reads.
func BenchmarkDecode(b *testing.B) {
	header, data, err := Encode(sample())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(header, data); err != nil {
			b.Fatal(err)
		}
	}
}
