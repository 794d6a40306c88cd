package prosody

// Emotion names a preset.
type Emotion string

// The presets. Neutral, happy, sad and angry are the four that clients have
// always known; their pitch and rate are fixed.
const (
	Neutral     Emotion = "neutral"
	Happy       Emotion = "happy"
	Sad         Emotion = "sad"
	Angry       Emotion = "angry"
	Excited     Emotion = "excited"
	Calm        Emotion = "calm"
	Celebration Emotion = "celebration"
	Encouraging Emotion = "encouraging"
	Grateful    Emotion = "grateful"
)

// Emotions lists the presets in the order in which to offer them.
func Emotions() []Emotion {
	return []Emotion{Neutral, Happy, Sad, Angry, Excited, Calm, Celebration, Encouraging, Grateful}
}

// preset is what an emotion does at intensity 1. Directions follow the
// literature on emotional speech (Murray and Arnott 1993; Burkhardt and
// Sendlmeier 2000; Schröder 2001): joy and anger widen the melody and quicken
// speech, sadness narrows and slows it, anger and joy brighten the voice.
type preset struct {
	semitones     float64
	rate          float64
	gainDB        float64
	pitchRange    float64 // factor of the melody's excursions
	formant       float64 // factor of the formant frequencies
	tiltDB        float64 // dB per octave above 1 kHz
	tremorHz      float64
	tremorCents   float64
	finalRise     float64 // semitones at the end of a phrase
	phraseSlopeDB float64 // level change over a phrase
	pauses        float64 // factor of natural pauses
	declination   float64 // factor of the fall of the pitch over a phrase, beyond 1
	jitter        float64 // random deviation of each period, percent
	attackDB      float64 // gain of sudden beginnings
	compression   float64 // of the louder passages, 0 to 1
	breathDB      float64 // breath noise under the voice; 0 for none
}

func presetOf(e Emotion) (preset, bool) {
	switch e {
	case Neutral:
		return preset{rate: 1, pitchRange: 1, formant: 1, pauses: 1}, true
	case Happy:
		return preset{
			semitones: 2, rate: 1.1, gainDB: 1, pitchRange: 1.3, formant: 1.02,
			tiltDB: 1, finalRise: 1, pauses: 0.85, attackDB: 1,
		}, true
	case Sad:
		return preset{
			semitones: -2, rate: 0.9, gainDB: -2, pitchRange: 0.75, formant: 1,
			tiltDB: -1.5, tremorHz: 5.5, tremorCents: 15, finalRise: -0.5, phraseSlopeDB: -1.5, pauses: 1.3,
			declination: 0.3, breathDB: -45,
		}, true
	case Angry:
		return preset{
			semitones: 0.5, rate: 1.08, gainDB: 2.5, pitchRange: 1.4, formant: 1,
			tiltDB: 2, finalRise: -0.5, pauses: 0.8, jitter: 0.8, attackDB: 2, compression: 0.5,
		}, true
	case Excited:
		return preset{
			semitones: 3, rate: 1.25, gainDB: 3, pitchRange: 1.35, formant: 1.02,
			tiltDB: 1, finalRise: 0.5, pauses: 0.75, attackDB: 1,
		}, true
	case Calm:
		return preset{
			semitones: -0.9, rate: 0.9, gainDB: -1.4, pitchRange: 0.9, formant: 1,
			tiltDB: -0.5, pauses: 1.2,
		}, true
	case Celebration:
		return preset{
			semitones: 1.5, rate: 1.1, gainDB: 1.6, pitchRange: 1.3, formant: 1.01,
			tiltDB: 0.7, finalRise: 0.7, pauses: 0.9,
		}, true
	case Encouraging:
		return preset{
			semitones: 1, rate: 1.15, gainDB: 2, pitchRange: 1.2, formant: 1,
			tiltDB: 0.7, pauses: 0.9,
		}, true
	case Grateful:
		return preset{
			semitones: 1, rate: 1.05, gainDB: 1, pitchRange: 1.1, formant: 1,
			tiltDB: 0.2, pauses: 1.1,
		}, true
	}
	return preset{}, false
}
