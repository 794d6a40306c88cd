package consumers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Blobs is the blob store as stages use it: by the names of a job, with keys
// that follow from task, stage and attempt.
type Blobs struct {
	Store objectstore.Store
	Temp  string // directory for the files of running attempts; empty: the system's
}

// errNoBlob says that the job does not name a blob which the stage needs.
var errNoBlob = errors.New("the job has no such blob")

// Open opens the named blob of job; the caller closes it. A blob that is gone
// ends the task.
func (b Blobs) Open(ctx context.Context, job events.Job, name string) (io.ReadCloser, error) {
	blob, ok := job.Blobs[name]
	if !ok {
		return nil, Fail("INPUT_MISSING", "Something that was made or uploaded for this task is missing.", fmt.Errorf("%s: %w", name, errNoBlob))
	}
	rc, err := b.Store.Get(ctx, blob.Key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil, Fail("INPUT_GONE", "Something that was made or uploaded for this task is no longer kept.", err)
	}
	return rc, err
}

// Bytes reads the named blob of at most limit bytes.
func (b Blobs) Bytes(ctx context.Context, job events.Job, name string, limit int64) ([]byte, error) {
	rc, err := b.Open(ctx, job, name)
	if err != nil {
		return nil, err
	}
	defer rc.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(rc, limit+1))
	if errors.Is(err, objectstore.ErrCorrupt) {
		return nil, damaged(name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, Fail("INPUT_TOO_LARGE", "Something that was made or uploaded for this task is too large.", fmt.Errorf("%s has more than %d bytes", name, limit))
	}
	return data, nil
}

// JSON decodes the named blob into v.
func (b Blobs) JSON(ctx context.Context, job events.Job, name string, v any) error {
	data, err := b.Bytes(ctx, job, name, 16<<20)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return damaged(name, err)
	}
	return nil
}

// damaged ends the task: what was stored is not what was made, and reading it
// again would not help.
func damaged(name string, err error) error {
	return Fail("INPUT_DAMAGED", "Something that was made for this task is damaged. Please make it again.", fmt.Errorf("read %s: %w", name, err))
}

// MaxSound is the longest sound a stage handles, in seconds.
const MaxSound = 600

// Sound reads the named blob, a WAV file.
func (b Blobs) Sound(ctx context.Context, job events.Job, name string) (dsp.Audio, error) {
	rc, err := b.Open(ctx, job, name)
	if err != nil {
		return dsp.Audio{}, err
	}
	defer rc.Close() //nolint:errcheck // read only
	a, err := wav.Decode(rc, MaxSound*wav.MaxRate)
	if errors.Is(err, wav.ErrFormat) || errors.Is(err, wav.ErrLimit) || errors.Is(err, objectstore.ErrCorrupt) {
		return dsp.Audio{}, damaged(name, err)
	}
	if err != nil {
		return dsp.Audio{}, fmt.Errorf("read %s: %w", name, err)
	}
	return a, nil
}

// File copies the named blob to a file with a fixed name.
func (b Blobs) File(ctx context.Context, job events.Job, name, path string) (err error) {
	rc, err := b.Open(ctx, job, name)
	if err != nil {
		return err
	}
	defer rc.Close() //nolint:errcheck // read only
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, rc)
	if errors.Is(err, objectstore.ErrCorrupt) {
		return damaged(name, err)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	return nil
}

// Put stores what a stage made under <class>/<task>/<stage>/<run>/<name>, and
// without <run> outside an attempt.
func (b Blobs) Put(ctx context.Context, class objectstore.Class, task, stage, name, mediaType string, r io.Reader) (events.Blob, error) {
	elem := []string{task, stage, name}
	run := runOf(ctx)
	if run != nil {
		elem = []string{task, stage, run.id, name}
	}
	key := objectstore.Key(class, elem...)
	run.made(b.Store, key)
	info, err := b.Store.Put(ctx, key, r)
	if err != nil {
		return events.Blob{}, fmt.Errorf("store %s: %w", name, err)
	}
	return events.Blob{Key: info.Key, Type: mediaType, SHA256: info.SHA256, Size: info.Size}, nil
}

// PutJSON stores v.
func (b Blobs) PutJSON(ctx context.Context, class objectstore.Class, task, stage, name string, v any) (events.Blob, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return events.Blob{}, fmt.Errorf("encode %s: %w", name, err)
	}
	return b.Put(ctx, class, task, stage, name, "application/json", bytes.NewReader(data))
}

// PutSound stores a as a 16-bit WAV file, streaming.
func (b Blobs) PutSound(ctx context.Context, class objectstore.Class, task, stage, name string, a dsp.Audio) (events.Blob, error) {
	return b.PutStream(ctx, class, task, stage, name, a.Source().Stream())
}

// PutStream stores s as a 16-bit WAV file while it is made.
func (b Blobs) PutStream(ctx context.Context, class objectstore.Class, task, stage, name string, s dsp.Stream) (events.Blob, error) {
	return b.PutMade(ctx, class, task, stage, name, "audio/wav", func(w io.Writer) error { return wav.EncodeStream(w, s, wav.PCM16) })
}

// PutMade stores what produce writes, while it writes. produce has ended when PutMade
// returns.
func (b Blobs) PutMade(ctx context.Context, class objectstore.Class, task, stage, name, mediaType string, produce func(io.Writer) error) (events.Blob, error) {
	pr, pw := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { pw.CloseWithError(produce(pw)) })
	blob, err := b.Put(ctx, class, task, stage, name, mediaType, pr)
	_ = pr.Close() // ends produce when the store gave up
	wg.Wait()
	return blob, err
}

// PutFile stores a file.
func (b Blobs) PutFile(ctx context.Context, class objectstore.Class, task, stage, name, mediaType, path string) (events.Blob, error) {
	f, err := os.Open(path)
	if err != nil {
		return events.Blob{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	return b.Put(ctx, class, task, stage, name, mediaType, f)
}

// TempDir makes a private directory for one attempt; done removes it.
func (b Blobs) TempDir() (dir string, done func(), err error) {
	dir, err = os.MkdirTemp(b.Temp, "attempt-*")
	if err != nil {
		return "", nil, fmt.Errorf("temporary directory: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
