// Package portrait makes a still portrait speak: from one picture, the voice
// and the phonemes with their times it renders the frames of a video in which
// lips, jaw, eyes and head move. No trained weights are used beyond the face
// finder's; everything is closed-form image warping, rendered straight into
// 4:2:0 planes, several times faster than real time on one core.
//
// The order of reading: [Render] picks a style and drives a painter; track.go
// turns phonemes and sound into one [Pose] per frame; mouth.go and eye.go look
// at the picture once; warp.go says where a pixel of a frame comes from;
// raster.go does it for all pixels.
//
// The same input, options and seed give the same bytes on one architecture,
// whatever the number of threads.
package portrait

import (
	"errors"
	"fmt"
	"image"
	"math"
	"runtime"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/vision/face"
)

// Style selects what the video shows.
type Style string

// The styles, from the most to the least alive.
const (
	Auto     Style = ""         // Talking when the face allows it, else Card
	Talking  Style = "talking"  // the face speaks
	Card     Style = "card"     // a round portrait in a ring that shows the voice
	KenBurns Style = "kenburns" // a slow camera over the picture
	Static   Style = "static"   // the picture
)

// MouthMode tells the renderer about the mouth in the picture.
type MouthMode string

// The mouth modes.
const (
	MouthAuto   MouthMode = ""       // look for teeth
	MouthClosed MouthMode = "closed" // the lips touch, whatever shines there
	MouthSmile  MouthMode = "smile"  // teeth are visible
)

// Options are the wishes of the caller. Start from [DefaultOptions].
type Options struct {
	Style  Style
	W, H   int     // frame size, even, 64–4096; both 0 means the picture's aspect with a longer side of at most 1280
	FPS    int     // 10–60; 0 means 25
	Motion float64 // amplitude of head, breath and camera: 0 still, 0.5 calm, 1 normal, at most 2
	Mouth  MouthMode
	Seed   uint64 // of blinks and sway
	// Threads that render one frame; 0 means one per processor. It does not
	// change the bytes.
	Threads int
	// Label is written small into the lower right corner. Only characters of
	// [LabelGlyphs] can be drawn.
	Label string
}

// DefaultOptions is what suits a message: automatic style, normal motion.
func DefaultOptions() Options { return Options{Motion: 1} }

// Phone is one phoneme of the voice. Times are seconds from the start of the
// sound. P is a phoneme as Open JTalk and VOICEVOX write it ("a", "ky", "cl",
// "pau", devoiced vowels in capitals) or in IPA.
type Phone struct {
	Start, End float64
	P          string
}

// Input is what is animated.
type Input struct {
	Image image.Image
	// Alpha is the person's share of each pixel, with Image's size; nil means
	// the picture's own transparency, if it has any.
	Alpha *image.Alpha
	// Background is seen behind the person when there is an Alpha or
	// transparency; nil means the picture's own background, completed.
	Background image.Image
	// Face chooses a face, as found in Image; nil means the most prominent.
	Face *face.Face
	// Detector may be shared between calls; nil means a new one.
	Detector *face.Detector
	// Voice drives the mouth and sets the length: never the mix with music.
	Voice dsp.Audio
	// Phones are the voice's phonemes; without usable ones the mouth follows
	// the sound alone.
	Phones []Phone
}

// Frame is one picture of the video, 4:2:0, BT.709, limited range. Y has W×H
// bytes, U and V a quarter of that. A frame handed to a sink is only valid
// until the sink returns.
type Frame struct {
	Index   int
	W, H    int
	Y, U, V []byte
}

// Report says what was rendered.
type Report struct {
	Style    Style    // what was used
	Fallback []string // why it is not the style that was asked for, or not by phonemes
	Face     *face.Face
	Smile    bool   // the picture shows teeth
	Timing   string // "phones", "sound" or "none"
	W, H     int
	FPS      int
	Frames   int
	Seconds  float64 // length of the voice
	// Unknown counts phonemes that the tables do not have; they were spoken
	// with a slightly open mouth.
	Unknown int
}

// Errors of Render that a caller may branch on.
var (
	// ErrNoFace: Talking was asked for, but the picture has no face that can speak.
	ErrNoFace = errors.New("no face that can be animated")
	// ErrOptions: an option is out of its range.
	ErrOptions = errors.New("invalid portrait options")
	// ErrInput: picture or voice cannot be used.
	ErrInput = errors.New("invalid portrait input")
)

// maxSeconds bounds the length of a video.
const maxSeconds = 1800

