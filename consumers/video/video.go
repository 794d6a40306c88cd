// Package video is the video stage: the portrait speaks what was said, and the
// result is one MP4 file with a poster, captions, and a signed record of how it
// was made.
package video

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/video/captions"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Name is the stage's name.
const Name = "video"

// Config is what an operator chooses.
type Config struct {
	Key       ed25519.PrivateKey // signs the provenance record; nil: there is none
	Generator string             // name and version of the program, for the record
	WebM      bool               // make a WebM beside the MP4
	Threads   int                // of an encoder
	Workers   int                // videos this process makes at once; 0 means 1
}

type stage struct {
	blobs consumers.Blobs
	chain avatar.Chain
	conf  Config
	fonts *fonts
}

// Stage returns the video stage over the chain of engines.
func Stage(blobs consumers.Blobs, chain avatar.Chain, c Config) consumers.Stage {
	s := stage{blobs, chain, c, &fonts{}}
	return consumers.Stage{Name: Name, Run: s.run, Timeout: 2 * time.Minute, Limit: 25 * time.Minute, Tries: 3, Workers: max(c.Workers, 1)}
}

func (s stage) run(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	dir, done, err := s.blobs.TempDir()
	if err != nil {
		return consumers.Result{}, err
	}
	defer done()
	m, err := s.material(ctx, w, dir)
	if err != nil {
		return consumers.Result{}, err
	}
	if err := s.title(ctx, w, &m); err != nil {
		return consumers.Result{}, err
	}
	if err := s.caption(ctx, w, &m); err != nil {
		return consumers.Result{}, err
	}
	served, err := s.chain.Only(w.Job.Request.Require[Name]).Run(ctx, m.job)
	if err != nil {
		return consumers.Result{}, err
	}
	v := served.Out
	res := consumers.Result{
		Blobs: map[string]events.Blob{}, Engine: served.Engine, Fallback: served.Skipped, Remarks: append(m.remarks, v.Remarks...),
	}
	put := func(blob, name, mediaType, path string) {
		if err == nil {
			res.Blobs[blob], err = s.blobs.PutFile(ctx, objectstore.Outputs, w.Task, Name, name, mediaType, path)
		}
	}
	record, err := s.sign(w, m, served.Engine, v)
	put(events.BlobVideo, "video.mp4", "video/mp4", v.Path)
	put(events.BlobPoster, "poster.jpg", "image/jpeg", v.Poster)
	text := func(blob, name, mediaType, content string) {
		if err == nil && content != "" {
			res.Blobs[blob], err = s.blobs.Put(ctx, objectstore.Outputs, w.Task, Name, name, mediaType, strings.NewReader(content))
		}
	}
	text(events.BlobReport, "provenance.json", "application/json", string(record))
	if len(m.cues) > 0 {
		text(events.BlobSRT, "captions.srt", "application/x-subrip", captions.SRT(m.cues))
		text(events.BlobVTT, "captions.vtt", "text/vtt", captions.VTT(m.cues, m.language))
	}
	if s.conf.WebM && err == nil {
		path, e := avatar.WebM(ctx, dir, v.Path, s.conf.Threads)
		if e != nil {
			if ctx.Err() != nil {
				return res, e
			}
			res.Remarks = append(res.Remarks, "The WebM version could not be made.")
		} else {
			put(events.BlobWebM, "video.webm", "video/webm", path)
		}
	}
	if err != nil {
		return res, fmt.Errorf("keep video: %w", err)
	}
	return res, nil
}
