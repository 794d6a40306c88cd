package events

import (
	"maps"
	"slices"
	"time"
)

// A Job is what travels from stage to stage: what was asked, which blobs exist
// so far, and what each stage reported.
type Job struct {
	Request Request         `json:"request"`
	Blobs   map[string]Blob `json:"blobs,omitempty"`
	Notes   []Note          `json:"notes,omitempty"`

	unknown unknown
}

// Clone returns a copy that shares no map or slice with j.
func (j Job) Clone() Job {
	j.Blobs = maps.Clone(j.Blobs)
	j.Notes = slices.Clone(j.Notes)
	return j
}

// Note returns what stage reported last, and whether it reported at all.
func (j Job) Note(stage string) (Note, bool) {
	for _, n := range slices.Backward(j.Notes) {
		if n.Stage == stage {
			return n, true
		}
	}
	return Note{}, false
}

// A Blob is one object in the blob store.
type Blob struct {
	Key    string `json:"key"`
	Type   string `json:"type"`   // media type
	SHA256 string `json:"sha256"` // lower-case hex
	Size   int64  `json:"size"`   // bytes
}

// CardSeconds is how long a title card stands before somebody speaks: long
// enough to read it.
const CardSeconds = 2.5

// Names of the blobs in Job.Blobs.
const (
	BlobPortrait   = "portrait"   // as uploaded
	BlobText       = "text"       // UTF-8, as submitted
	BlobWords      = "words"      // JSON: own readings of words in BlobText
	BlobAudio      = "audio"      // own speech instead of text, as uploaded
	BlobBackdrop   = "backdrop"   // own background picture, as uploaded
	BlobMusic      = "music"      // own music, as uploaded to the library
	BlobMusicInfo  = "music-info" // JSON: the credit that BlobMusic demands
	BlobTitle      = "title"      // JSON: for whom and from whom, for the title card
	BlobDetails    = "details"    // what is echoed to the owner: subject, user data
	BlobImage      = "image"      // image stage: PNG to animate
	BlobCutout     = "cutout"     // image stage: PNG with alpha
	BlobMask       = "mask"       // image stage: grey PNG
	BlobAnalysis   = "analysis"   // image stage: JSON about faces and framing
	BlobBackground = "background" // image stage: PNG behind the cut-out
	BlobSpeech     = "speech"     // voice stage: WAV
	BlobTimings    = "timings"    // voice stage: JSON on the clock of BlobSpeech
	BlobProsody    = "prosody"    // prosody stage: WAV
	BlobProsodyT   = "prosody-timings"
	BlobMix        = "mix"         // bgm stage: WAV, voice and music
	BlobStem       = "stem"        // bgm stage: WAV, the voice alone, as long as the mix
	BlobMixTimings = "mix-timings" // bgm stage: JSON on the clock of BlobMix
	BlobMP3        = "mp3"         // bgm stage: the mix for people
	BlobVideo      = "video"       // video stage: MP4
	BlobPoster     = "poster"      // video stage: JPEG
	BlobSRT        = "captions-srt"
	BlobVTT        = "captions-vtt"
	BlobReport     = "provenance" // video stage: signed JSON
	BlobWebM       = "video-webm" // video stage: VP9 and Opus, where configured
)

// A Note is what one stage reports of itself.
type Note struct {
	Stage     string     `json:"stage"`
	Engine    string     `json:"engine,omitempty"`  // who served
	Attempt   int        `json:"attempt,omitempty"` // 1 for the first try
	Skipped   bool       `json:"skipped,omitempty"` // nothing was done; its input goes on unchanged
	Fallback  []Fallback `json:"fallback,omitempty"`
	Cache     string     `json:"cache,omitempty"` // "hit" when an earlier result was reused
	Started   time.Time  `json:"started,omitzero"`
	Seconds   float64    `json:"seconds,omitempty"`
	Artifacts []string   `json:"artifacts,omitempty"` // names in Job.Blobs
	Credit    string     `json:"credit,omitempty"`    // attribution the result must show
	Native    *Native    `json:"native,omitempty"`    // what of the prosody the voice itself did
	Remarks   []string   `json:"remarks,omitempty"`   // what else a user should know, in plain words
	Tries     []string   `json:"tries,omitempty"`     // what went wrong in earlier attempts, for the operator
	Problem   *Problem   `json:"problem,omitempty"`   // why it failed
}

// Native is the part of the prosody that a speech engine did while speaking; the
// prosody stage does the rest.
type Native struct {
	Rate  float64 `json:"rate"`  // 1 is unchanged
	Pitch float64 `json:"pitch"` // semitones
}

// A Fallback is an engine that should have served and why it did not.
type Fallback struct {
	Engine string `json:"engine"`
	Reason string `json:"reason"`
}

// Progress is what a running stage says on ProgressSubject. It is kept in memory
// only, the newest per stage and task.
type Progress struct {
	Stage   string    `json:"stage"`
	Attempt int       `json:"attempt"`
	Started time.Time `json:"started"`
	Done    float64   `json:"done"`             // 0..1 of the stage
	Failed  []string  `json:"failed,omitempty"` // why earlier attempts did not do
	// Waiting says that the stage waits until this time before its next attempt.
	Waiting time.Time `json:"waiting,omitzero"`
}

// A Problem is why a stage gave up. Code and Detail are for the user, Cause for
// the operator; Cause never leaves the house.
type Problem struct {
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Cause     string `json:"cause,omitempty"`
	Retryable bool   `json:"retryable,omitempty"`
}

// Public is e without what only operators may see: what went wrong inside. Of a
// newer version's Job nothing is known, so nothing is shown.
func (e Event) Public() Event {
	e.Job.unknown.whole = nil
	e.Job.Notes = slices.Clone(e.Job.Notes)
	for i := range e.Job.Notes {
		n := &e.Job.Notes[i]
		n.Tries = nil
		if n.Problem != nil {
			p := *n.Problem
			p.Cause = ""
			n.Problem = &p
		}
	}
	return e
}
