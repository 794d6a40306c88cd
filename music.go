package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/consumers/bgm"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/mix"
	"github.com/videomsg/videomsg/dsp/music"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/gateway"
	"github.com/videomsg/videomsg/objectstore"
)

// musicSeed makes the tracks that everybody hears in the previews.
const musicSeed = 1

// What an uploaded track may be. One that is longer than the message is cut; one
// that is longer than this is refused.
var trackLimits = ffmpeg.Limits{Bytes: 20_000_000, Duration: 10 * time.Minute}

// trackMemory is how long what is known of a track is believed. That it was
// deleted shows at once: then its sound is gone.
const trackMemory = time.Hour

// musicLibrary is the music there is: styles, composed to measure, and the tracks
// that users have uploaded through the gateway.
type musicLibrary struct {
	kv    jetstream.KeyValue
	blobs objectstore.Store
	now   func() time.Time

	mu    sync.Mutex
	known map[string]knownTrack // by key
}

type knownTrack struct {
	track gateway.Track
	at    time.Time
}

func newMusicLibrary(kv jetstream.KeyValue, blobs objectstore.Store) *musicLibrary {
	return &musicLibrary{kv: kv, blobs: blobs, now: time.Now, known: map[string]knownTrack{}}
}

// find implements bgm.Library.
func (l *musicLibrary) find(ctx context.Context, owner, id string, length time.Duration) (bgm.Track, error) {
	if slices.Contains(music.Styles(), music.Style(id)) {
		length = min(max(length, music.MinLength), music.MaxLength)
		t, err := music.Piece(music.Style(id), musicSeed, length)
		if err != nil {
			return bgm.Track{}, fmt.Errorf("compose %s: %w", id, err)
		}
		return bgm.Track{Music: mix.Music{Audio: t.Audio, Ends: true}}, nil
	}
	t, err := l.track(ctx, owner, id)
	if err != nil {
		return bgm.Track{}, err
	}
	rc, err := l.blobs.Get(ctx, t.Blob.Key)
	if errors.Is(err, objectstore.ErrNotFound) {
		l.forget(owner, id)
		return bgm.Track{}, engines.WithReason(err, "the music was deleted")
	}
	if err != nil {
		return bgm.Track{}, err
	}
	a, _, err := ffmpeg.DecodeAudio(ctx, rc, trackLimits)
	if err = errors.Join(err, rc.Close()); err != nil {
		if errors.Is(err, engines.ErrInput) {
			// Only the music is at fault: the message goes on without it.
			err = engines.WithReason(fmt.Errorf("track %s: %w", id, err), "the music file is damaged, silent or too long")
		}
		return bgm.Track{}, err
	}
	return bgm.Track{Music: mix.Music{Audio: head(a, length+spare)}, Credit: credit(t)}, nil
}

// spare is what is kept of a track beyond the length of the message: silence at
// its beginning is trimmed.
const spare = 10 * time.Second

// head is at most the first d of a.
func head(a dsp.Audio, d time.Duration) dsp.Audio {
	n := min(a.Len(), int(d.Seconds()*float64(a.Rate)))
	out := dsp.Audio{Rate: a.Rate, Ch: make([][]float32, len(a.Ch))}
	for c := range a.Ch {
		out.Ch[c] = slices.Clone(a.Ch[c][:n]) // lets go of the rest
	}
	return out
}

// credit is the line that the result shows.
func credit(t gateway.Track) string {
	c := t.Credit
	if c != "" && t.Licence != "" {
		c += " (" + t.Licence + ")"
	}
	return c
}

// track reads what is known of owner's track. Nobody else's is found.
func (l *musicLibrary) track(ctx context.Context, owner, id string) (t gateway.Track, err error) {
	key := gateway.TrackKey(owner, id)
	l.mu.Lock()
	k, ok := l.known[key]
	l.mu.Unlock()
	if ok && l.now().Sub(k.at) < trackMemory {
		return k.track, nil
	}
	e, err := l.kv.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrInvalidKey):
		return t, engines.WithReason(fmt.Errorf("track %s: %w", id, err), "there is no such music any more")
	case err != nil:
		return t, fmt.Errorf("track %s: %w", id, err)
	}
	if err := json.Unmarshal(e.Value(), &t); err != nil {
		return t, fmt.Errorf("track %s: %w", id, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= 1000 {
		clear(l.known) // bounded memory; it only saves a question
	}
	l.known[key] = knownTrack{t, l.now()}
	return t, nil
}

func (l *musicLibrary) forget(owner, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, gateway.TrackKey(owner, id))
}

// checkMusic knows the styles; the gateway knows its users' tracks itself.
func checkMusic(_ context.Context, id string) error {
	if !slices.Contains(music.Styles(), music.Style(id)) {
		return gateway.ErrUnknown
	}
	return nil
}
