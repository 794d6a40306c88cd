package speechtest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// Voicevox is a VOICEVOX engine that sings the vowels: every phoneme is a tone
// or a noise of its own, exactly as long as the query says, so that a timeline
// can be checked against the sound. Set the fields before the first call.
type Voicevox struct {
	Faults
	Version string // "" is 0.25.2
	Old     bool   // before 0.20: no pauseLength, bare ids, no manifest
	Aivis   bool   // all lengths are zero, unknown fields in the query, large ids
	Rate    int    // of the sound when not the query's: a server that resamples

	mu    sync.Mutex
	words map[string]map[string]any
	asked url.Values
	sung  []string
	next  int
}

// AivisStyle is the talking style of an Aivis engine.
const AivisStyle = 888753760

// Asked is what the last /audio_query was asked.
func (v *Voicevox) Asked() url.Values {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}

// Sung is the last /synthesis, one string of "mora pitch" for each accent phrase.
func (v *Voicevox) Sung() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sung
}

// Handler answers the engine's calls.
func (v *Voicevox) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /version", func(w http.ResponseWriter, r *http.Request) {
		version := v.Version
		if version == "" {
			version = "0.25.2"
		}
		reply(w, 200, version)
	})
	m.HandleFunc("GET /speakers", func(w http.ResponseWriter, r *http.Request) { reply(w, 200, v.speakers()) })
	m.HandleFunc("GET /speaker_info", v.speakerInfo)
	m.HandleFunc("GET /engine_manifest", func(w http.ResponseWriter, r *http.Request) {
		if v.Old {
			detail(w, 404, "Not Found")
			return
		}
		brand := "VOICEVOX"
		if v.Aivis {
			brand = "AivisSpeech"
		}
		reply(w, 200, map[string]any{"brand_name": brand, "default_sampling_rate": 24000, "frame_rate": 93.75})
	})
	m.HandleFunc("POST /initialize_speaker", func(w http.ResponseWriter, r *http.Request) {
		if v.style(w, r) {
			w.WriteHeader(204)
		}
	})
	m.HandleFunc("POST /audio_query", v.audioQuery)
	m.HandleFunc("POST /mora_pitch", v.moraPitch)
	m.HandleFunc("POST /synthesis", v.synthesis)
	m.HandleFunc("GET /user_dict", func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.words == nil {
			reply(w, 200, map[string]any{})
			return
		}
		reply(w, 200, v.words)
	})
	m.HandleFunc("POST /user_dict_word", v.addWord)
	m.HandleFunc("PUT /user_dict_word/{id}", v.changeWord)
	m.HandleFunc("DELETE /user_dict_word/{id}", v.changeWord)
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { detail(w, 404, "Not Found") })
	origin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := r.Header.Get("Origin"); o != "" && !strings.HasPrefix(o, "http://localhost") {
			detail(w, 403, "Origin not allowed")
			return
		}
		if len(r.URL.RawQuery) > 60<<10 {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(400)
			_, _ = w.Write([]byte("Invalid HTTP request received."))
			return
		}
		m.ServeHTTP(w, r)
	})
	return v.wrap(origin)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone: nothing to do
}

func detail(w http.ResponseWriter, status int, d any) { reply(w, status, map[string]any{"detail": d}) }

func missing(w http.ResponseWriter, where, field string) {
	detail(w, 422, []any{map[string]any{"loc": []string{where, field}, "msg": "Field required", "type": "missing", "input": nil}})
}

func (v *Voicevox) speakers() []any {
	type style struct {
		Name string `json:"name"`
		ID   int    `json:"id"`
		Type string `json:"type,omitempty"`
	}
	kind := "talk"
	if v.Old {
		kind = ""
	}
	if v.Aivis {
		return []any{map[string]any{"name": "Anneli", "speaker_uuid": "e756b8e4", "styles": []style{{"ノーマル", AivisStyle, kind}}, "version": "1.0.0"}}
	}
	return []any{
		map[string]any{"name": "四国めたん", "speaker_uuid": "7ffcb7ce", "styles": []style{{"ノーマル", 2, kind}, {"あまあま", 0, kind}}, "version": "0.25.2"},
		map[string]any{"name": "ずんだもん", "speaker_uuid": "388f246b", "styles": []style{{"ノーマル", 3, kind}, {"あまあま", 1, kind}}, "version": "0.25.2"},
		map[string]any{"name": "波音リツ", "speaker_uuid": "b1a81618", "styles": []style{{"ノーマル", 6000, "sing"}}, "version": "0.25.2"},
	}
}

func (v *Voicevox) speakerInfo(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("speaker_uuid")
	for _, s := range v.speakers() {
		m, ok := s.(map[string]any)
		if ok && m["speaker_uuid"] == id {
			info := map[string]any{"policy": fmt.Sprintf("%sの音声を使うときは「VOICEVOX:%s」と表記してください。", m["name"], m["name"]), "style_infos": []any{}}
			if v.Old || r.URL.Query().Get("resource_format") != "url" {
				info["portrait"] = strings.Repeat("iVBORw0KGgo", 200_000) // two megabytes of base64
			}
			reply(w, 200, info)
			return
		}
	}
	detail(w, 404, "該当する話者が見つかりません")
}