// Render renders every frame in order into sink, whose error stops it and is
// returned. The style Auto never fails for lack of a face; it falls back to
// Card and says so in the report.
func Render(o Options, in Input, sink func(*Frame) error) (Report, error) {
	o, err := o.check(in)
	if err != nil {
		return Report{}, err
	}
	sec := in.Voice.Duration().Seconds()
	r := Report{Style: o.Style, W: o.W, H: o.H, FPS: o.FPS, Seconds: sec, Timing: "none"}
	r.Frames = max(1, int(math.Ceil(sec*float64(o.FPS)-1e-6)))
	badge, err := newLabel(o.Label, o.W, o.H)
	if err != nil {
		return r, err
	}
	p, err := newPainter(o, in, &r)
	if err != nil {
		return r, err
	}
	f := &Frame{W: o.W, H: o.H, Y: make([]byte, o.W*o.H), U: make([]byte, o.W*o.H/4), V: make([]byte, o.W*o.H/4)}
	for i := range r.Frames {
		f.Index = i
		p.paint(f)
		badge.draw(f)
		if err := sink(f); err != nil {
			return r, fmt.Errorf("sink frame %d: %w", i, err)
		}
	}
	return r, nil
}

// painter renders frame f.Index of one style.
type painter interface{ paint(f *Frame) }

func newPainter(o Options, in Input, r *Report) (painter, error) {
	if o.Style == Auto || o.Style == Talking || o.Style == Card {
		f, why, err := chooseFace(in)
		if err != nil {
			return nil, err
		}
		r.Face = f
		switch {
		case f == nil && o.Style == Talking:
			return nil, fmt.Errorf("%w: %s", ErrNoFace, why)
		case o.Style == Auto && why != "":
			r.Style = Card
			r.Fallback = append(r.Fallback, why)
		case o.Style == Auto:
			r.Style = Talking
		}
	}
	switch r.Style {
	case Talking:
		return newTalking(o, in, r), nil
	case Card:
		return newCard(o, in, r), nil
	case KenBurns:
		return newStill(o, in, r.Frames, true), nil
	case Static:
		return newStill(o, in, r.Frames, false), nil
	}
	return nil, fmt.Errorf("%w: style %q", ErrOptions, o.Style)
}

// chooseFace returns the face to animate, nil when there is none, and why a
// careful caller should not animate it.
func chooseFace(in Input) (f *face.Face, why string, err error) {
	d := in.Detector
	if in.Face != nil {
		g := *in.Face
		if iod := g.Frame.IOD(); !(iod > 2 && iod < 1e5) || math.IsNaN(g.Frame.Origin.X+g.Frame.Origin.Y) {
			return nil, "the chosen face is not a face", nil
		}
		return &g, "", nil
	}
	if d == nil {
		if d, err = face.NewDetector(); err != nil {
			return nil, "", err
		}
	}
	rep := d.Analyze(in.Image)
	if len(rep.Faces) == 0 {
		return nil, string(face.NoFace), nil
	}
	if !rep.Usable {
		why = string(rep.Reasons[0])
	}
	return &rep.Faces[0], why, nil
}

// check fills in the defaults and refuses what cannot be rendered.
func (o Options) check(in Input) (Options, error) {
	if in.Image == nil || in.Image.Bounds().Empty() {
		return o, fmt.Errorf("%w: no picture", ErrInput)
	}
	b := in.Image.Bounds()
	if in.Alpha != nil && in.Alpha.Bounds().Size() != b.Size() {
		return o, fmt.Errorf("%w: alpha is %v, picture %v", ErrInput, in.Alpha.Bounds().Size(), b.Size())
	}
	if d := in.Voice.Duration().Seconds(); !(d > 0) || d > maxSeconds {
		return o, fmt.Errorf("%w: voice of %.3g s, want up to %d s", ErrInput, d, maxSeconds)
	}
	for _, c := range in.Voice.Ch {
		if len(c) != in.Voice.Len() {
			return o, fmt.Errorf("%w: channels of the voice differ in length", ErrInput)
		}
	}
	switch o.Style {
	case Auto, Talking, Card, KenBurns, Static:
	default:
		return o, fmt.Errorf("%w: style %q", ErrOptions, o.Style)
	}
	switch o.Mouth {
	case MouthAuto, MouthClosed, MouthSmile:
	default:
		return o, fmt.Errorf("%w: mouth %q", ErrOptions, o.Mouth)
	}
	if !(o.Motion >= 0 && o.Motion <= 2) {
		return o, fmt.Errorf("%w: motion %v, want 0–2", ErrOptions, o.Motion)
	}
	if o.FPS == 0 {
		o.FPS = 25
	}
	if o.FPS < 10 || o.FPS > 60 {
		return o, fmt.Errorf("%w: %d frames/s, want 10–60", ErrOptions, o.FPS)
	}
	if o.W == 0 && o.H == 0 {
		k := min(1, 1280/float64(max(b.Dx(), b.Dy())))
		even := func(n int) int { return max(64, int(float64(n)*k)&^1) }
		o.W, o.H = even(b.Dx()), even(b.Dy())
	}
	if o.W < 64 || o.H < 64 || o.W > 4096 || o.H > 4096 || o.W%2 != 0 || o.H%2 != 0 {
		return o, fmt.Errorf("%w: %d×%d, want even sides of 64–4096", ErrOptions, o.W, o.H)
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	o.Threads = min(o.Threads, 64, o.H/2)
	return o, nil
}
