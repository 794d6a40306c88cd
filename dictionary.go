package main

import (
	"errors"

	"github.com/videomsg/videomsg/engines/speech/text"
	"github.com/videomsg/videomsg/gateway"
)

// checkWord says whether the engines can use an entry of a dictionary.
func checkWord(w gateway.Word) error {
	err := text.Entry{Surface: w.Surface, Reading: w.Reading, Accent: w.Accent}.Check(w.Language)
	if e, ok := errors.AsType[*text.EntryError](err); ok {
		return &gateway.Refusal{Code: "PARAMETER_OUT_OF_RANGE", Field: e.Field, Detail: e.Detail, Err: err}
	}
	return err
}

// entries are the words for a language, as the engines take them.
func entries(words []gateway.Word, language string) (out []text.Entry) {
	for _, w := range words {
		if text.Primary(w.Language) == text.Primary(language) || text.Japanese(w.Language) && text.Japanese(language) {
			out = append(out, text.Entry{Surface: w.Surface, Reading: w.Reading, Accent: w.Accent})
		}
	}
	return out
}
