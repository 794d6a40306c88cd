package natsstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/videomsg/videomsg/objectstore"
)

// Scavenge implements objectstore.Scavenger: it purges chunks that no live
// object names, which killed writers leave behind, and markers of deletions that
// were cut off.
func (s *Store) Scavenge(ctx context.Context, age time.Duration) (objectstore.Scavenged, error) {
	n, err := s.scavenge(ctx, age)
	if err != nil {
		return n, fmt.Errorf("scavenge bucket %s: %w", s.bucket, err)
	}
	return n, nil
}

func (s *Store) scavenge(ctx context.Context, age time.Duration) (objectstore.Scavenged, error) {
	var n objectstore.Scavenged
	// Chunks first, metas second: an object that is finished in between is live.
	chunks, err := s.chunkSubjects(ctx)
	if err != nil {
		return n, err
	}
	var markers []meta
	err = s.metas(ctx, func(m meta) (bool, error) {
		if !m.Deleted {
			delete(chunks, s.chunkSubject(m.NUID))
		} else if time.Since(m.ModTime) >= age {
			markers = append(markers, m)
		}
		return true, nil
	})
	if err != nil {
		return n, err
	}
	for _, m := range markers {
		if err := s.purge(ctx, s.metaSubject(m.Name), m.seq+1); err != nil {
			return n, err
		}
	}
	for subject, count := range chunks {
		last, err := s.directLast(ctx, subject)
		if errors.Is(err, objectstore.ErrNotFound) || err == nil && time.Since(last.time) < age {
			continue
		}
		if err != nil {
			return n, err
		}
		if err := s.purge(ctx, subject, 0); err != nil {
			return n, err
		}
		n.Parts += count
		n.Bytes += int64(count-1)*chunkSize + int64(len(last.data))
	}
	return n, nil
}

// chunkSubjects returns the number of messages on each chunk subject.
func (s *Store) chunkSubjects(ctx context.Context) (map[string]int, error) {
	all := map[string]int{}
	for {
		var out struct {
			Total int `json:"total"`
			State struct {
				Subjects map[string]int `json:"subjects"`
			} `json:"state"`
		}
		req := map[string]any{"subjects_filter": "$O." + s.bucket + ".C.>", "offset": len(all)}
		if err := s.call(ctx, "STREAM.INFO."+s.stream(), req, &out); err != nil {
			return nil, err
		}
		for subject := range out.State.Subjects {
			if strings.ContainsAny(subject, "*>") {
				return nil, fmt.Errorf("chunk subject %q", subject)
			}
		}
		maps.Copy(all, out.State.Subjects)
		if len(out.State.Subjects) == 0 || len(all) >= out.Total {
			return all, nil
		}
	}
}
