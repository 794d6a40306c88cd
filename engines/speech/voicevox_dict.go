package speech

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A DictionaryWord is an entry of the engine's own dictionary, which serves all
// of its users. Words of a single request belong into Request.Words instead.
type DictionaryWord struct {
	Surface       string `json:"surface"`
	Pronunciation string `json:"pronunciation"` // katakana
	AccentType    int    `json:"accent_type"`   // mora after which the pitch falls; 0 is flat
	Priority      int    `json:"priority"`      // 0 to 10
}

func (w DictionaryWord) query() url.Values {
	q := url.Values{
		"surface": {w.Surface}, "pronunciation": {w.Pronunciation}, "accent_type": {strconv.Itoa(w.AccentType)},
	}
	if w.Priority > 0 {
		q.Set("priority", strconv.Itoa(w.Priority))
	}
	return q
}

// Dictionary returns the engine's words by id.
func (v *Voicevox) Dictionary(ctx context.Context) (map[string]DictionaryWord, error) {
	var words map[string]DictionaryWord
	err := v.json(ctx, call{method: http.MethodGet, path: "/user_dict", tries: 2, timeout: 30 * time.Second}, &words)
	return words, err
}

// AddWord adds a word and returns its id. A pronunciation that is not katakana,
// and an engine whose dictionary is locked, are engines.ErrPermanent.
func (v *Voicevox) AddWord(ctx context.Context, w DictionaryWord) (string, error) {
	body, _, err := v.do(ctx, call{method: http.MethodPost, path: "/user_dict_word", query: w.query(), timeout: 30 * time.Second})
	if err != nil {
		return "", err
	}
	// A JSON string since 0.20, bare text before.
	return strings.Trim(strings.TrimSpace(string(body)), `"`), nil
}

// ChangeWord replaces a word.
func (v *Voicevox) ChangeWord(ctx context.Context, id string, w DictionaryWord) error {
	_, _, err := v.do(ctx, call{method: http.MethodPut, path: "/user_dict_word/" + url.PathEscape(id), query: w.query(), timeout: 30 * time.Second})
	return err
}

// RemoveWord removes a word.
func (v *Voicevox) RemoveWord(ctx context.Context, id string) error {
	_, _, err := v.do(ctx, call{method: http.MethodDelete, path: "/user_dict_word/" + url.PathEscape(id), timeout: 30 * time.Second})
	return err
}
