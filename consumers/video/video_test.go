package video

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"math"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/video/provenance"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/avatar/avatartest"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/face"
)

const said = "おめでとう。{本当|ほんとう}に、{\\an8}「ありがとう」。"

// house is a stage with what it stands on, and a task whose earlier stages are
// done.
type house struct {
	blobs consumers.Blobs
	chain avatar.Chain
	conf  Config
	work  consumers.Work
}

var detector = sync.OnceValues(face.NewDetector)

func newHouse(t *testing.T) *house {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	store, err := dirstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d, err := detector()
	if err != nil {
		t.Fatal(err)
	}
	key, err := provenance.Key(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{
		blobs: consumers.Blobs{Store: store, Temp: t.TempDir()},
		chain: avatar.Chain{avatar.Portrait(d, 1), avatar.Still(d, 1)},
		conf:  Config{Key: key, Generator: "videomsg test", Threads: 1},
		work:  consumers.Work{Task: "task1", Attempt: 1, Progress: func(float64) {}},
	}
	h.work.Job.Blobs = map[string]events.Blob{}
	h.work.Job.Notes = []events.Note{{Stage: "voice", Engine: "openjtalk", Credit: "a voice, CC BY"}}
	im, _ := drawn.Portrait(drawn.Options{W: 192, H: 192, Size: 0.16})
	var picture bytes.Buffer
	if err := png.Encode(&picture, im); err != nil {
		t.Fatal(err)
	}
	h.put(t, events.BlobPortrait, picture.Bytes())
	h.put(t, events.BlobImage, picture.Bytes())
	h.put(t, events.BlobText, []byte(said))
	voice := dsp.New(24000, 1, 2*24000)
	line := speech.Timings{SampleRate: 24000, Source: speech.Exact}
	for i, r := range []rune(said) {
		s := 0.25 + 0.05*float64(i)
		if strings.ContainsRune("。、「」{}|", r) {
			continue
		}
		line.Words = append(line.Words, speech.Word{Start: s, End: s + 0.05, CharStart: i, CharEnd: i + 1, Text: string(r)})
		line.Phones = append(line.Phones, speech.Phone{Start: s, End: s + 0.05, P: "a"})
		for k := int(s * 24000); k < int((s+0.05)*24000); k++ {
			voice.Ch[0][k] = float32(0.3 * math.Sin(2*math.Pi*200*float64(k)/24000))
		}
	}
	var e error
	if h.work.Job.Blobs[events.BlobSpeech], e = h.blobs.PutSound(t.Context(), objectstore.Intermediates, "task1", "voice", "speech.wav", voice); e != nil {
		t.Fatal(e)
	}
	if h.work.Job.Blobs[events.BlobTimings], e = h.blobs.PutJSON(t.Context(), objectstore.Intermediates, "task1", "voice", "timings.json", line); e != nil {
		t.Fatal(e)
	}
	return h
}

func (h *house) put(t *testing.T, name string, data []byte) {
	t.Helper()
	b, err := h.blobs.Put(t.Context(), objectstore.Inputs, "task1", "request", name, "application/octet-stream", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	h.work.Job.Blobs[name] = b
}

func (h *house) run(t *testing.T) consumers.Result {
	t.Helper()
	res, err := Stage(h.blobs, h.chain, h.conf).Run(t.Context(), h.work)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (h *house) read(t *testing.T, b events.Blob) []byte {
	t.Helper()
	rc, err := h.blobs.Store.Get(t.Context(), b.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	data, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// frame is the luma of the picture at a second of a video, 96 × 96.
func frame(t *testing.T, video []byte, at string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.mp4")
	if err := os.WriteFile(path, video, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-ss", at, "-i", path, "-frames:v", "1", "-vf", "scale=96:96,format=gray", "-f", "rawvideo", "-").Output()
	if err != nil || len(out) != 96*96 {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
	return out
}

// changed is how many pixels of two frames differ clearly in the given rows.
func changed(a, b []byte, from, to int) (n int) {
	for i := from * 96; i < to*96; i++ {
		if d := int(a[i]) - int(b[i]); d > 40 || d < -40 {
			n++
		}
	}
	return n
}

func TestVideoWithCaptionsAndRecord(t *testing.T) {
	h := newHouse(t)
	h.work.Job.Request.Video = events.Video{Captions: "burn", Label: "top-left"}
	h.work.Job.Request.Consent = true
	h.conf.WebM = true
	res := h.run(t)
	if res.Engine != "portrait" {
		t.Errorf("engine %s", res.Engine)
	}
	for _, name := range []string{events.BlobVideo, events.BlobPoster, events.BlobSRT, events.BlobVTT, events.BlobReport, events.BlobWebM} {
		if res.Blobs[name].Size == 0 {
			t.Errorf("no %s", name)
		}
	}
	srt := string(h.read(t, res.Blobs[events.BlobSRT]))
	if !strings.Contains(srt, "本当に") || strings.Contains(srt, "ほんとう") || strings.Contains(srt, "{\\") {
		t.Errorf("captions:\n%s", srt)
	}
	video := h.read(t, res.Blobs[events.BlobVideo])
	v, err := provenance.Verify(bytes.NewReader(video), provenanceKey(h))
	if err != nil || !v.OK() {
		t.Fatalf("%+v, %v", v, err)
	}
	r := v.Record
	if r.SourceType != provenance.Composite || r.Engines["voice"] != "openjtalk" || r.Label != "top-left" || !r.Consent.Declared ||
		r.Inputs["text"] != h.work.Job.Blobs[events.BlobText].SHA256 || len(r.Credits) != 1 {
		t.Errorf("record %+v", r)
	}
	if strings.Contains(string(h.read(t, res.Blobs[events.BlobReport])), "おめでとう") {
		t.Error("the record has the text in it")
	}
	h.work.Job.Request.Video.Captions = "none"
	plain := h.read(t, h.run(t).Blobs[events.BlobVideo])
	if n := changed(frame(t, video, "0.6"), frame(t, plain, "0.6"), 64, 96); n < 40 {
		t.Errorf("captions change %d pixels of the lower third", n)
	}
}

func provenanceKey(h *house) []byte { return h.conf.Key[32:] }

func TestCaptionsBesideThePicture(t *testing.T) {
	h := newHouse(t)
	h.work.Job.Request.Video.Captions = "file"
	video := h.read(t, h.run(t).Blobs[events.BlobVideo])
	if !bytes.Contains(video, []byte("tx3g")) || !bytes.Contains(video, []byte("おめでとう")) {
		t.Error("no caption track")
	}
	delete(h.work.Job.Blobs, events.BlobText)
	res := h.run(t)
	if _, ok := res.Blobs[events.BlobSRT]; ok || !strings.Contains(strings.Join(res.Remarks, " "), "no captions") {
		t.Errorf("remarks %v", res.Remarks)
	}
}

func TestTitleCardComesFirst(t *testing.T) {
	h := newHouse(t)
	h.put(t, events.BlobTitle, []byte(`{"to":"花子{\\an8}","from":"太郎"}`))
	video := h.read(t, h.run(t).Blobs[events.BlobVideo])
	early, late := frame(t, video, "1"), frame(t, video, "3.2")
	mean := func(p []byte) (s int) {
		for _, v := range p {
			s += int(v)
		}
		return s / len(p)
	}
	if mean(early) > mean(late)*8/10 {
		t.Errorf("the card does not darken the picture: %d and then %d", mean(early), mean(late))
	}
	path := filepath.Join(t.TempDir(), "v.mp4")
	if err := os.WriteFile(path, video, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := avatar.Probe(path)
	if err != nil || math.Abs(f.Video-(2+events.CardSeconds-0.25)) > 0.05 {
		t.Errorf("%.3f s, %v", f.Video, err)
	}
}

// The chain goes on when D-ID refuses, and says why in plain words; whoever
// requires D-ID gets an error.
func TestNextEngineServes(t *testing.T) {
	h := newHouse(t)
	fake := &avatartest.DID{Key: "a:b", Hook: avatartest.Refuse("POST /talks", -1, 402, "InsufficientCreditsError")}
	srv := httptest.NewServer(fake)
	defer srv.Close()
	did, err := avatar.DID{Key: "a:b", URL: srv.URL, HTTP: srv.Client(), Ledger: &avatartest.Ledger{}, Clock: avatar.Clock{Retry: time.Millisecond}}.New()
	if err != nil {
		t.Fatal(err)
	}
	sync, err := avatar.Lipsync{URL: "http://127.0.0.1:1", HTTP: srv.Client(), Ledger: &avatartest.Ledger{}}.New()
	if err != nil {
		t.Fatal(err)
	}
	h.chain = append(avatar.Chain{did.Engine(), sync.Engine()}, h.chain...)
	res := h.run(t)
	if res.Engine != "portrait" || len(res.Fallback) != 2 {
		t.Fatalf("%s served, fallback %v", res.Engine, res.Fallback)
	}
	if a, b := engines.Reason(res.Fallback[0].Err), engines.Reason(res.Fallback[1].Err); a != "its credits are used up" || b != "it cannot be reached" {
		t.Errorf("reasons %q, %q", a, b)
	}
	h.work.Job.Request.Require = map[string]string{Name: "d-id"}
	if _, err := Stage(h.blobs, h.chain, h.conf).Run(t.Context(), h.work); !errors.Is(err, engines.ErrPermanent) {
		t.Errorf("with require: %v", err)
	}
}

func TestBadMaterial(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, h *house)
		want  error // nil: a video comes out
	}{
		"no picture": {func(_ *testing.T, h *house) {
			delete(h.work.Job.Blobs, events.BlobImage)
			delete(h.work.Job.Blobs, events.BlobPortrait)
		}, consumers.ErrPermanent},
		"a picture that is none": {func(t *testing.T, h *house) { h.put(t, events.BlobImage, []byte("x")) }, consumers.ErrPermanent},
		"no face": {func(t *testing.T, h *house) {
			var b bytes.Buffer
			im := image.NewNRGBA(image.Rect(0, 0, 200, 120))
			for i := range im.Pix {
				im.Pix[i] = byte(i * 7)
			}
			if err := png.Encode(&b, im); err != nil {
				t.Fatal(err)
			}
			h.put(t, events.BlobImage, b.Bytes())
		}, nil},
		"timings that do not fit": {func(t *testing.T, h *house) {
			b, err := json.Marshal(speech.Timings{SampleRate: 1, Source: speech.Exact, Phones: []speech.Phone{{Start: 90, End: 80, P: "a"}, {Start: -3, End: 4, P: "?"}}, Words: []speech.Word{{Start: 50, End: 60, CharEnd: 900}}})
			if err != nil {
				t.Fatal(err)
			}
			h.put(t, events.BlobTimings, b)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.work.Job.Request.Video.Captions = "file"
			tt.spoil(t, h)
			_, err := Stage(h.blobs, h.chain, h.conf).Run(t.Context(), h.work)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestMissingFontIsSaid(t *testing.T) {
	h := newHouse(t)
	h.work.Job.Request.Video.Captions = "burn"
	h.put(t, events.BlobTitle, []byte(`{"to":"花子"}`))
	s := stage{h.blobs, h.chain, h.conf, &fonts{known: map[string]error{"cjk": &engines.MissingError{What: "a font for the captions", Mend: "install the package fonts-noto-cjk"}}}}
	res, err := s.run(t.Context(), h.work)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(res.Remarks, " ")
	if !strings.Contains(all, "not in the picture but beside it") || !strings.Contains(all, "title card is left out") || !strings.Contains(all, "fonts-noto-cjk") {
		t.Errorf("remarks %v", res.Remarks)
	}
	if !bytes.Contains(h.read(t, res.Blobs[events.BlobVideo]), []byte("tx3g")) {
		t.Error("no caption track instead")
	}
}

func TestFontCheckSeesEmptyBoxes(t *testing.T) {
	newHouse(t)
	// Two characters of the private use area come out as the same box, or as nothing.
	if err := avatar.Legible(context.WithoutCancel(t.Context()), t.TempDir(), font, '\ue123', '\ue124'); !errors.Is(err, engines.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := avatar.Legible(t.Context(), t.TempDir(), font, 'A', 'G'); err != nil {
		t.Errorf("Latin: %v", err)
	}
}
