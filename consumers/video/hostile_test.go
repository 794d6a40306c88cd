package video

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/avatar/avatartest"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/vision/drawn"
)

// show makes im the picture of the task.
func (h *house) show(t *testing.T, im image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	h.put(t, events.BlobPortrait, b.Bytes())
	h.put(t, events.BlobImage, b.Bytes())
}

// say makes a hum of so many seconds the voice of the task, an "a" every fifth of
// a second by its timings.
func (h *house) say(t *testing.T, seconds float64, edit func(*speech.Timings)) {
	t.Helper()
	const rate = 16000
	a := dsp.New(rate, 1, int(seconds*rate))
	for i := range a.Ch[0] {
		a.Ch[0][i] = float32(0.3 * math.Sin(2*math.Pi*200*float64(i)/rate))
	}
	line := speech.Timings{SampleRate: rate, Source: speech.Exact}
	for s := 0.0; s < seconds; s += 0.2 {
		line.Phones = append(line.Phones, speech.Phone{Start: s, End: min(s+0.2, seconds), P: "a"})
	}
	if edit != nil {
		edit(&line)
	}
	var err error
	if h.work.Job.Blobs[events.BlobSpeech], err = h.blobs.PutSound(t.Context(), objectstore.Intermediates, "task1", "voice", "speech.wav", a); err != nil {
		t.Fatal(err)
	}
	if h.work.Job.Blobs[events.BlobTimings], err = h.blobs.PutJSON(t.Context(), objectstore.Intermediates, "task1", "voice", "timings.json", line); err != nil {
		t.Fatal(err)
	}
}

// watch decodes a video and fails when any of it is black, or all of it silent.
func (h *house) watch(t *testing.T, res consumers.Result, seconds float64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.mp4")
	if err := os.WriteFile(path, h.read(t, res.Blobs[events.BlobVideo]), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := avatar.Probe(path)
	if err != nil || math.Abs(f.Video-f.Audio) > 0.041 || math.Abs(f.Audio-seconds) > 0.041 {
		t.Errorf("%.3f s of picture, %.3f s of sound, want %.3f s; %v", f.Video, f.Audio, seconds, err)
	}
	const side = 16
	raw := path + ".raw"
	pictures, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", path, "-vf", fmt.Sprintf("fps=5,scale=%d:%d,format=gray", side, side), "-f", "rawvideo", "-",
		"-map", "0:a", "-ac", "1", "-f", "s16le", raw).Output()
	if err != nil || len(pictures) < side*side {
		t.Fatalf("%d bytes of pictures, %v", len(pictures), err)
	}
	for p := pictures; len(p) >= side*side; p = p[side*side:] {
		sum := 0
		for _, v := range p[:side*side] {
			sum += int(v)
		}
		if sum < 12*side*side {
			t.Errorf("a picture has a mean luma of %d", sum/(side*side))
		}
	}
	sound, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	var energy, n float64
	for ; len(sound) >= 2; sound = sound[2:] {
		v := float64(int16(binary.LittleEndian.Uint16(sound))) / math.MaxInt16
		energy, n = energy+v*v, n+1
	}
	if db := 10 * math.Log10(energy/max(n, 1)+1e-12); db < -30 {
		t.Errorf("the sound has %.0f dB of full scale", db)
	}
}

// cartoon is a face of flat circles, with ears when it is an animal.
func cartoon(ears bool) image.Image {
	im := image.NewNRGBA(image.Rect(0, 0, 192, 192))
	draw.Draw(im, im.Rect, image.NewUniform(color.NRGBA{150, 200, 240, 255}), image.Point{}, draw.Src)
	disc := func(x, y, r float64, c color.NRGBA) {
		for j := range 192 {
			for i := range 192 {
				if math.Hypot(float64(i)-x, float64(j)-y) < r {
					im.SetNRGBA(i, j, c)
				}
			}
		}
	}
	skin, ink := color.NRGBA{250, 215, 60, 255}, color.NRGBA{20, 20, 20, 255}
	if ears {
		skin = color.NRGBA{170, 110, 60, 255}
		disc(50, 45, 28, skin)
		disc(142, 45, 28, skin)
	}
	disc(96, 100, 70, skin)
	disc(72, 85, 9, ink)
	disc(120, 85, 9, ink)
	disc(96, 135, 22, ink)
	disc(96, 127, 24, skin)
	return im
}

// two is a picture with two people.
func two() image.Image {
	a, _ := drawn.Portrait(drawn.Options{W: 192, H: 192, Size: 0.16})
	b, _ := drawn.Portrait(drawn.Options{W: 192, H: 192, Size: 0.16, Tone: 0.6, Hair: drawn.Short})
	im := image.NewNRGBA(image.Rect(0, 0, 384, 192))
	draw.Draw(im, image.Rect(0, 0, 192, 192), a, image.Point{}, draw.Src)
	draw.Draw(im, image.Rect(192, 0, 384, 192), b, image.Point{}, draw.Src)
	return im
}

func person(o drawn.Options) image.Image {
	o.W, o.H = 192, 192
	im, _ := drawn.Portrait(o)
	return im
}

