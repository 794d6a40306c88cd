package speech

import (
	"encoding/json"
	"testing"
)

func TestEspeakSpeaks(t *testing.T) {
	e := &Espeak{}
	s, err := e.Speak(t.Context(), Request{Language: "en", Text: "Happy birthday, my dear friend. I wish you all the best!"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(s.Timings)
	t.Log(string(b))
}
