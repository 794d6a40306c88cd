package gateway

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// imageSteps are what the image stage can be asked for alone.
var imageSteps = []string{"background_removal", "sam2_refinement", "crop", "background", "enhance"}

func (g *Gateway) imageField() fileField {
	return fileField{blob: events.BlobPortrait, limit: g.conf.MaxImage, check: g.checkImage}
}

func (g *Gateway) backdropField() fileField {
	return fileField{blob: events.BlobBackdrop, limit: g.conf.MaxImage, check: g.checkImage}
}

func (g *Gateway) audioField() fileField {
	return fileField{blob: events.BlobAudio, limit: g.conf.MaxAudio, check: checkAudio}
}

// single makes a task of one kind from a form: files says what may be uploaded,
// need what must be, and read fills the request.
func (g *Gateway) single(w http.ResponseWriter, r *http.Request, kind string, files map[string]fileField, need []string, read func(f *fields, req *events.Request)) (err error) {
	task := g.newTask(r)
	form, err := g.readForm(w, r, task, files)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			g.discard(r.Context(), form.blobs)
		}
	}()
	f := &fields{values: form.values}
	req := events.Request{Kind: kind, Owner: owner(r), Require: f.require(), Fresh: f.flag("fresh"), Consent: f.flag("consent")}
	read(f, &req)
	opts := g.common(f, &req)
	if err := f.done(); err != nil {
		return err
	}
	for _, name := range need {
		if _, ok := form.blobs[files[name].blob]; !ok {
			return badField(codeMissing, name, "is missing")
		}
	}
	if kind == events.KindAvatar {
		if err := g.checkConsent(req); err != nil {
			return err
		}
	}
	return g.finish(w, r, task, req, form, opts)
}

// processImage is POST /api/image/process.
func (g *Gateway) processImage(w http.ResponseWriter, r *http.Request) error {
	files := map[string]fileField{"image": g.imageField(), "background_image": g.backdropField()}
	return g.single(w, r, events.KindImage, files, []string{"image"}, func(f *fields, req *events.Request) {
		req.Image = events.Image{
			Steps: f.many("steps", imageSteps), Background: f.background(),
			Aspect: f.one("aspect", "1:1", aspects...), Face: faceNumber(f),
		}
	})
}

// changeProsody is POST /api/audio/prosody. The parameters come as prosody_params
// or as fields of their own.
func (g *Gateway) changeProsody(w http.ResponseWriter, r *http.Request) error {
	files := map[string]fileField{"audio": g.audioField()}
	return g.single(w, r, events.KindProsody, files, []string{"audio"}, func(f *fields, req *events.Request) {
		req.Prosody = f.prosody()
		if p := f.number("pitch_shift", -12, 12); p != nil {
			req.Prosody.PitchShift = p
		}
		if p := f.number("time_stretch", 0.5, 2); p != nil {
			req.Prosody.TimeStretch = p
		}
		if p := f.number("energy_boost", 0.5, 1.5); p != nil {
			req.Prosody.EnergyBoost = p
		}
		if p := f.number("intensity", 0, 1); p != nil {
			req.Prosody.Intensity = p
		}
		if e := f.one("emotion", "", emotions...); e != "" {
			req.Prosody.Emotion = e
		}
	})
}

// addMusic is POST /api/audio/bgm.
func (g *Gateway) addMusic(w http.ResponseWriter, r *http.Request) error {
	files := map[string]fileField{"audio": g.audioField()}
	return g.single(w, r, events.KindBGM, files, []string{"audio"}, func(f *fields, req *events.Request) {
		req.BGM = f.bgm()
	})
}

// generateAvatar is POST /api/d-id/generate-video: portrait and sound, and the
// D-ID engine or nothing.
func (g *Gateway) generateAvatar(w http.ResponseWriter, r *http.Request) error {
	if err := g.checkEngine("video", engineDID); err != nil {
		return err
	}
	files := map[string]fileField{"image": g.imageField(), "audio": g.audioField()}
	return g.single(w, r, events.KindAvatar, files, []string{"image", "audio"}, func(f *fields, req *events.Request) {
		req.Image.Background = "original"
		req.Image.Aspect = f.one("aspect", "1:1", aspects...)
		req.Image.Face = faceNumber(f)
		if req.Require == nil {
			req.Require = map[string]string{}
		}
		req.Require["video"] = engineDID
	})
}

// engineDID is how the D-ID engine of the video stage is called.
const engineDID = "d-id"

// speakRequest is the body of POST /api/voices/synthesize and
// /api/voice-clone/synthesize.
type speakRequest struct {
	Text      string          `json:"text"`
	Language  string          `json:"language,omitempty"`
	VoiceType string          `json:"voice_type,omitempty"` // preset, cloned, or the id of a voice
	Voice     string          `json:"voice,omitempty"`
	ProfileID string          `json:"profile_id,omitempty"`
	Prosody   *events.Prosody `json:"prosody_params,omitempty"`
	Subject   string          `json:"subject,omitempty"`
	UserData  string          `json:"user_data,omitempty"`
	Fresh     bool            `json:"fresh,omitempty"`
	Async     *bool           `json:"async,omitempty"`
}