// Whatever comes, a video that is seen and heard comes out, and the style that
// was not possible is named with its reason.
func TestHostileMaterial(t *testing.T) {
	wall := func() image.Image {
		im := image.NewNRGBA(image.Rect(0, 0, 128, 96))
		draw.Draw(im, im.Rect, image.NewUniform(color.NRGBA{120, 150, 90, 255}), image.Point{}, draw.Src)
		return im
	}
	cutOut := func() image.Image {
		im, truth := drawn.Portrait(drawn.Options{W: 192, H: 192, Size: 0.16})
		for i, a := range truth.Alpha.Pix {
			im.Pix[4*i+3] = a
		}
		return im
	}
	h := newHouse(t)
	usual := person(drawn.Options{Size: 0.16})
	for _, tt := range []struct {
		name    string
		picture func() image.Image
		seconds float64
		edit    func(*speech.Timings)
		remark  string // "": the portrait talks by its timings; "*": any style
	}{
		{"no face", wall, 0.4, nil, "The card style was used: no face was found in the picture."},
		{"several faces", two, 0.4, nil, ""},
		{"a face of 20 px", func() image.Image { return person(drawn.Options{Size: 0.07}) }, 0.4, nil, "The card style was used: the face is too small."},
		{"a profile", func() image.Image { return person(drawn.Options{Size: 0.28, Yaw: 0.7}) }, 0.4, nil, "The card style was used: the face is turned too far to the side."},
		{"a cartoon", func() image.Image { return cartoon(false) }, 0.4, nil, "*"},
		{"an animal", func() image.Image { return cartoon(true) }, 0.4, nil, "*"},
		{"greyscale", func() image.Image { return person(drawn.Options{Size: 0.16, Gray: true}) }, 0.4, nil, ""},
		{"transparent", cutOut, 0.4, nil, ""},
		{"1 × 4000", func() image.Image {
			im := image.NewGray(image.Rect(0, 0, 1, 4000))
			for i := range im.Pix {
				im.Pix[i] = 120
			}
			return im
		}, 0.2, nil, "The card style was used: no face was found in the picture."},
		{"a tenth of a second", nil, 0.1, nil, ""},
		{"timings of another recording", nil, 0.6, func(l *speech.Timings) {
			for i := range l.Phones {
				l.Phones[i].Start, l.Phones[i].End = l.Phones[i].Start+30, l.Phones[i].End+30
			}
		}, "The mouth follows the loudness of the voice"},
		{"timings with a gap", nil, 1, func(l *speech.Timings) { l.Phones = append(l.Phones[:1:1], l.Phones[3:]...) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			im := usual
			if tt.picture != nil {
				im = tt.picture()
			}
			h.show(t, im)
			h.say(t, tt.seconds, tt.edit)
			res := h.run(t)
			h.watch(t, res, tt.seconds)
			all := strings.Join(res.Remarks, " ")
			if res.Engine != "portrait" || tt.remark != "*" && (tt.remark == "") != (all == "") || tt.remark != "*" && !strings.Contains(all, tt.remark) {
				t.Errorf("%s served with remarks %q, want %q", res.Engine, all, tt.remark)
			}
		})
	}
}

// However D-ID refuses, this machine serves, and the status says why D-ID did not.
func TestDIDRefusesAndThisMachineServes(t *testing.T) {
	html := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><title>Just a moment</title>"))
		return true
	}
	h := newHouse(t)
	h.say(t, 0.3, nil)
	h.work.Job.Request.Video.Style = "static"
	for _, tt := range []struct {
		name   string
		fake   *avatartest.DID
		reason string
		bought int
	}{
		{"401", &avatartest.DID{Hook: avatartest.Refuse("POST /images", -1, 401, "AuthorizationError")}, "it does not accept the key", 0},
		{"402", &avatartest.DID{Hook: avatartest.Refuse("POST /talks", -1, 402, "InsufficientCreditsError")}, "its credits are used up", 0},
		{"403", &avatartest.DID{Hook: avatartest.Refuse("POST /talks", -1, 403, "PermissionError")}, "the account may not do this", 0},
		{"429", &avatartest.DID{Hook: avatartest.Refuse("POST /talks", -1, 429, "")}, "it is too busy", 0},
		{"451", &avatartest.DID{Hook: avatartest.Refuse("POST /talks", -1, 451, "ImageModerationError")}, "it refused the picture", 0},
		{"HTML", &avatartest.DID{Hook: html}, "", 0},
		{"never done", &avatartest.DID{Looks: 1 << 30}, "it did not finish in time", 1},
		{"an expired link", &avatartest.DID{Expiring: 1 << 30}, "its video could not be downloaded", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.fake.Key = "a:b"
			srv := httptest.NewServer(tt.fake)
			defer srv.Close()
			did, err := avatar.DID{
				Key: "a:b", URL: srv.URL, HTTP: srv.Client(), Ledger: &avatartest.Ledger{},
				Clock: avatar.Clock{Poll: time.Millisecond, Limit: 50 * time.Millisecond, Retry: time.Millisecond},
			}.New()
			if err != nil {
				t.Fatal(err)
			}
			g := *h
			g.chain = append(avatar.Chain{did.Engine()}, h.chain...)
			res := g.run(t)
			if res.Engine != "portrait" || len(res.Fallback) != 1 || res.Fallback[0].Engine != "d-id" {
				t.Fatalf("%s served, fallback %v", res.Engine, res.Fallback)
			}
			if got := engines.Reason(res.Fallback[0].Err); got == "" || tt.reason != "" && got != tt.reason {
				t.Errorf("reason %q, want %q", got, tt.reason)
			}
			if tt.fake.Bought() != tt.bought {
				t.Errorf("%d talks bought, want %d", tt.fake.Bought(), tt.bought)
			}
			if tt.bought > 0 {
				g.watch(t, res, 0.3)
			}
		})
	}
}
