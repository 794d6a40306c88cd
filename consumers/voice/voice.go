// Package voice is the voice stage: a text becomes speech with a timeline. When
// the client sent its own speech instead, that is decoded and takes its place.
package voice

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/prosody"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/engines/speech/text"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Name is the stage's name.
const Name = "voice"

// A Speaker speaks a request by the best engine there is, or by the required one.
type Speaker func(ctx context.Context, r speech.Request, require string) (engines.Served[speech.Speech], error)

// Own turns uploaded sound into speech.
type Own func(ctx context.Context, path string) (speech.Speech, error)

type stage struct {
	blobs consumers.Blobs
	speak Speaker
	own   Own
}

// Stage returns the voice stage.
func Stage(blobs consumers.Blobs, speak Speaker, own Own) consumers.Stage {
	s := stage{blobs, speak, own}
	return consumers.Stage{Name: Name, Run: s.run, Timeout: 5 * time.Minute, Limit: 10 * time.Minute, Tries: 3, Workers: 2}
}

func (s stage) run(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	if _, ok := w.Job.Blobs[events.BlobAudio]; ok {
		return s.uploaded(ctx, w)
	}
	message, err := s.blobs.Bytes(ctx, w.Job, events.BlobText, 1<<20)
	if err != nil {
		return consumers.Result{}, err
	}
	words, err := s.words(ctx, w.Job)
	if err != nil {
		return consumers.Result{}, err
	}
	req := w.Job.Request
	plan, err := prosody.Params(req.Prosody).Resolve()
	if err != nil {
		return consumers.Result{}, consumers.Fail("PARAMETER_OUT_OF_RANGE", "A prosody parameter is out of range.", err)
	}
	served, err := s.speak(WithOwner(ctx, req.Owner), speech.Request{
		Text: string(message), Language: req.Language, Voice: req.Voice, Profile: req.Profile,
		Rate: plan.Rate, Pitch: plan.Semitones, Pauses: prosody.Pauses(req.Prosody, plan),
		Words: words,
	}, req.Require[Name])
	switch {
	case errors.Is(err, speech.ErrConsent):
		return consumers.Result{}, consumers.Fail("CONSENT_REQUIRED", "There is no valid consent for this cloned voice.", err)
	case errors.Is(err, speech.ErrNotSpeakable):
		return consumers.Result{}, consumers.Fail("TEXT_NOT_SPEAKABLE", "The text has nothing that can be spoken.", err)
	case err != nil:
		return consumers.Result{}, err
	}
	res, err := s.store(ctx, w, served.Out)
	res.Engine, res.Fallback = served.Engine, served.Skipped
	return res, err
}

// maxWords bounds the JSON of a dictionary, in bytes.
const maxWords = 1 << 20

// words are the readings that came with the text.
func (s stage) words(ctx context.Context, job events.Job) (words []text.Entry, err error) {
	if _, ok := job.Blobs[events.BlobWords]; !ok {
		return nil, nil
	}
	b, err := s.blobs.Bytes(ctx, job, events.BlobWords, maxWords)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &words); err != nil {
		return nil, fmt.Errorf("decode %s: %w", events.BlobWords, err)
	}
	return words, nil
}

// store keeps the speech and its timeline.
func (s stage) store(ctx context.Context, w consumers.Work, sp speech.Speech) (consumers.Result, error) {
	sound, err := s.blobs.PutSound(ctx, objectstore.Intermediates, w.Task, Name, "speech.wav", sp.Audio)
	if err != nil {
		return consumers.Result{}, err
	}
	timings, err := s.blobs.PutJSON(ctx, objectstore.Intermediates, w.Task, Name, "timings.json", sp.Timings)
	if err != nil {
		return consumers.Result{}, err
	}
	res := consumers.Result{
		Blobs:  map[string]events.Blob{events.BlobSpeech: sound, events.BlobTimings: timings},
		Credit: sp.Credit,
	}
	if n := sp.Native; n != (speech.Native{}) {
		res.Native = &events.Native{Rate: cmp.Or(n.Rate, 1), Pitch: n.Pitch}
	}
	for _, n := range sp.Notes {
		res.Remarks = append(res.Remarks, n.Detail)
	}
	return res, nil
}

// uploaded takes the client's own speech.
func (s stage) uploaded(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	dir, done, err := s.blobs.TempDir()
	if err != nil {
		return consumers.Result{}, err
	}
	defer done()
	path := dir + "/upload"
	if err := s.blobs.File(ctx, w.Job, events.BlobAudio, path); err != nil {
		return consumers.Result{}, err
	}
	sp, err := s.own(ctx, path)
	if errors.Is(err, engines.ErrInput) {
		return consumers.Result{}, consumers.Fail("AUDIO_UNREADABLE", "The uploaded sound cannot be used: it is damaged, silent, too long, or of a kind that is not supported.", err)
	}
	if err != nil {
		return consumers.Result{}, err
	}
	res, err := s.store(ctx, w, sp)
	res.Engine = "upload"
	return res, err
}

type ownerKey struct{}

// WithOwner says for whom a voice speaks: whether a cloned one may depends on it.
func WithOwner(ctx context.Context, owner string) context.Context {
	return context.WithValue(ctx, ownerKey{}, owner)
}

// Owner is for whom the voice speaks; empty when nobody said so.
func Owner(ctx context.Context) string {
	s, _ := ctx.Value(ownerKey{}).(string)
	return s
}