// synthesize is POST /api/voices/synthesize.
func (g *Gateway) synthesize(w http.ResponseWriter, r *http.Request) error {
	return g.speak(w, r, false)
}

// synthesizeClone is POST /api/voice-clone/synthesize.
func (g *Gateway) synthesizeClone(w http.ResponseWriter, r *http.Request) error {
	return g.speak(w, r, true)
}

func (g *Gateway) speak(w http.ResponseWriter, r *http.Request, cloned bool) (err error) {
	task := g.newTask(r)
	var in speakRequest
	if err := g.readSpeak(w, r, &in); err != nil {
		return err
	}
	values := map[string]string{"language": in.Language, "voice": in.Voice, "profile_id": in.ProfileID, "subject": in.Subject, "user_data": in.UserData}
	if in.Async != nil && !*in.Async {
		values["async"] = "false"
	}
	if in.Fresh {
		values["fresh"] = "true"
	}
	switch in.VoiceType {
	case "", "preset", "cloned", "clone", "default":
	default:
		if values["voice"] == "" {
			values["voice"] = in.VoiceType
		}
	}
	f := &fields{values: values}
	req := events.Request{Kind: events.KindVoice, Owner: owner(r), Language: f.language(), Voice: f.short("voice", 64), Profile: f.short("profile_id", 64), Fresh: f.flag("fresh")}
	if in.Prosody != nil {
		req.Prosody = *in.Prosody
		f.checkProsody(req.Prosody)
		req.Kind = events.KindProsody
	}
	opts := g.common(f, &req)
	if err := f.done(); err != nil {
		return err
	}
	if cloned && req.Profile == "" {
		return badField(codeMissing, "profile_id", "is missing")
	}
	form := &form{values: values, blobs: map[string]events.Blob{}}
	defer func() {
		if err != nil {
			g.discard(r.Context(), form.blobs)
		}
	}()
	if err := g.checkText(in.Text, req.Language); err != nil {
		return err
	}
	if err := g.putText(r.Context(), form, task, req, in.Text); err != nil {
		return err
	}
	opts.wav = strings.Contains(r.Header.Get("Accept"), "audio/wav")
	return g.finish(w, r, task, req, form, opts)
}

// readSpeak takes JSON, and the form that older clients of voice cloning send.
func (g *Gateway) readSpeak(w http.ResponseWriter, r *http.Request, in *speakRequest) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return readJSON(w, r, in)
	}
	form, err := g.readForm(w, r, producers.NewTask(), nil)
	if err != nil {
		return err
	}
	f := &fields{values: form.values}
	in.Text, _ = f.text("text")
	in.Language, in.Voice, in.VoiceType = f.short("language", 35), f.short("voice", 64), f.short("voice_type", 64)
	in.ProfileID, in.Subject, in.UserData = f.short("profile_id", 64), f.short("subject", 200), f.short("user_data", 1000)
	in.Fresh = f.flag("fresh")
	if f.one("async", "true", "true", "false") == "false" {
		in.Async = new(bool)
	}
	return f.done()
}

// newTask names the task that the request makes: anew, or as a request with the
// same idempotency key has named it.
func (g *Gateway) newTask(r *http.Request) string {
	info := infoOf(r.Context())
	if info.idem != nil {
		info.task = info.idem.task
	} else {
		info.task = producers.NewTask()
	}
	return info.task
}

// options are what a request says about its answer, and what is only echoed.
type options struct {
	details details
	wait    bool // answer when done
	wav     bool // with the sound itself
}

// common reads what every task can be asked.
func (g *Gateway) common(f *fields, req *events.Request) options {
	o := options{details: details{Subject: f.short("subject", 200), UserData: f.short("user_data", 1000)}}
	o.wait = f.one("async", "true", "true", "false") == "false"
	if o.details.Subject != "" {
		req.Subject = digest(req.Owner, o.details.Subject)
	}
	req.Priority = f.one("priority", "", events.High, events.Normal, events.Bulk)
	req.Deadline = time.Now().UTC().Add(g.conf.TaskTimeout).Truncate(time.Millisecond)
	return o
}

// many is an optional comma list of known words.
func (f *fields) many(name string, known []string) []string {
	v := f.short(name, 200)
	if v == "" {
		return nil
	}
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		if !slices.Contains(known, part) {
			f.fail(badField(codeRange, name, "must be a comma list of "+strings.Join(known, ", ")))
			return nil
		}
		out = append(out, part)
	}
	return out
}

// bgm reads what kind of music is wanted.
func (f *fields) bgm() events.BGM {
	return events.BGM{
		Type: f.short("bgm_type", 64), Volume: f.number("bgm_volume", 0, 1),
		Duck: f.flag("bgm_duck"), Accessible: f.flag("accessible"),
		LeadIn: f.number("bgm_lead_in", 0, 5), Tail: f.number("bgm_tail", 0, 5), FadeOut: f.number("bgm_fade_out", 0, 10),
	}
}
