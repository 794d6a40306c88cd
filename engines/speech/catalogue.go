package speech

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// A Quality says how natural a voice sounds.
type Quality string

// Qualities of voices, best first.
const (
	Natural Quality = "natural"
	Plain   Quality = "plain"   // understandable, clearly a machine
	Robotic Quality = "robotic" // a makeshift
)

// A Voice is an entry of the catalogue.
type Voice struct {
	ID       string  `json:"id"`       // "engine:name", to put into Request.Voice
	Language string  `json:"language"` // BCP 47
	Name     string  `json:"name"`
	Engine   string  `json:"engine"`
	Credit   string  `json:"credit,omitempty"` // the line a result owes
	Policy   string  `json:"policy,omitempty"` // terms of use, where they are known
	Quality  Quality `json:"quality"`
}

// catalogueTimeout bounds the question to each engine for its voices.
const catalogueTimeout = 5 * time.Second

// Voices lists every voice that can speak now, the default of each language
// first. Engines that did not answer are in the second result, with the reason.
// The engines are asked side by side.
func (s *Studio) Voices(ctx context.Context) ([]Voice, []engines.Skip) {
	type answer struct {
		voices []Voice
		err    error
	}
	type source struct {
		name string
		list func(context.Context) ([]Voice, error)
	}
	ask := []source{
		{"openjtalk", func(context.Context) ([]Voice, error) { return s.openjtalk.Voices() }},
		{"espeak-ng", s.espeak.Voices},
	}
	if s.voicevox != nil {
		ask = slices.Insert(ask, 0, source{"voicevox", s.voicevox.Voices})
	}
	answers := make([]answer, len(ask))
	var wg sync.WaitGroup
	for i, a := range ask {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, catalogueTimeout)
			defer cancel()
			answers[i].voices, answers[i].err = a.list(ctx)
		})
	}
	wg.Wait()
	var voices []Voice
	var missing []engines.Skip
	for i, a := range answers {
		voices = append(voices, a.voices...)
		if a.err != nil {
			missing = append(missing, engines.Skip{Engine: ask[i].name, Err: a.err})
		}
	}
	return voices, missing
}

// Policy returns the terms of use of a voice; "" when it has none.
func (s *Studio) Policy(ctx context.Context, id string) (string, error) {
	style, ok := strings.CutPrefix(id, "voicevox:")
	if !ok || s.voicevox == nil {
		return "", nil
	}
	var n int
	if _, err := fmt.Sscanf(style, "%d", &n); err != nil {
		return "", fmt.Errorf("%q: %w", id, ErrVoice)
	}
	return s.voicevox.Policy(ctx, n)
}

// Voices lists the voices made from the installed voice file, or says what is
// missing.
func (o OpenJTalk) Voices() ([]Voice, error) {
	if err := o.Ready(); err != nil {
		return nil, err
	}
	var out []Voice
	for _, st := range openJTalkStyles {
		out = append(out, Voice{ID: st.id, Language: "ja", Name: st.name, Engine: "openjtalk", Credit: o.credit(), Quality: Plain})
	}
	return out, nil
}

// Voices lists two voices per language, English first: without readings
// Japanese is not among them.
func (e *Espeak) Voices(ctx context.Context) ([]Voice, error) {
	list, err := e.list(ctx)
	if err != nil {
		return nil, err
	}
	var out []Voice
	for _, v := range list {
		quality := Plain
		if text.Primary(v.language) == "ja" {
			if e.Readings == nil {
				continue
			}
			quality = Robotic
		}
		tag := v.language
		if rest, ok := strings.CutPrefix(tag, "cmn"); ok {
			tag = "zh" + rest
		}
		out = append(out,
			Voice{ID: "espeak:" + v.language, Language: tag, Name: v.name, Engine: "espeak-ng", Quality: quality},
			Voice{ID: "espeak:" + v.language + "+" + espeakFemale, Language: tag, Name: v.name + " (higher)", Engine: "espeak-ng", Quality: quality})
	}
	slices.SortStableFunc(out, func(a, b Voice) int {
		return cmp.Compare(place(a.Language), place(b.Language))
	})
	return out, nil
}

// place puts the voices that an unqualified "en" means first.
func place(tag string) int {
	switch {
	case tag == "en-us":
		return 0
	case text.Primary(tag) == "en":
		return 1
	}
	return 2
}
