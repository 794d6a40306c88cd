package speechtest

// An Exchange is a call and its answer as they were seen on the wire of a real
// service. The fakes must answer so, and the clients must understand it.
type Exchange struct {
	Name        string
	Old         bool // seen with a VOICEVOX engine before 0.20
	Varies      bool // releases differ: the fake answers like most
	Method      string
	Path, Query string
	Body        string
	Status      int
	Answer      string // part of the answer's body
	Told        string // what the client makes of an error; "" when it is none
}

// VoicevoxExchanges are those of the VOICEVOX engine.
func VoicevoxExchanges() []Exchange {
	return []Exchange{
		{Name: "version is a JSON string", Method: "GET", Path: "/version", Status: 200, Answer: `"0.`},
		{Name: "unknown path", Method: "GET", Path: "/nothing", Status: 404, Answer: `{"detail":"Not Found"}`, Told: "Not Found"},
		{Name: "missing text", Method: "POST", Path: "/audio_query", Query: "speaker=1", Status: 422, Answer: `"msg":"Field required"`, Told: "Field required"},
		{Name: "missing speaker", Method: "POST", Path: "/audio_query", Query: "text=%E3%81%82", Status: 422, Answer: `"loc":["query","speaker"]`, Told: "Field required"},
		{Name: "speaker that is no number", Method: "POST", Path: "/audio_query", Query: "text=%E3%81%82&speaker=x", Status: 422, Answer: `"detail":[`, Told: "Input should be a valid integer"},
		{Name: "unknown style", Varies: true, Method: "POST", Path: "/audio_query", Query: "text=%E3%81%82&speaker=9999", Status: 500, Answer: `{"detail":"Internal Server Error"}`, Told: "Internal Server Error"},
		{Name: "nothing speakable has no phrases", Method: "POST", Path: "/audio_query", Query: "text=%EF%BC%81%EF%BC%9F&speaker=1", Status: 200, Answer: `"accent_phrases":[]`},
		{Name: "pause length is null", Method: "POST", Path: "/audio_query", Query: "text=%E3%81%82&speaker=1", Status: 200, Answer: `"pauseLength":null`},
		{Name: "synthesis of no phrases", Varies: true, Method: "POST", Path: "/synthesis", Query: "speaker=1", Body: `{"accent_phrases":[],"speedScale":1}`, Status: 500, Answer: `Internal Server Error`, Told: "Internal Server Error"},
		{Name: "unknown character", Varies: true, Method: "GET", Path: "/speaker_info", Query: "speaker_uuid=x", Status: 404, Answer: `{"detail":`, Told: "該当する話者が見つかりません"},
		{Name: "word id is a JSON string", Method: "POST", Path: "/user_dict_word", Query: "surface=a&pronunciation=%E3%82%A2&accent_type=1", Status: 200, Answer: `"`},
		{Name: "word id is bare text", Old: true, Method: "POST", Path: "/user_dict_word", Query: "surface=a&pronunciation=%E3%82%A2&accent_type=1", Status: 200, Answer: `b1affe2a`},
		{Name: "pronunciation that is not katakana", Varies: true, Method: "POST", Path: "/user_dict_word", Query: "surface=a&pronunciation=abc&accent_type=1", Status: 422, Answer: `{"detail":"`, Told: "パラメータに誤りがあります。 1 validation error for UserDictWord"},
	}
}

// OpenVoiceExchanges are those of the OpenVoice service.
func OpenVoiceExchanges() []Exchange {
	const profile = "text=%E3%81%82&voice_profile_id=nobody"
	return []Exchange{
		{Name: "healthy", Method: "GET", Path: "/health", Status: 200, Answer: `"openvoice_available":true`},
		{Name: "no profiles is an empty list", Method: "GET", Path: "/voice-clone/profiles", Status: 200, Answer: `[]`},
		{Name: "unknown profile is an error inside", Method: "POST", Path: "/voice-clone/synthesize", Body: profile, Status: 500, Answer: `{"detail":"音声プロファイルが見つかりません"}`, Told: "音声プロファイルが見つかりません"},
		{Name: "speed out of range", Method: "POST", Path: "/voice-clone/synthesize", Body: profile + "&speed=3", Status: 400, Answer: `{"detail":"`, Told: "パラメータが範囲外です"},
		{Name: "missing text", Method: "POST", Path: "/voice-clone/synthesize", Body: "voice_profile_id=a", Status: 422, Answer: `"Field required"`, Told: "Field required"},
		{Name: "deleting what is not there", Method: "DELETE", Path: "/voice-clone/profiles/nobody", Status: 404, Answer: `{"detail":`, Told: "音声プロファイルが見つかりません"},
	}
}
