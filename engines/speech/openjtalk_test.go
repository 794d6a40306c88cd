package speech

import (
	"encoding/json"
	"testing"
)

func TestOpenJTalkSpeaks(t *testing.T) {
	o := OpenJTalk{}
	if err := o.Ready(); err != nil {
		t.Skip(err)
	}
	s, err := o.Speak(t.Context(), Request{Text: "お誕生日おめでとう、田中さん。今日は2026年11月23日です！元気ですか？"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(s.Timings)
	t.Log(string(b))
}
