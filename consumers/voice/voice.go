// Package voice is the voice stage: a text becomes speech with a timeline. When
// the client sent its own speech instead, that is decoded and takes its place.
package voice

import (
	"context"
	"errors"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Name is the stage's name.
const Name = "voice"

// Own turns uploaded sound into speech.
type Own func(ctx context.Context, path string) (speech.Speech, error)

type stage struct {
	blobs consumers.Blobs
	chain engines.Chain[speech.Request, speech.Speech]
	own   Own
}

// Stage returns the voice stage over the chain of engines.
func Stage(blobs consumers.Blobs, chain engines.Chain[speech.Request, speech.Speech], own Own) consumers.Stage {
	s := stage{blobs, chain, own}
	return consumers.Stage{Name: Name, Run: s.run, Timeout: 5 * time.Minute, Limit: 10 * time.Minute, Tries: 3, Workers: 2}
}

func (s stage) run(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	if _, ok := w.Job.Blobs[events.BlobAudio]; ok {
		return s.uploaded(ctx, w)
	}
	text, err := s.blobs.Bytes(ctx, w.Job, events.BlobText, 1<<20)
	if err != nil {
		return consumers.Result{}, err
	}
	req := w.Job.Request
	chain := s.chain.Only(req.Require[Name])
	served, err := chain.Run(ctx, speech.Request{
		Text: string(text), Language: req.Language, Voice: req.Voice, Profile: req.Profile,
	})
	switch {
	case errors.Is(err, speech.ErrNotSpeakable):
		return consumers.Result{}, consumers.Fail("TEXT_NOT_SPEAKABLE", "The text has nothing that can be spoken.", err)
	case err != nil:
		return consumers.Result{}, err
	}
	res, err := s.store(ctx, w, served.Out)
	res.Engine, res.Fallback = served.Engine, served.Skipped
	return res, err
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
