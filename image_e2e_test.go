package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/videomsg/videomsg/internal/process"
	"github.com/videomsg/videomsg/vision/drawn"
)

// shown is a task's status as clients of single stages read it.
type shown struct {
	TaskID  string `json:"task_id"`
	Status  string
	Credits []string
	Error   *struct{ Code, Detail string }
	Stages  []stageShown
}

type stageShown struct {
	Name, State, Engine, Cache string
	Remarks                    []string
	FallbackFrom               []struct{ Engine, Reason string } `json:"fallback_from"`
	Artifacts                  []struct {
		Name, URL   string
		ContentType string `json:"content_type"`
	}
}

func (s shown) artefacts(stage string) (names []string) {
	for _, st := range s.Stages {
		if st.Name == stage {
			for _, a := range st.Artifacts {
				names = append(names, a.Name)
			}
		}
	}
	return names
}

// ask posts a form and waits for the end of the task it makes.
func ask(t *testing.T, s *service, path string, fields map[string]any) shown {
	t.Helper()
	ct, body := process.Form(t, fields)
	return finished(t, s, request(t, http.MethodPost, s.url+path, ct, body))
}

func request(t *testing.T, method, url, contentType string, body io.Reader) (task string) {
	t.Helper()
	var answer shown
	if code := call(t, method, url, contentType, body, &answer); code != http.StatusAccepted {
		t.Fatalf("%s answers %d: %+v", url, code, answer)
	}
	return answer.TaskID
}

// call sends a request and decodes the answer into v.
func call(t *testing.T, method, url, contentType string, body io.Reader, v any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req) //nolint:gosec // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode >= 400 {
		t.Logf("%s %s answers %s", method, url, data)
	}
	decodeInto(t, data, v)
	return res.StatusCode
}

func finished(t *testing.T, s *service, task string) (st shown) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(30 * time.Millisecond) {
		st = shown{}
		if code := get(t, s.url+"/api/video/status/"+task, &st); code != http.StatusOK {
			t.Fatalf("status answers %d", code)
		}
		if slices.Contains([]string{"completed", "failed", "canceled"}, st.Status) {
			return st
		}
		if time.Now().After(deadline) {
			t.Fatalf("the task is %s: %+v", st.Status, st.Stages)
		}
	}
}

// artefact downloads what a task has made.
func artefact(t *testing.T, s *service, task, name string) []byte {
	t.Helper()
	res, err := http.Get(s.url + "/api/video/download/" + task + "?artifact=" + name) //nolint:noctx,gosec // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s of %s: %s, %v", name, task, res.Status, err)
	}
	return data
}

func pngOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decoded(t *testing.T, data []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestImageProcessing asks for the image stage alone.
func TestImageProcessing(t *testing.T) {
	s := start(t, t.TempDir())
	person, _ := drawn.Portrait(drawn.Options{W: 400, H: 480})
	upload := pngOf(t, person)

	t.Run("everything, and the second time from the cache", func(t *testing.T) {
		fields := map[string]any{"image": upload, "steps": "background_removal,crop,background,enhance", "background": "office", "aspect": "1:1"}
		st := ask(t, s, "/api/image/process", fields)
		want := []string{"analysis", "background", "cutout", "image", "mask"}
		if got := st.artefacts("image"); st.Status != "completed" || !slices.Equal(got, want) || st.Stages[0].Engine != "local" {
			t.Fatalf("%+v", st)
		}
		img := decoded(t, artefact(t, s, st.TaskID, "image"))
		if b := img.Bounds(); b.Dx() != b.Dy() {
			t.Errorf("the picture is %v", b)
		}
		if _, _, _, a := img.At(0, 0).RGBA(); a != 0xffff {
			t.Error("the composed picture is transparent")
		}
		if _, _, _, a := decoded(t, artefact(t, s, st.TaskID, "cutout")).At(0, 0).RGBA(); a > 0x2000 {
			t.Error("the cut-out has a background")
		}
		again := ask(t, s, "/api/image/process", fields)
		if again.Stages[0].Cache != "hit" || !bytes.Equal(artefact(t, s, again.TaskID, "image"), artefact(t, s, st.TaskID, "image")) {
			t.Errorf("the second time: %+v", again.Stages)
		}
		fields["fresh"] = "true"
		if fresh := ask(t, s, "/api/image/process", fields); fresh.Stages[0].Cache == "hit" {
			t.Error("a fresh result came from the cache")
		}
	})
	t.Run("transparent", func(t *testing.T) {
		st := ask(t, s, "/api/image/process", map[string]any{"image": upload, "steps": "background_removal,sam2_refinement,background", "background": "transparent"})
		if st.Status != "completed" || st.Stages[0].Engine != "local+local" {
			t.Fatalf("%+v", st)
		}
		img := decoded(t, artefact(t, s, st.TaskID, "image"))
		if _, _, _, a := img.At(2, 2).RGBA(); a > 0x2000 {
			t.Error("the corner is not transparent")
		}
		if _, _, _, a := img.At(200, 220).RGBA(); a < 0xf000 {
			t.Error("the face is transparent")
		}
	})
	t.Run("already cut out", func(t *testing.T) {
		cut, truth := drawn.Portrait(drawn.Options{W: 300, H: 300})
		for i := range truth.Alpha.Pix {
			cut.Pix[4*i+3] = truth.Alpha.Pix[i]
		}
		st := ask(t, s, "/api/image/process", map[string]any{"image": pngOf(t, cut), "background": "#00ff00"})
		if st.Status != "completed" || st.Stages[0].Engine != "given" {
			t.Fatalf("%+v", st)
		}
		if c := color.NRGBAModel.Convert(decoded(t, artefact(t, s, st.TaskID, "image")).At(3, 3)).(color.NRGBA); c.G < 240 || c.R > 20 {
			t.Errorf("the background is %v", c)
		}
	})
	t.Run("a face that is not there", func(t *testing.T) {
		st := ask(t, s, "/api/image/process", map[string]any{"image": upload, "face": "3"})
		if st.Status != "failed" || st.Error == nil || st.Error.Code != "FACE_NOT_DETECTED" {
			t.Errorf("%+v", st)
		}
	})
	t.Run("no face at all", func(t *testing.T) {
		plain := image.NewGray(image.Rect(0, 0, 200, 200))
		for i := range plain.Pix {
			plain.Pix[i] = uint8(i)
		}
		st := ask(t, s, "/api/image/process", map[string]any{"image": pngOf(t, plain), "background": "office"})
		if st.Status != "completed" || st.Stages[0].Engine != "original" || len(st.Stages[0].FallbackFrom) != 1 || st.Stages[0].FallbackFrom[0].Reason != "no face was found to start from" {
			t.Errorf("%+v", st)
		}
	})
}