// style says whether the speaker parameter names one. An unknown one is what the releases make of
// it: an error inside.
func (v *Voicevox) style(w http.ResponseWriter, r *http.Request) bool {
	s := r.URL.Query().Get("speaker")
	if s == "" {
		missing(w, "query", "speaker")
		return false
	}
	id, err := strconv.Atoi(s)
	if err != nil {
		detail(w, 422, []any{map[string]any{"loc": []string{"query", "speaker"}, "msg": "Input should be a valid integer", "type": "int_parsing"}})
		return false
	}
	known := id >= 0 && id <= 3
	if v.Aivis {
		known = id == AivisStyle
	}
	if !known {
		detail(w, 500, "Internal Server Error")
		return false
	}
	return true
}

type phrase struct {
	Moras         []mora `json:"moras"`
	Accent        int    `json:"accent"`
	PauseMora     *mora  `json:"pause_mora"`
	Interrogative bool   `json:"is_interrogative"`
}

type mora struct {
	Text            string   `json:"text"`
	Consonant       *string  `json:"consonant"`
	ConsonantLength *float64 `json:"consonant_length"`
	Vowel           string   `json:"vowel"`
	VowelLength     float64  `json:"vowel_length"`
	Pitch           float64  `json:"pitch"`
}

func (v *Voicevox) audioQuery(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if !q.Has("text") {
		missing(w, "query", "text")
		return
	}
	if !v.style(w, r) {
		return
	}
	v.mu.Lock()
	v.asked = q
	v.mu.Unlock()
	said := q.Get("text")
	phrases := []phrase{}
	groups := moras(said)
	n := 0
	for g, group := range groups {
		for len(group) > 0 {
			// Accent phrases are rarely longer than seven moras.
			k := min(len(group), 7)
			var p phrase
			for _, m := range group[:k] {
				n++
				p.Moras = append(p.Moras, v.timed(m, n))
			}
			p.Accent = 1
			group = group[k:]
			phrases = append(phrases, p)
		}
		if g+1 < len(groups) {
			l := 0.3137
			if v.Aivis {
				l = 0
			}
			phrases[len(phrases)-1].PauseMora = &mora{Text: "、", Vowel: "pau", VowelLength: l}
		}
	}
	if strings.HasSuffix(said, "？") && len(phrases) > 0 {
		phrases[len(phrases)-1].Interrogative = true
	}
	query := map[string]any{
		"accent_phrases": phrases, "speedScale": 1.0, "pitchScale": 0.0, "intonationScale": 1.0, "volumeScale": 1.0,
		"prePhonemeLength": 0.1, "postPhonemeLength": 0.1, "outputSamplingRate": 24000, "outputStereo": false, "kana": nil,
	}
	if !v.Old {
		query["pauseLength"], query["pauseLengthScale"] = nil, 1.0
	}
	if v.Aivis {
		query["tempoDynamicsScale"] = 1.0
		query["outputSamplingRate"] = 44100
	}
	reply(w, 200, query)
}

// moraPitch is high up to the accent and low after it.
func (v *Voicevox) moraPitch(w http.ResponseWriter, r *http.Request) {
	if !v.style(w, r) {
		return
	}
	var phrases []phrase
	if err := json.NewDecoder(r.Body).Decode(&phrases); err != nil {
		missing(w, "body", "accent")
		return
	}
	for _, p := range phrases {
		for i := range p.Moras {
			p.Moras[i].Pitch = 5.4
			if i >= p.Accent {
				p.Moras[i].Pitch = 5
			}
		}
	}
	reply(w, 200, phrases)
}

// timed gives the n-th mora lengths that no frame grid divides.
func (v *Voicevox) timed(m aMora, n int) mora {
	out := mora{Text: m.text, Vowel: m.vowel, VowelLength: 0.083 + 0.0071*float64(n%5), Pitch: 5.5}
	if m.vowel == "cl" {
		out.Pitch = 0
	}
	if v.Aivis {
		out.VowelLength, out.Pitch = 0, 0
	}
	if m.consonant != "" {
		l := 0.041 + 0.0063*float64(n%4)
		if v.Aivis {
			l = 0
		}
		out.Consonant, out.ConsonantLength = &m.consonant, &l
	}
	return out
}

func (v *Voicevox) addWord(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for _, f := range []string{"surface", "pronunciation", "accent_type"} {
		if !q.Has(f) {
			missing(w, "query", f)
			return
		}
	}
	if !katakana(q.Get("pronunciation")) {
		detail(w, 422, "パラメータに誤りがあります。\n1 validation error for UserDictWord")
		return
	}
	accent, _ := strconv.Atoi(q.Get("accent_type"))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.words == nil {
		v.words = map[string]map[string]any{}
	}
	v.next++
	id := fmt.Sprintf("b1affe2a-d5f0-4050-926c-f28e0c1d9a%02d", v.next)
	v.words[id] = map[string]any{"surface": q.Get("surface"), "pronunciation": q.Get("pronunciation"), "accent_type": accent, "priority": 5}
	if v.Old {
		_, _ = w.Write([]byte(id)) // the client may be gone: nothing to do
		return
	}
	reply(w, 200, id)
}

func (v *Voicevox) changeWord(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	id := r.PathValue("id")
	if v.words[id] == nil {
		detail(w, 422, "UUIDに該当するワードが見つかりませんでした")
		return
	}
	if r.Method == http.MethodDelete {
		delete(v.words, id)
	} else {
		v.words[id]["surface"] = r.URL.Query().Get("surface")
		v.words[id]["pronunciation"] = r.URL.Query().Get("pronunciation")
	}
	w.WriteHeader(204)
}

func katakana(s string) bool {
	for _, r := range s {
		if (r < 'ァ' || r > 'ヴ') && r != 'ー' {
			return false
		}
	}
	return s != ""
}

// halfEven is Python's round: the engine is written in it.
func halfEven(x float64) int { return int(math.RoundToEven(x)) }
