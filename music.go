package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/videomsg/videomsg/dsp/mix"
	"github.com/videomsg/videomsg/dsp/music"
	"github.com/videomsg/videomsg/gateway"
)

// musicSeed makes the tracks that everybody hears in the previews.
const musicSeed = 1

// findMusic composes a piece of just the length the message needs.
func findMusic(_ context.Context, id string, length time.Duration) (mix.Music, string, error) {
	length = min(max(length, music.MinLength), music.MaxLength)
	track, err := music.Piece(music.Style(id), musicSeed, length)
	if err != nil {
		return mix.Music{}, "", fmt.Errorf("%s: %w", id, err)
	}
	return mix.Music{Audio: track.Audio, Ends: true}, "", nil
}

func checkMusic(_ context.Context, id string) error {
	if !slices.Contains(music.Styles(), music.Style(id)) {
		return gateway.ErrUnknown
	}
	return nil
}
