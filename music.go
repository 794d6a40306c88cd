package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/bgm"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/mix"
	"github.com/videomsg/videomsg/dsp/music"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/gateway"
	"github.com/videomsg/videomsg/objectstore"
)

// musicSeed makes the tracks that everybody hears in the previews.
const musicSeed = 1

// musicLibrary is the music there is: styles, composed to measure, and the track
// that the gateway has found in its user's library.
type musicLibrary struct{ blobs consumers.Blobs }

// find implements bgm.Library.
func (l musicLibrary) find(ctx context.Context, job events.Job, id string, length time.Duration) (bgm.Track, error) {
	if !slices.Contains(music.Styles(), music.Style(id)) {
		return l.uploaded(ctx, job, length)
	}
	length = min(max(length, music.MinLength), music.MaxLength)
	t, err := music.Piece(music.Style(id), musicSeed, length)
	if err != nil {
		return bgm.Track{}, fmt.Errorf("compose %s: %w", id, err)
	}
	return bgm.Track{Music: mix.Music{Sound: t.Audio.Source(), Ends: true}}, nil
}

// uploaded decodes the job's own track. Whatever is wrong with it, the message
// can go on without music.
func (l musicLibrary) uploaded(ctx context.Context, job events.Job, length time.Duration) (bgm.Track, error) {
	rc, err := l.blobs.Open(ctx, job, events.BlobMusic)
	if err != nil {
		if errors.Is(err, objectstore.ErrNotFound) {
			err = engines.WithReason(err, "the music was deleted")
		}
		return bgm.Track{}, err
	}
	// A track that is longer than the message is cut; one that is longer than this
	// is refused.
	a, _, err := ffmpeg.DecodeAudio(ctx, rc, ffmpeg.Limits{Bytes: 20_000_000, Duration: 10 * time.Minute})
	if err = errors.Join(err, rc.Close()); err != nil {
		if errors.Is(err, engines.ErrInput) {
			err = engines.WithReason(err, "the music file is damaged or too long")
		}
		return bgm.Track{}, err
	}
	var info gateway.MusicInfo
	if err := l.blobs.JSON(ctx, job, events.BlobMusicInfo, &info); err != nil {
		return bgm.Track{}, engines.WithReason(err, "whom to credit for the music is not known any more")
	}
	credit := info.Credit
	if credit != "" && info.Licence != "" {
		credit += " (" + info.Licence + ")"
	}
	// Silence at the beginning is trimmed, so a little more than needed is kept.
	return bgm.Track{Music: mix.Music{Sound: head(a, length+10*time.Second).Source()}, Credit: credit}, nil
}

// head is at most the first d of a, and does not hold on to the rest.
func head(a dsp.Audio, d time.Duration) dsp.Audio {
	n := min(a.Len(), int(d.Seconds()*float64(a.Rate)))
	out := dsp.Audio{Rate: a.Rate, Ch: make([][]float32, len(a.Ch))}
	for c := range a.Ch {
		out.Ch[c] = slices.Clone(a.Ch[c][:n])
	}
	return out
}

// checkMusic knows the styles; the gateway knows its users' tracks itself.
func checkMusic(_ context.Context, id string) error {
	if !slices.Contains(music.Styles(), music.Style(id)) {
		return gateway.ErrUnknown
	}
	return nil
}
