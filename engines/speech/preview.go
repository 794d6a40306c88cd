package speech

import (
	"context"
	"fmt"
	"strings"

	"github.com/videomsg/videomsg/engines/speech/text"
)

// A preview is one voice's sample, made once; done is closed when it is there.
type preview struct {
	done   chan struct{}
	speech Speech
	err    error
}

// maxPreviews bounds the memory for previews: about 0.6 MB each.
const maxPreviews = 64

// PreviewText is what voices of a language say about themselves. It is short,
// so that it is heard at once.
func PreviewText(language string) string {
	switch text.Primary(language) {
	case "", "ja":
		return "こんにちは。この声でお届けします。"
	case "en":
		return "Hello! This is how I sound."
	case "de":
		return "Hallo! So klinge ich."
	case "fr":
		return "Bonjour ! Voici ma voix."
	case "es":
		return "¡Hola! Así suena mi voz."
	case "it":
		return "Ciao! Questa è la mia voce."
	case "pt":
		return "Olá! Esta é a minha voz."
	case "zh", "cmn":
		return "你好！这是我的声音。"
	case "ko":
		return "안녕하세요! 제 목소리입니다."
	case "ru":
		return "Привет! Так звучит мой голос."
	}
	return "1, 2, 3."
}

// Preview returns the sample of a voice of the catalogue, spoken by that voice
// and no other. It is made once and then kept; callers that ask for the same
// voice at the same time wait for one synthesis. ErrVoice for an unknown id.
func (s *Studio) Preview(ctx context.Context, id string) (Speech, error) {
	language, engine, err := s.ofVoice(ctx, id)
	if err != nil {
		return Speech{}, err
	}
	s.mu.Lock()
	p := s.previews[id]
	mine := p == nil
	if mine {
		for old := range s.previews { // any one: all are cheap to make again
			if len(s.previews) < maxPreviews {
				break
			}
			delete(s.previews, old)
		}
		p = &preview{done: make(chan struct{})}
		s.previews[id] = p
	}
	s.mu.Unlock()
	if !mine {
		select {
		case <-p.done:
			return p.speech, p.err
		case <-ctx.Done():
			return Speech{}, fmt.Errorf("wait for preview of %s: %w", id, context.Cause(ctx))
		}
	}
	served, err := s.Speak(ctx, Request{Text: PreviewText(language), Language: language, Voice: id}, engine)
	p.speech, p.err = served.Out, err
	if err != nil { // the next one tries again
		s.mu.Lock()
		if s.previews[id] == p {
			delete(s.previews, id)
		}
		s.mu.Unlock()
	}
	close(p.done)
	return p.speech, p.err
}

// ofVoice returns the language and engine of a voice.
func (s *Studio) ofVoice(ctx context.Context, id string) (language, engine string, err error) {
	prefix, name, _ := strings.Cut(id, ":")
	switch prefix {
	case "voicevox":
		if s.voicevox != nil {
			return "ja", "voicevox", nil
		}
	case "openjtalk":
		if _, ok := findStyle(id); ok {
			return "ja", "openjtalk", nil
		}
	case "espeak":
		list, err := s.espeak.list(ctx)
		if err != nil {
			return "", "", err
		}
		base, _, _ := strings.Cut(name, "+")
		for _, v := range list {
			if v.language == base {
				return base, "espeak-ng", nil
			}
		}
	}
	return "", "", fmt.Errorf("%q: %w", id, ErrVoice)
}
