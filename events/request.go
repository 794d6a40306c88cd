package events

import "time"

// Kinds of tasks: what the finished task gives.
const (
	KindVideo   = "video"
	KindImage   = "image"
	KindVoice   = "voice"
	KindProsody = "prosody"
	KindBGM     = "bgm"
	KindAvatar  = "avatar" // a video from portrait and sound, by the avatar service
)

// Priorities of tasks. Bulk work is let into the pipeline a few tasks at a time,
// so that all other work overtakes what is still waiting, and yet it goes on.
const (
	High   = "high"
	Normal = "normal" // the default
	Bulk   = "bulk"
)

// A Request is what a task asks for, without its blobs and without anything
// personal. It never changes after the task was submitted. The zero value of a
// field means its default.
type Request struct {
	Kind     string `json:"kind"`
	Owner    string `json:"owner,omitempty"`   // user id
	Parent   string `json:"parent,omitempty"`  // the task this one is a rerun of
	Subject  string `json:"subject,omitempty"` // digest that groups what belongs to one person
	Language string `json:"language,omitempty"`
	Voice    string `json:"voice,omitempty"`         // id of a voice
	Profile  string `json:"voice_profile,omitempty"` // id of a cloned voice

	Prosody Prosody `json:"prosody"`
	BGM     BGM     `json:"bgm"`
	Image   Image   `json:"image"`
	Video   Video   `json:"video"`

	Require  map[string]string `json:"require,omitempty"`  // stage → the only engine accepted
	Fresh    bool              `json:"fresh,omitempty"`    // bypass the stage cache
	Priority string            `json:"priority,omitempty"` // High, Normal or Bulk
	Deadline time.Time         `json:"deadline,omitzero"`  // no stage starts or goes on after it
	Consent  bool              `json:"consent,omitempty"`  // the sender may use this face and voice
}

// Prosody is how the speech shall be changed. Values stand as the client gave
// them; nil means not given.
type Prosody struct {
	PitchShift  *float64           `json:"pitch_shift,omitempty"`  // semitones, −12..12
	TimeStretch *float64           `json:"time_stretch,omitempty"` // rate, 0.5..2, more is faster
	EnergyBoost *float64           `json:"energy_boost,omitempty"` // gain, 0.5..1.5
	Emotion     string             `json:"emotion,omitempty"`
	Intensity   *float64           `json:"intensity,omitempty"` // of the emotion, 0..1
	Pauses      map[string]float64 `json:"pauses,omitempty"`    // seconds per mark
}

// BGM is the music behind the speech.
type BGM struct {
	Type       string   `json:"type,omitempty"`   // id of a track, or "none"
	Volume     *float64 `json:"volume,omitempty"` // 0 (silence) .. 1
	Duck       bool     `json:"duck,omitempty"`
	Accessible bool     `json:"accessible,omitempty"` // speech at least 20 LU above the music
	LeadIn     *float64 `json:"lead_in,omitempty"`    // seconds of music alone before the speech, 0..5
	Tail       *float64 `json:"tail,omitempty"`       // seconds of music after it, 0..5
	FadeOut    *float64 `json:"fade_out,omitempty"`   // seconds over which the music ends, 0..10
}

// Image is the picture behind and around the face.
type Image struct {
	Steps      []string `json:"steps,omitempty"`
	Background string   `json:"background,omitempty"`
	Aspect     string   `json:"aspect,omitempty"`
	Face       int      `json:"face,omitempty"` // 1 for the largest face, …; 0 chooses
}

// Video is how the portrait speaks.
type Video struct {
	Captions string   `json:"captions,omitempty"` // none, file or burn
	Style    string   `json:"style,omitempty"`    // talking, card, kenburns or static
	Motion   *float64 `json:"motion,omitempty"`   // 0 (still head) .. 1
	Mouth    string   `json:"mouth,omitempty"`    // auto, closed or smile
	Seed     uint64   `json:"seed,omitempty"`
	Label    string   `json:"label,omitempty"` // corner, or "off"
}
